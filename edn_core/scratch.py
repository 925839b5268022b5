"""Hot files on the node's own disk: copied there once, read at random there, removed at the end.

A shared file system that serves many nodes is slow where a file is read in small pieces in no
order, as training reads its frames.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from edn_core.logs import LOGGER
from edn_core.store import write_beside

VARIABLES = ("SLURM_TMPDIR", "TMPDIR")
"""Where ``auto`` looks: what clusters call the folder on the node's own disk."""
ROOM_KEPT = 256 * 2**20
"""Bytes that others on the node shall still find free."""
IN_MEMORY = ("tmpfs", "ramfs")


def find_scratch(setting: str | None) -> Path | None:
    """The folder that ``runtime.scratch`` means.

    Args:
        setting: None for none; ``auto``: the first of VARIABLES that names a folder on a disk; or
            a path, in which variables of the environment are filled in.

    Raises:
        ValueError: a path that is no folder.
    """
    if setting is None:
        return None
    if setting == "auto":
        named = [Path(os.environ[name]) for name in VARIABLES if os.environ.get(name)]
        return next((one for one in named if one.is_dir() and not _is_in_memory(one)), None)
    folder = Path(os.path.expandvars(setting)).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"runtime.scratch is {setting!r}, and {folder} is no folder on this machine; make it, "
            "or set runtime.scratch to auto or null"
        )
    return folder


@contextmanager
def on_scratch(paths: Sequence[Path], folder: Path | None) -> Iterator[list[Path]]:
    """Give copies of files on a node's own disk while the block lasts, or else the files.

    Processes of one node share a copy; the last one removes it. What a killed process left there
    is used again or, where nobody needs it, removed by the next. Where there is no room for all
    the files, a warning says so and the files themselves are given.

    Args:
        paths: the files; they must not change meanwhile.
        folder: of find_scratch; None: give the files.

    Yields:
        A path for each file, with the same content.
    """
    if folder is None:
        yield list(paths)
        return
    if all(path.stat().st_dev == folder.stat().st_dev for path in paths):
        LOGGER.info(f"{folder}: is on the same disk as the files; no copies are made")
        yield list(paths)
        return
    place = folder / f"edn-scratch-{os.getuid()}"
    with ExitStack() as stack:
        is_copied = True
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            copies = {path: _copy_of(path, place) for path in paths}
            _remove_leftovers(place, set(copies.values()))
            missing = [path for path, copy in copies.items() if not copy.exists()]
            needed = sum(path.stat().st_size for path in missing)
            free = shutil.disk_usage(place).free
            if needed + ROOM_KEPT > free:
                raise OSError(f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free")
            for path, copy in copies.items():
                stack.enter_context(_held(path, copy))
        except (OSError, ValueError) as error:
            LOGGER.warning(
                f"{folder}: no copies of {', '.join(path.name for path in paths)} here ({error}); "
                "they are read where they lie"
            )
            stack.close()
            is_copied = False
        if not is_copied:  # outside of the handler: a later error has nothing to do with this one
            yield list(paths)
            return
        LOGGER.info(f"{', '.join(path.name for path in paths)}: read from copies in {place}")
        with _named_as_before(copies):
            yield list(copies.values())


def _is_in_memory(folder: Path) -> bool:
    """Whether a folder lies in memory, where copies would take what training needs."""
    resolved = folder.resolve()
    mounts = [
        one for one in psutil.disk_partitions(all=True) if resolved.is_relative_to(one.mountpoint)
    ]
    nearest = max(mounts, key=lambda one: len(one.mountpoint), default=None)
    return nearest is not None and nearest.fstype in IN_MEMORY


def _copy_of(path: Path, place: Path) -> Path:
    """Where a file's copy lies: another file, or the file written anew, has another."""
    about = path.stat()
    identity = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    return place / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}-{path.name}"


@contextmanager
def _held(path: Path, copy: Path) -> Iterator[None]:
    """Make the copy if need be and keep it from being removed; the last holder removes it."""
    lock = _lock_of(copy, fcntl.LOCK_SH)
    try:
        while not copy.exists():
            # Not from shared to exclusive in one go: two that wait for each other would for ever.
            lock.close()
            lock = _lock_of(copy, fcntl.LOCK_EX)
            if not copy.exists():
                with write_beside(copy) as partial:
                    shutil.copyfile(path, partial)
            lock.close()
            lock = _lock_of(copy, fcntl.LOCK_SH)
        yield
    finally:
        if not lock.closed:  # stopped while it waited for the next
            _remove_if_unused(copy, lock)
            lock.close()


def _lock_of(copy: Path, kind: int) -> IO[str]:
    """Wait for a copy's lock; of a lock file that was removed meanwhile, take the one after it."""
    path = copy.with_name(f"{copy.name}.lock")
    while True:
        lock = open(path, "a")  # noqa: SIM115
        fcntl.flock(lock, kind)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock
        lock.close()


def _remove_if_unused(copy: Path, lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # somebody else reads it
    copy.unlink(missing_ok=True)
    Path(lock.name).unlink(missing_ok=True)


def _remove_leftovers(place: Path, wanted: set[Path]) -> None:
    """Remove what killed processes left, if nobody holds it."""
    for left in place.glob(".*.partial.*"):
        pid = left.name.split(".partial")[0].rpartition(".")[2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            left.unlink(missing_ok=True)
    for lock_path in place.glob("*.lock"):
        copy = lock_path.with_suffix("")
        if copy not in wanted:
            with open(lock_path, "a") as lock:
                _remove_if_unused(copy, lock)


@contextmanager
def _named_as_before(copies: dict[Path, Path]) -> Iterator[None]:
    """Errors are about the files, not about their copies."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        for path, copy in copies.items():
            text = text.replace(str(copy), str(path))
        if type(error) is not ValueError or text == str(error):
            raise
        raise ValueError(text) from error
