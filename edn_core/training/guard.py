"""One trainer per folder, and when it has to stop: told to, out of time, or left behind."""

import fcntl
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

import psutil

from edn_core.errors import Refused, ToldToStop
from edn_core.logs import LOGGER

SECONDS_BETWEEN_LOOKS = 2.0
SECONDS_TO_BE_ENDED = 300.0


class StoppedEarly(ValueError):
    """Training stopped before its end; its state is saved and the same command goes on."""


@contextmanager
def training_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it however this process ends.

    Refused where another trainer works in the folder; names its pid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            found = f"another training (pid {holder}) is at work here"
            remedy = f"wait until it is done, or stop it with `kill {holder}`"
            raise Refused(folder, found, "", remedy) from None
        except OSError as error:  # Lustre without flock, NFS without its lock daemon
            LOGGER.warning(
                f"{folder}: this file system knows no locks ({error.strerror}); two trainings that "
                "are started here by hand would not see each other"
            )
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


class Watch:
    """Knows when a training has to stop; asked after every step.

    It stops the margin before the end of the job, and as long as the slowest step, with its
    validation and saving, took so far.
    """

    def __init__(self, margin_s: float) -> None:
        self.told: list[str] = []
        self.was_asked = False
        self.is_out_of_time = False  # the job ends soon, which is why it said to stop
        self._margin_s, self._slowest_s = margin_s, 0.0
        self._end, self._ancestors = _job_end(), _ancestors()
        self._looked = self._asked = time.monotonic()

    def reason(self) -> str | None:
        """Why to stop, or None; cheap enough for every step."""
        now = time.monotonic()
        if self.was_asked:
            self._slowest_s = max(self._slowest_s, now - self._asked)
        self._asked, self.was_asked = now, True
        if self.told:
            return f"was told to stop ({self.told[0]})"
        left = self._end - time.time()
        if left < self._margin_s + self._slowest_s:
            self.is_out_of_time = True
            return f"has used up its time ({max(0, left):.0f} s are left to the job)"
        if now - self._looked >= SECONDS_BETWEEN_LOOKS:
            self._looked = now
            if not all(_is_alive(one) for one in self._ancestors):
                return "was left behind: what started it has ended"
        return None

    def ask_for_another_stay(self) -> None:
        """Have Slurm put this job of its, which is out of time, back into the queue.

        The job keeps its number. Slurm then ends it, which is waited for: one that ended by itself
        would be taken for one that failed.
        """
        job = os.environ.get("SLURM_JOB_ID")
        if not job or not self.is_out_of_time or not shutil.which("scontrol"):
            return
        ask = ["scontrol", "requeue", job]
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
        if done.returncode:
            LOGGER.warning(f"Slurm grants no other stay: {' '.join(done.stderr.split())}")
            return
        end = time.monotonic() + SECONDS_TO_BE_ENDED
        while not self.told and time.monotonic() < end:
            time.sleep(0.5)


@contextmanager
def watch_for_end(margin_s: float = 0.0) -> Iterator[Watch]:
    """Note SIGTERM and Ctrl-C in a Watch, which keeps ``margin_s`` seconds of the job free.

    Before its first question nothing could be lost: a signal then raises ToldToStop.
    """
    watch, own_pid = Watch(margin_s), os.getpid()

    def note(number: int, _frame: FrameType | None) -> None:
        watch.told.append(signal.Signals(number).name)
        if not watch.was_asked and len(watch.told) == 1 and os.getpid() == own_pid:
            raise ToldToStop(watch.told[0])

    before = {one: signal.signal(one, note) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _job_end() -> float:
    """When this job ends, s since 1970, by EDN_JOB_END or by Slurm; infinite where nobody says."""
    by_hand, job = os.environ.get("EDN_JOB_END"), os.environ.get("SLURM_JOB_ID")
    text = by_hand or os.environ.get("SLURM_JOB_END_TIME")
    try:
        if not text and job and shutil.which("squeue"):  # Slurm before 23
            ask = ["squeue", "--noheader", "--jobs", job, "--format", "%e"]
            told = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
            return datetime.fromisoformat(told.strip()).timestamp()
        return float(text or "inf")
    except ValueError:
        if not by_hand:  # squeue says "N/A"
            return math.inf
        expected = "the end of the job in seconds since 1970, as `date +%s` counts"
        raise Refused("EDN_JOB_END", f"is {by_hand!r}", expected, "correct it") from None


def _ancestors() -> list[psutil.Process]:
    """Those whose end leaves this process behind: up to the outermost Snakemake; torchrun.

    A killed Snakemake leaves its jobs running; a second start would then meet a trainer that
    nobody waits for. None when started by hand.
    """
    ancestors = psutil.Process().parents()
    count = 1 if "WORLD_SIZE" in os.environ else 0
    for i, process in enumerate(ancestors):
        try:
            words = process.cmdline()[:3]  # `snakemake ...` or `python -m snakemake ...`
        except psutil.Error:
            continue
        if any(Path(word).name == "snakemake" for word in words):
            count = i + 1
    return ancestors[:count]


def _is_alive(process: psutil.Process) -> bool:
    # is_running compares start times too: a pid used again does not deceive it. It also holds of a
    # dead process that nobody has waited for.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
