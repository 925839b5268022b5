"""One trainer per folder, and none that outlives the Snakemake that started it."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from edn_core.logs import LOGGER

SECONDS_BETWEEN_LOOKS = 2.0
SECONDS_FOR_THE_DEAD = 15.0  # loader processes of a killed trainer hold its lock a little longer


class StoppedEarly(ValueError):
    """Training stopped before its end; its state is saved and the same command goes on."""


class OutOfTime(StoppedEarly):
    """It stopped because its job is about to end."""


class _AtOnce(BaseException):
    """Not an Exception: a reader would take it for a sign that its file is damaged."""


@contextmanager
def training_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it however this process ends.

    Raises:
        ValueError: another trainer works in the folder; names its pid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as stream:
        deadline = time.monotonic() + SECONDS_FOR_THE_DEAD
        while not _locked(stream, folder):
            stream.seek(0)
            holder = stream.read().strip()
            is_alive = holder.isdigit() and psutil.pid_exists(int(holder))
            if is_alive or time.monotonic() > deadline:
                advice = f", or stop it with `kill {holder}`" if holder else ""
                raise ValueError(
                    f"{folder}: another training (pid {holder or 'unknown'}) is at work here; "
                    f"wait until it is done{advice}"
                )
            time.sleep(0.5)
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _locked(stream: IO[str], folder: Path) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # Lustre without flock, NFS without its lock daemon
        LOGGER.warning(
            f"{folder}: this file system knows no locks ({error.strerror}); two trainings that are "
            "started here by hand would not see each other"
        )
    return True


def _snakemakes() -> list[psutil.Process]:
    """Ancestors of this process up to the outermost Snakemake; none when started by hand."""
    ancestors = psutil.Process().parents()
    is_snakemake = []
    for process in ancestors:
        try:
            words = process.cmdline()[:3]  # `snakemake ...` or `python -m snakemake ...`
            is_snakemake.append(any(Path(word).name == "snakemake" for word in words))
        except psutil.Error:
            is_snakemake.append(False)
    count = max((i + 1 for i, found in enumerate(is_snakemake) if found), default=0)
    return ancestors[:count]


def _is_alive(process: psutil.Process) -> bool:
    # is_running compares start times too: a pid used again does not deceive it. It also holds of a
    # dead process that nobody has waited for.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def watch_for_end(
    what: object = "here", with_parent: bool = False
) -> Iterator[Callable[[], str | None]]:
    """Notice when the training shall stop: SIGTERM, Ctrl-C, or the end of its Snakemake.

    A killed Snakemake leaves its jobs running; a second start would then meet a trainer that
    nobody waits for. Until the first question nothing has been trained that could be lost: a
    signal then ends the training at once, in the middle of what it reads or compiles.

    Args:
        what: is trained, for the message.
        with_parent: watch what started this process too: it is one of several of a training.

    Yields:
        A function that returns why to stop, or None; cheap enough for every step.

    Raises:
        StoppedEarly: a signal came before the first question.
    """
    told: list[str] = []
    own_pid, was_asked = os.getpid(), False

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(signal.Signals(number).name)
        # Loader processes have this handler too.
        if not was_asked and len(told) == 1 and os.getpid() == own_pid:
            raise _AtOnce

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    watched = _snakemakes()
    parent = psutil.Process().parent() if with_parent else None
    last = time.monotonic()

    def reason() -> str | None:
        nonlocal last, was_asked
        was_asked = True
        if told:
            return f"was told to stop ({told[0]})"
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LOOKS:
            last = now
            if not all(_is_alive(process) for process in watched):
                return "was left behind: the Snakemake that started it has ended"
            if with_parent and (parent is None or not _is_alive(parent)):
                return "was left behind: what started its processes has ended"
        return None

    try:
        for number in before:
            signal.signal(number, note)
        yield reason
    except _AtOnce:
        raise StoppedEarly(
            f"{what}: the training was told to stop ({told[0]}) before its first step; nothing is "
            "lost, the same command goes on"
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
