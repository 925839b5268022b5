"""Whether an error says that memory is short: the file that was being read may well be whole."""

from pathlib import Path

_TEXTS = (
    "can't allocate memory",
    "not enough memory",
    "Cannot allocate memory",
    "could not create a primitive",  # what oneDNN says of it
    "nsufficient memory",  # OpenCV
    "memory allocation failed",  # HDF5
    "failed to map segment",  # a library that finds no room for itself
)


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an exception of any library says that main memory is full."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _TEXTS)


def raise_if_short_of_memory(error: BaseException, path: str | Path) -> None:
    """Nobody shall be told to delete a good file.

    Raises:
        MemoryError: that is what the error says; names the file.
    """
    if is_short_of_memory(error):
        raise MemoryError(
            f"{path}: no memory left to read it; run the command again where there is more"
        ) from error


def has_room(n_bytes: int) -> bool:
    """Whether so much memory is to be had: what a library says of it may be wrong.

    A damaged length in a file makes a reader ask for more than anybody has, and then it says, too,
    that memory is short.

    Args:
        n_bytes: more than reading a whole file needs at once.
    """
    try:
        bytearray(n_bytes)
    except MemoryError:
        return False
    return True
