"""What a disk says that will not take a file, in one line: full, over quota, read-only."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

# Reading gives none of these, so whatever raised one of them was writing.
REASONS = {
    errno.ENOSPC: ("no space left on the disk", "make room there"),
    errno.EDQUOT: ("the disk quota is used up", "make room there or ask for more"),
    errno.EFBIG: (
        "the file grows beyond what a limit allows (`ulimit -f`, or the file system's own)",
        "raise the limit",
    ),
    errno.EROFS: ("the file system is read-only", "make its folder a writable one"),
}


def explain_disk(error: BaseException, path: str | Path) -> str | None:
    """What to say where a file could not be written.

    Args:
        error: what was raised; libraries hide the system's error in texts and in causes.
        path: the file that was being written.

    Returns:
        One line: the file, what the disk said, how to go on; None where the disk was not at fault.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for number, (reason, remedy) in REASONS.items():
            if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
                return (
                    f"{path}: {reason}; what was begun of it is removed, what was finished before "
                    f"stays; {remedy} and run the same command again"
                )
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return None


@contextmanager
def disk_errors_named(path: str | Path) -> Iterator[None]:
    """Turn what a full or read-only disk raises into one line that names the file.

    Args:
        path: the file that is written in the block.

    Raises:
        ValueError: the disk does not take the file.
    """
    try:
        yield
    except Exception as error:
        line = explain_disk(error, path)
        if line is None or isinstance(error, ValueError):
            raise
        raise ValueError(line) from error


class WatchedFile(io.FileIO):
    """A new file for a library that writes when it pleases and may keep an error to itself.

    HDF5 writes some of its data when its objects are thrown away, where Python cannot pass an error
    on: on a disk that is full for a moment only, data would be lost without a word. So the first
    error is remembered here, everything after it goes nowhere, and `check` raises it. What a signal
    raises is such an error too (`keep_for_later`).
    """

    def __init__(self, path: str | Path) -> None:
        """Make the file, empty, to be written and read."""
        super().__init__(path, "w+")
        self.error: BaseException | None = None

    def write(self, data: Any) -> int:
        """Write all of the data; never fails."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while self.error is None and len(left):
                left = left[super().write(left) :]
        except BaseException as error:  # a KeyboardInterrupt would be lost as well
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size; never fails."""
        try:
            return super().truncate(size) if self.error is None else size or 0
        except BaseException as error:
            self.error = error
            return size or 0

    def check(self) -> None:
        """Raise the first error there was."""
        if self.error is not None:
            raise self.error


_WRITES = (WatchedFile.write.__code__, WatchedFile.truncate.__code__)


def keep_for_later(error: BaseException, frame: FrameType | None) -> bool:
    """Leave what a signal is to raise with the file that is being written, if one is.

    Raised there it would be lost, and a damaged file taken for a whole one.

    Args:
        error: what the signal's handler wants to raise.
        frame: that the signal interrupted, as handlers are given it.

    Returns:
        Whether a `WatchedFile` holds it now and will raise it in `check`.
    """
    while frame is not None:
        if frame.f_code in _WRITES:
            stream = frame.f_locals["self"]
            stream.error = stream.error or error
            return True
        frame = frame.f_back
    return False


@contextmanager
def watched_file(path: str | Path) -> Iterator[WatchedFile]:
    """A `WatchedFile`; the block's end raises what its writer did not say.

    Raises:
        OSError: something could not be written, whatever the block itself raised then.
        BaseException: what a signal was to raise in the middle of a write.
    """
    stream = WatchedFile(path)
    try:
        yield stream
    finally:
        stream.close()
        stream.check()
