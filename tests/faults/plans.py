"""Which faults every job meets: points at random, spread evenly, the same for the same seed."""

import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from children import run_job
from disturb import Disk, Fault, kill_a_worker, send
from injected import (
    CountCalls,
    DieAtByte,
    DieAtCall,
    FileTooLarge,
    LittleMemory,
    LoaderWorkers,
    NotANumber,
)
from jobs import Job
from room import PAGE, Room

KINDS = (
    "kill -9 before a file call",
    "kill -9 in the middle of a write",
    "kill -9 at a random time",
    "SIGTERM at a random time",
    "file size limit",
    "out of memory",
    "disk full",
    "read-only disk",
    "loader worker dies",
    "NaN in a batch",
)
FULL = "no space left on the disk.*run the same command again"


@dataclass(frozen=True)
class Extent:
    """What an undisturbed job does.

    Attributes:
        calls: that open, rename, remove or make files of the run.
        seconds: how long it takes.
        size: bytes of disk it needs at most.
        largest: bytes of the largest file it writes.
    """

    calls: int
    seconds: float
    size: int
    largest: int


def measure(room: Room, job: Job) -> Extent:
    """Run a job undisturbed, and make sure that it makes what Snakemake's own run of it made."""
    room.empty(job)
    before, counter = room.free(), room.folder.parent / "calls.txt"
    counter.unlink(missing_ok=True)
    ended = run_job(room.folder, job, CountCalls(str(counter)))
    if ended.status != 0 or room.wrong():
        raise RuntimeError(f"{job.name}, undisturbed: {room.wrong()} {ended.output[-2000:]}")
    sizes = [(room.folder / path).stat().st_size for path in job.outputs]
    # A training also has its state on the disk, three times what it leaves.
    size = max(before - room.free(), PAGE) * (4 if job.is_training else 1)
    return Extent(int(counter.read_text()), ended.seconds, size, max(sizes))


def spread(rng: random.Random, low: float, high: float, count: int) -> list[float]:
    """So many numbers in a range: one at random out of each of as many equal parts."""
    step = (high - low) / count
    return [low + step * (i + rng.random()) for i in range(count)]


def faults_of(
    room: Room, job: Job, extent: Extent, rng: random.Random, count: int
) -> Iterator[Fault]:
    """The faults of one job.

    Args:
        room: where it runs.
        job: the job.
        extent: of it.
        rng: chooses the points.
        count: how many of the kinds that have points.
    """
    for number in spread(rng, 1, extent.calls + 1, count):
        inside = DieAtCall(int(number))
        yield Fault(
            "kill -9 before a file call", job, f"call {int(number)} of {extent.calls}", inside
        )
    for size in spread(rng, 1, extent.largest, count):
        inside = DieAtByte(int(size))
        yield Fault("kill -9 in the middle of a write", job, f"byte {int(size)}", inside)
    for kind, number in (("kill -9", signal.SIGKILL), ("SIGTERM", signal.SIGTERM)):
        for seconds in spread(rng, 0.05, 0.8 * extent.seconds, count):
            outside = send(number, seconds)
            yield Fault(
                f"{kind} at a random time", job, f"after {seconds:.2f} s", meanwhile=outside
            )
    # What the job prints goes into a file, too, and its one line has to fit.
    for size in spread(rng, min(600, extent.largest), extent.largest, 1):
        inside = FileTooLarge(int(size))
        says = "grows beyond what a limit allows"
        yield Fault("file size limit", job, f"byte {int(size)}", inside, says=says)
    for more in spread(rng, 0, 5, 1):
        size = int(2**more * 2**20)
        # The last is what Python says where there is no memory for an error either.
        says = "[Mm]emory|alloc|thread|without (setting an )?exception"
        inside = LittleMemory(size)
        detail = f"{size >> 20} MB more"
        yield Fault("out of memory", job, detail, inside, says=says, may_die=True)
    if room.has_disk:
        pages = extent.size // PAGE + 1
        for page in spread(rng, 0, pages, 2 * count):
            disk, detail = Disk(room, int(page) * PAGE), f"page {int(page)} of {pages}"
            yield Fault("disk full", job, detail, around=disk, says=FULL)
        yield Fault("read-only disk", job, "", around=Disk(room), says="read-only")
    if job.is_training:
        for number in range(2):
            outside = kill_a_worker(number, rng.uniform(0, 0.3))
            says, detail = "loader process.*run the same command", f"worker {number} of 2"
            yield Fault("loader worker dies", job, detail, LoaderWorkers(2), outside, says=says)
        for number in spread(rng, 1, 7, 2):
            says = "not finite|nan"
            detail = f"batch {int(number)} of 6"
            yield Fault("NaN in a batch", job, detail, NotANumber(int(number)), says=says)
