"""One trainer per folder, and none that outlives the Snakemake that started it."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

SECONDS_BETWEEN_LOOKS = 2.0


@contextmanager
def training_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it however this process ends.

    Raises:
        ValueError: another trainer works in the folder; names its pid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise ValueError(
                f"{folder}: another training (pid {holder}) is at work here; wait until it is "
                f"done, or stop it with `kill {holder}`"
            ) from error
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _snakemakes() -> list[psutil.Process]:
    """Ancestors of this process up to the outermost Snakemake; none when started by hand."""
    ancestors = psutil.Process().parents()
    is_snakemake = []
    for process in ancestors:
        try:
            is_snakemake.append(any("snakemake" in word for word in process.cmdline()[:3]))
        except psutil.Error:
            is_snakemake.append(False)
    count = max((i + 1 for i, found in enumerate(is_snakemake) if found), default=0)
    return ancestors[:count]


@contextmanager
def watch_for_end() -> Iterator[Callable[[], str | None]]:
    """Notice when the training shall stop: SIGTERM, or the Snakemake that started it is gone.

    A killed Snakemake leaves its jobs running; a second start would then meet a trainer that
    nobody waits for.

    Yields:
        A function that returns why to stop, or None; cheap enough for every step.
    """
    told: list[str] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, note)
    watched = _snakemakes()
    last = time.monotonic()

    def reason() -> str | None:
        nonlocal last
        if told:
            return f"was told to stop ({told[0]})"
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LOOKS:
            last = now
            # is_running compares start times too: a pid used again does not deceive it.
            if not all(process.is_running() for process in watched):
                return "the Snakemake that started it has ended"
        return None

    try:
        yield reason
    finally:
        signal.signal(signal.SIGTERM, before)
