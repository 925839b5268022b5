"""Whether an error says that memory is short: the file that was being read may well be whole."""

from pathlib import Path

import numpy as np

_TEXTS = (
    "can't allocate memory",
    "not enough memory",
    "Cannot allocate memory",
    "could not create a primitive",  # what oneDNN says of it
    "nsufficient memory",  # OpenCV
    "memory allocation failed",  # HDF5
    "failed to map segment",  # a library that finds no room for itself
)


ADVICE = (
    "run the same command again where there is more memory, or with a smaller canvas.pixels; "
    "what was finished before stays"
)


class ShortOfMemory(MemoryError):
    """Main memory is full; the message names the file that was being read or written."""


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an exception of any library says that main memory is full."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _TEXTS)


def raise_if_short_of_memory(
    error: BaseException, path: str | Path, most: int | None = None
) -> None:
    """Nobody shall be told to delete a good file.

    Args:
        error: what was raised.
        path: the file that was being read.
        most: bytes that the library that raised it can need at once for a file that is whole. A
            damaged length makes it ask for more than anybody has, and then it says, too, that
            memory is short: not believed where so many are to be had.

    Raises:
        ShortOfMemory: that is what the error says; names the file.
    """
    if not is_short_of_memory(error):
        return
    if most is not None and not isinstance(error, MemoryError) and has_room(most):
        return
    raise ShortOfMemory(f"{path}: no memory left to read it") from error


def explain_memory(error: BaseException) -> str | None:
    """What to say where memory ran out; None where it did not.

    Args:
        error: what nobody caught.
    """
    if not is_short_of_memory(error):
        return None
    found = f"{error}" if isinstance(error, ShortOfMemory) else f"main memory is full ({error})"
    return f"{found}; {ADVICE}"


def has_room(n_bytes: int) -> bool:
    """Whether so much memory is to be had; none of it is used."""
    try:
        np.empty(n_bytes, np.uint8)
    except MemoryError:
        return False
    return True
