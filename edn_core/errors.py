"""What goes wrong, in one line: where, what was found, what was expected, what to do next."""

import errno
import sys
from pathlib import Path

_DISK = {
    errno.ENOSPC: ("no space left on the disk", "make room there"),
    errno.EDQUOT: ("the disk quota is used up", "make room there or ask for more"),
    errno.EFBIG: ("the file grows beyond what a limit allows", "raise the limit (`ulimit -f`)"),
    errno.EROFS: ("the file system is read-only", "make its folder a writable one"),
    errno.EACCES: ("no permission", "make it readable, and its folder writable"),
    errno.EPERM: ("no permission", "make it readable, and its folder writable"),
}
_KEPT = "what was finished before stays"


class Refused(ValueError):
    """Something a user can mend: a file, a frame or a setting that is not as it has to be.

    Attributes:
        where: the file, frame or setting.
        found: what is there.
        expected: what should be; may be empty where ``found`` says it.
        remedy: what to do next; may be empty where ``expected`` says it.
    """

    def __init__(self, where: str | Path, found: str, expected: str = "", remedy: str = "") -> None:
        self.where, self.found, self.expected, self.remedy = where, found, expected, remedy
        middle = f"{found}, expected {expected}" if expected else found
        super().__init__(f"{where}: {middle}" + (f"; {remedy}" if remedy else ""))


class ToldToStop(BaseException):
    """SIGTERM or Ctrl-C came. Not an Exception, so that nothing takes it for a failure."""


def remake(path: str | Path) -> str:
    """The remedy for a file of a run that is no good: how to have it written anew."""
    return f"delete it and run `snakemake {path}` to write it anew"


def explain(error: BaseException) -> str:
    """One line for whatever ended a program: the handler at the top of a job prints it.

    Args:
        error: what nobody caught; told by its kind and its errno, never by its text.
    """
    if isinstance(error, ToldToStop | KeyboardInterrupt):
        signal = str(error) or "SIGINT"
        return (
            f"was told to stop ({signal}); what was half-written is removed, the same command "
            "makes it anew"
        )
    if isinstance(error, ValueError):
        return _one_line(error)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return (
            "the GPU's memory is full; lower the stage's batch_size, set training.precision: "
            f"bfloat16, or take a smaller canvas.pixels; {_KEPT}"
        )
    if isinstance(error, MemoryError):
        return (
            f"main memory is full ({_one_line(error) or 'no more to be had'}); lower "
            f"runtime.frame_cache_mb, take a smaller canvas.pixels or a machine with more; {_KEPT}"
        )
    for cause in _chain(error):
        if (number := getattr(cause, "errno", None)) in _DISK:
            reason, remedy = _DISK[number]
            where = getattr(cause, "filename", None) or "a file"
            return f"{where}: {reason}; {remedy} and run the same command again; {_KEPT}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return f"{type(error).__name__}: {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and what it was raised from: a library may wrap the system's own."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
