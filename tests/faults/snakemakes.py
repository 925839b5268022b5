"""Faults of real Snakemakes: they lock, take half-finished files away, and leave jobs behind."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from checkout import COMMAND, ENVIRONMENT
from disturb import Disk, Outcome
from jobs import SETTINGS, Job
from room import PAGE, Room

LONGEST_S = 240
LOCKED = "--unlock"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@dataclass(frozen=True)
class Running:
    """A Snakemake that makes one job's files."""

    process: subprocess.Popen
    output: Path

    def worker(self, rule: str) -> psutil.Process | None:
        """The process of the job once there is one; None when Snakemake has ended."""
        end = time.monotonic() + LONGEST_S
        while self.process.poll() is None and time.monotonic() < end:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                try:
                    if f".{rule}.py" in " ".join(child.cmdline()):
                        return child
                except psutil.Error:
                    continue
            time.sleep(0.02)
        return None

    def end(self) -> tuple[int, str]:
        """Its exit status and what it printed."""
        late = ""
        try:
            self.process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            late = f"\nkilled: still running after {LONGEST_S} s"
            _signal_group(self, signal.SIGKILL)
        return self.process.wait(), self.output.read_text(errors="replace") + late


def start(room: Room, *arguments: str, **environment: str) -> Running:
    """Start Snakemake in a room; killed with everything it started, if need be, by its group."""
    number = time.monotonic_ns()
    output = room.folder.parent / f"snakemake.{number}.txt"
    with open(output, "w") as stream:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=room.folder,
            env=ENVIRONMENT | environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process, output)


def same_command(room: Room, job: Job, **environment: str) -> Running:
    """The command of every fault here: make this job's file."""
    return start(room, *SETTINGS, "--", job.outputs[0], **environment)


def go_on(room: Room, job: Job) -> list[str]:
    """The same command again, after the one it names where it is refused; what is wrong then."""
    status, output = same_command(room, job).end()
    if status != 0 and (named := re.search(r"run `((?:touch|find) .*?)` and the same", output)):
        subprocess.run(named[1], shell=True, check=True, cwd=room.folder)
        status, output = same_command(room, job).end()
    if status != 0 and LOCKED in output:
        start(room, *SETTINGS, "--unlock").end()
        status, output = same_command(room, job).end()
    if status != 0:
        return [f"the same command failed: {' '.join(output.split())[-500:]}"]
    return room.wrong()


Fault = Callable[[Room, Job, random.Random], tuple[int, str]]


def kill_worker(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """SIGKILL for the job's process."""
    running = same_command(room, job)
    worker = running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    _signal(worker, signal.SIGKILL)
    return running.end()


def stop_worker(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """SIGTERM for the job's process."""
    running = same_command(room, job)
    worker = running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    _signal(worker, signal.SIGTERM)
    return running.end()


def kill_snakemake(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """SIGKILL for Snakemake; its job is left behind and may still be at work."""
    running = same_command(room, job)
    running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    running.process.kill()
    return running.end()


def kill_both(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """SIGKILL for Snakemake and all that it started, as a machine that is switched off."""
    running = same_command(room, job)
    running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    _signal_group(running, signal.SIGKILL)
    return running.end()


def stop_snakemake(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """SIGTERM for Snakemake and its job, as a cluster sends it."""
    running = same_command(room, job)
    running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    _signal_group(running, signal.SIGTERM)
    return running.end()


def interrupt(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """Ctrl-C."""
    running = same_command(room, job)
    running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    _signal_group(running, signal.SIGINT)
    return running.end()


def start_two(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """The same command twice at once; one is refused, and the other finishes."""
    running = same_command(room, job)
    running.worker(job.rule)
    status, output = same_command(room, job).end()
    first, said = running.end()
    if first != 0:
        return status, f"the first failed: {said[-400:]}"
    return status, output if status == 0 or LOCKED in output else f"not refused: {output[-400:]}"


def fill_disk(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """No space left, for Snakemake's own files neither."""
    with Disk(room, rng.randrange(0, 8) * PAGE):
        return same_command(room, job).end()


def lock_disk(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """A folder that nobody can write to."""
    with Disk(room):
        return same_command(room, job).end()


def wrong_clock(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """The job is killed on a machine whose clock is a year off, and made on one that is right."""
    shift = rng.choice(("-366d", "+366d"))
    # Steady clocks do not jump with the date; waits with a time limit hang where they are faked.
    faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    running = same_command(room, job, **faked)
    worker = running.worker(job.rule)
    time.sleep(rng.uniform(0, 4))
    _signal(worker, signal.SIGKILL)
    return running.end()


def jumping_times(room: Room, job: Job, rng: random.Random) -> tuple[int, str]:
    """What a job reads is a year ahead while it runs: Snakemake discards what it made."""
    running = same_command(room, job)
    running.worker(job.rule)
    later = time.time() + 366 * 86400
    for path in job.inputs:
        if (room.folder / path).exists():
            os.utime(room.folder / path, (later, later))
    return running.end()


def _signal(process: psutil.Process | None, number: signal.Signals) -> None:
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _signal_group(running: Running, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(running.process.pid, number)


KINDS: dict[str, Fault] = {
    "Snakemake: kill -9 of its job": kill_worker,
    "Snakemake: SIGTERM of its job": stop_worker,
    "Snakemake: kill -9, its job left behind": kill_snakemake,
    "Snakemake: kill -9 of all processes": kill_both,
    "Snakemake: SIGTERM of all processes": stop_snakemake,
    "Snakemake: Ctrl-C": interrupt,
    "Snakemake: two at once": start_two,
    "Snakemake: disk full": fill_disk,
    "Snakemake: read-only disk": lock_disk,
    "Snakemake: clock a year off": wrong_clock,
    "Snakemake: inputs from the future": jumping_times,
}


def run_kind(room: Room, kind: str, job: Job, rng: random.Random) -> Outcome:
    """One such fault, and the same command again."""
    room.empty(job)
    status, output = KINDS[kind](room, job, rng)
    wrong = []
    if status != 0:
        wrong += [f"after the fault: {one}" for one in room.wrong_outputs(job)]
    # Ctrl-C may also meet Python while it imports.
    if "killed: still running" in output:
        wrong.append("it did not end")
    if "Traceback (most recent call last)" in output and kind != "Snakemake: Ctrl-C":
        wrong.append(f"a traceback: {' '.join(output.split())[-600:]}")
    wrong += go_on(room, job)
    _end_those_left(room)
    if wrong or kind.endswith("the future"):
        room.restore()
    lines = [line for line in output.splitlines() if "edn: error:" in line or LOCKED in line]
    return Outcome(kind, job, status != 0, " ".join(lines)[-200:], wrong)


def _end_those_left(room: Room) -> None:
    """Jobs that a killed Snakemake left behind, before the room is used again."""
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == room.folder and process.pid != os.getpid():
                process.wait(60)
        except (psutil.Error, OSError):
            continue


def plan(room: Room, jobs: list[Job], seed: int, count: int) -> Iterator[tuple[str, Job]]:
    """Which jobs meet which of these faults: so many each; trainings every other time."""
    rng = random.Random(seed)
    trainings = [job for job in jobs if job.is_training]
    for kind in KINDS:
        if ("clock" in kind and FAKETIME is None) or ("disk" in kind and not room.has_disk):
            continue
        for number in range(count):
            yield kind, rng.choice(trainings if trainings and number % 2 else jobs)
