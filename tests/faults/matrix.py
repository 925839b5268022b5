"""Break the demo on purpose, some two hundred times, and say what came of it (`make faults`).

Every job of the demo is killed, stopped, and meets a full and a read-only disk; every file it made
loses a bit or its end; real Snakemakes are killed with and without their jobs. Then the same
command runs again, and everything under ``results`` has to be, byte for byte, what an undisturbed
run made.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from checkout import COMMAND, ENVIRONMENT
from jobs import SETTINGS, Ended, Job, Room, make_reference, run_job, seconds_of, send

FULL = "no space left on the disk; make room there"
LOCKED = "--unlock"
REMEDY = re.compile(
    r"delete it(?: and (?P<other>\S+))? and run (?:`snakemake (?P<command>[^`]+)`|the command)"
)
LONGEST_S = 240
VERIFY = [sys.executable, "-m", "edn_core.verify"]


@dataclass(frozen=True)
class Outcome:
    """What came of a fault: what the job or reader said, and what should not be."""

    was_hit: bool
    message: str
    wrong: list[str]


Fault = tuple[str, str, Callable[[], Outcome]]
"""Kind, what it meets, and a function that makes it."""


def disturb(
    room: Room,
    job: Job,
    meanwhile: Callable | None = None,
    around: AbstractContextManager = nullcontext(),  # noqa: B008
    says: str = "",
) -> Outcome:
    """Let a job meet a fault, run it again, and compare with the undisturbed run.

    Args:
        room: where.
        job: which.
        meanwhile: what it meets from outside, given its process.
        around: the state of its disk while it runs.
        says: the one line it has to end with; none: it is killed and can say nothing.
    """
    room.empty(job)
    with around:
        ended = run_job(room.folder, job, meanwhile)
    wrong = []
    if ended.status != 0:
        finished = [one for one in room.wrong() if one.startswith(job.outputs)]
        wrong += [one for one in finished if not one.endswith("missing")]
        # Before its first line a signal ends it without a word, as any program.
        if says and ended.status > 0 and (len(ended.errors) != 1 or says not in ended.errors[0]):
            wrong.append(f"expected one line with {says!r}: {ended.output[-400:]}")
    again = run_job(room.folder, job)
    if again.status != 0:
        wrong.append(f"the same command failed: {again.output[-400:]}")
    return _judged(room, ended, wrong + room.wrong())


def _judged(room: Room, ended: Ended, wrong: list[str]) -> Outcome:
    if "Traceback" in ended.output:
        wrong.append(f"a traceback on the terminal: {ended.output[-400:]}")
    if wrong:
        room.restore()
    return Outcome(ended.status != 0, " ".join(ended.errors), wrong)


def flip(path: Path, rng: random.Random) -> None:
    """One bit of one byte is another."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    """The end is missing, as after a copy that broke off."""
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def damage(room: Room, path: str, spoil: Callable, rng: random.Random) -> Outcome:
    """Damage a finished file: its reader names it and how it is remade, or nothing changes."""
    readers = [job for job in room.jobs if path in job.inputs]
    reader = rng.choice(readers) if readers else None
    spoil(room.folder / path, rng)
    if reader is None:
        done = subprocess.run(VERIFY, cwd=room.folder, capture_output=True, text=True, check=False)
        ended = Ended(done.returncode, done.stdout)
        lines = [line for line in done.stdout.splitlines() if line.startswith(path)]
        remedy = re.search(r"rm (?P<other>\S+) && snakemake (?P<command>\S+)$", "\n".join(lines))
    else:
        room.empty(reader)
        ended = run_job(room.folder, reader)
        lines = [line for line in ended.errors if path in line]
        remedy = REMEDY.search("\n".join(lines))
    if ended.status == 0:  # it was not read, or made no difference
        (room.folder / path).write_bytes((room.reference / path).read_bytes())
        return _judged(room, Ended(int(reader is None), ended.output), room.wrong())
    if len(lines) != 1 or remedy is None:
        return _judged(room, ended, [f"expected a line about {path}: {ended.output[-400:]}"])
    deleted = {path, remedy["other"] or path}
    for name in deleted:
        (room.folder / name).unlink()
    command = remedy["command"]
    makers = [job for job in room.jobs if {command, *deleted} & set(job.outputs)]
    for job in [*makers, *([reader] if reader else [])]:
        again = run_job(room.folder, job)
        if again.status != 0:
            return _judged(room, ended, [f"{job.name}, made anew: {again.output[-400:]}"])
    return _judged(room, Ended(1, ended.output), room.wrong())


class Running:
    """A Snakemake that makes one job's files, in a session of its own."""

    def __init__(self, room: Room, job: Job, *options: str) -> None:
        self.job, self.output = job, room.folder.parent / f"snakemake.{time.monotonic_ns()}.txt"
        with open(self.output, "w") as stream:
            self.process = subprocess.Popen(
                [*COMMAND, *SETTINGS, *options, "--", job.outputs[0]],
                cwd=room.folder,
                env=ENVIRONMENT,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def worker(self) -> psutil.Process | None:
        """The process of the job once there is one; None when Snakemake has ended."""
        while self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                try:
                    if f".{self.job.rule}.py" in " ".join(child.cmdline()):
                        return child
                except psutil.Error:
                    continue
            time.sleep(0.02)
        return None

    def end(self) -> Ended:
        """Wait for it."""
        status = self.process.wait(LONGEST_S)
        return Ended(status, self.output.read_text(errors="replace"))


def kill_job(running: Running, worker: psutil.Process) -> None:
    """SIGKILL for the job's process."""
    worker.kill()


def kill_snakemake(running: Running, worker: psutil.Process) -> None:
    """SIGKILL for Snakemake; its job is left behind and may still be at work."""
    running.process.kill()


def kill_both(running: Running, worker: psutil.Process) -> None:
    """SIGKILL for Snakemake and all that it started, as a machine that is switched off."""
    os.killpg(running.process.pid, signal.SIGKILL)


def interrupt(running: Running, worker: psutil.Process) -> None:
    """Ctrl-C."""
    os.killpg(running.process.pid, signal.SIGINT)


def start_another(running: Running, worker: psutil.Process) -> None:
    """The same command in a second terminal: it is refused."""


SNAKEMAKES: dict[str, Callable[[Running, psutil.Process], None]] = {
    "Snakemake: kill -9 of its job": kill_job,
    "Snakemake: kill -9 of itself": kill_snakemake,
    "Snakemake: kill -9 of both": kill_both,
    "Snakemake: Ctrl-C": interrupt,
    "Snakemake: two at once": start_another,
}


def disturb_snakemake(room: Room, job: Job, kind: str, rng: random.Random) -> Outcome:
    """Disturb a real Snakemake, and run the same command again, unlocked where it says so."""
    room.empty(job)
    running = Running(room, job)
    worker = running.worker()
    wrong = []
    if worker is not None and kind == "Snakemake: two at once":
        second = Running(room, job).end()
        if second.status == 0 or LOCKED not in second.output:
            wrong.append(f"the second was not refused: {second.output[-400:]}")
    elif worker is not None:
        time.sleep(rng.uniform(0, 3))
        if worker.is_running() and running.process.poll() is None:
            SNAKEMAKES[kind](running, worker)
    ended = running.end()
    if worker is not None:
        psutil.wait_procs([worker], timeout=60)
    again = Running(room, job).end()
    if LOCKED in again.output:
        Running(room, job, "--unlock").end()
        again = Running(room, job).end()
    if again.status != 0:
        wrong.append(f"the same command failed: {again.output[-400:]}")
    is_hit = ended.status != 0 or kind == "Snakemake: two at once"
    wrong += room.wrong()
    if wrong:
        room.restore()
    return Outcome(is_hit, "", wrong)


def faults_of(room: Room, job: Job, rng: random.Random) -> Iterator[Fault]:
    """What one job meets."""
    seconds = seconds_of(room, job)
    for kind, number, says in (
        ("kill -9 at a random time", signal.SIGKILL, ""),
        ("SIGTERM at a random time", signal.SIGTERM, "told to stop"),
    ):
        stop = send(number, rng.uniform(0.1, 0.9) * seconds)
        yield kind, job.name, partial(disturb, room, job, stop, says=says)
    if room.has_disk:
        free = rng.randrange(0, sum((room.reference / one).stat().st_size for one in job.outputs))
        full, locked = room.disk(free), room.disk(None)
        yield "disk full", job.name, partial(disturb, room, job, around=full, says=FULL)
        yield (
            "read-only disk",
            job.name,
            partial(disturb, room, job, around=locked, says="read-only"),
        )


def every_fault(room: Room, rng: random.Random, holds: Callable[[str], bool]) -> Iterator[Fault]:
    """All of them, of the jobs and files whose name is asked for."""
    jobs = [job for job in room.jobs if holds(job.name)]
    for job in jobs:
        yield from faults_of(room, job, rng)
    for path in sorted({path for job in jobs for path in job.outputs}):
        for kind, spoil in (("a flipped bit", flip), ("an end cut off", cut)):
            yield kind, path, partial(damage, room, path, spoil, rng)
    trainings = [job for job in jobs if job.rule == "train_stage"]
    for kind in SNAKEMAKES:
        for job in [*rng.sample(jobs, min(2, len(jobs))), *trainings[:1]]:
            yield kind, job.name, partial(disturb_snakemake, room, job, kind, rng)


def main() -> int:
    """Make the faults that are asked for; 1 where anything was lost or different."""
    read = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read.add_argument("--only", default="", help="faults whose kind holds this")
    read.add_argument("--job", default="", help="jobs whose name holds this")
    read.add_argument("--seed", type=int, default=5, help="of the random points (default 5)")
    asked = read.parse_args()
    injected: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="edn-faults-") as scratch:
        print("the undisturbed run (minutes)", flush=True)
        room = Room(make_reference(Path(scratch) / "reference"), Path(scratch) / "room")
        try:
            chosen = every_fault(room, random.Random(asked.seed), lambda name: asked.job in name)
            for kind, what, meet in chosen:
                if asked.only not in kind:
                    continue
                outcome = meet()
                injected[kind] += outcome.was_hit
                lost[kind] += bool(outcome.wrong)
                said = "ok" if outcome.was_hit else "ended before it, or none of it was read"
                verdict = "; ".join(outcome.wrong) or said
                print(f"{kind}: {what}: {verdict}  {outcome.message}", flush=True)
        finally:
            room.close()
    print("\n| fault | injected | lost or different |\n| --- | ---: | ---: |")
    for kind, number in injected.items():
        print(f"| {kind} | {number} | {lost[kind]} |")
    print(f"| **all** | **{injected.total()}** | **{lost.total()}** |")
    return int(lost.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
