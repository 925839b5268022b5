"""Files that are not what was written: found, named, made anew by the command that is printed."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import torch
from children import run_job
from disturb import Outcome
from injected import DieAtCall
from jobs import Job
from room import Room

REMEDY = re.compile(
    r"delete (?:it|the file)(?: and (?P<other>\S+))? "
    r"and run (?:`snakemake (?P<command>[^`]+)`|the command again)"
)
FINISHED = "damage in a finished file"
VERIFIED = (".h5", ".json", ".pt", ".png", ".mp4", ".md", ".csv")


@dataclass(frozen=True)
class Damage:
    """What happens to a file.

    Attributes:
        kind: its line of the table.
        job: that reads it next.
        path: the file.
        spoil: does it, with random numbers.
        die_at: call at which the job is killed before, so that it leaves a state; 0: it never ran.
    """

    kind: str
    job: Job
    path: str
    spoil: Callable[[Path, random.Random], None]
    die_at: int = 0


def flip(path: Path, rng: random.Random) -> None:
    """One bit of one byte is another."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    """The end is missing, as after a copy that broke off."""
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def change_version(path: Path, rng: random.Random) -> None:
    """Another release wrote it."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as store:
            store.attrs["schema_version"] = 99
    elif path.suffix == ".pt":
        content = torch.load(path, weights_only=True)
        torch.save({**content, "schema_version": 99}, path)
    else:
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "schema_version": 99}))


def take_away(path: Path, rng: random.Random) -> None:
    """An earlier release did not keep this part of a training's state."""
    content = torch.load(path, weights_only=True)
    del content["averaged"]
    torch.save(content, path)


def tear(path: Path, rng: random.Random) -> None:
    """The last row was not written to its end."""
    content = path.read_bytes()
    path.write_bytes(content[: -rng.randrange(2, 30)])


def run_damage(room: Room, damage: Damage, jobs: list[Job], rng: random.Random) -> Outcome:
    """Damage a file, run what reads it, do what its message says, and compare."""
    room.empty(damage.job)
    if damage.die_at:
        run_job(room.folder, damage.job, DieAtCall(damage.die_at))
    file = room.folder / damage.path
    for later in range(10, 100, 10):  # until there is a state to be spoilt
        if file.exists() or not damage.die_at:
            break
        run_job(room.folder, damage.job, DieAtCall(damage.die_at + later))
    damage.spoil(file, rng)
    ended = run_job(room.folder, damage.job)
    wrong, message = [], ended.errors[-1] if ended.errors else ""
    if ended.status == 0:
        wrong += [one for one in room.wrong() if not one.startswith(f"{damage.path} ")]
        message = "none of it was read" if file.exists() else "mended"
        if damage.path in room.expected:
            file.write_bytes((room.reference / damage.path).read_bytes())
    else:
        wrong += follow(room, damage, jobs, ended.output)
    wrong += room.wrong()
    if wrong:
        room.restore()
    where = f"reads {damage.path}"
    return Outcome(
        damage.kind, damage.job, ended.status != 0 or damage.die_at > 0, message, wrong, where
    )


def follow(room: Room, damage: Damage, jobs: list[Job], output: str) -> list[str]:
    """Do exactly what the message says; what is wrong with it."""
    lines = [line for line in output.splitlines() if line.startswith("edn: error: ")]
    text = " ".join(output.split())[-500:]
    if len(lines) != 1 or "Traceback" in output or damage.path not in lines[0]:
        return [f"expected one line that names {damage.path}: {text}"]
    remedy = REMEDY.search(lines[0])
    if remedy is None:
        return [f"no command: {text}"]
    if remedy["command"] not in (None, remedy["other"] or damage.path):
        return [f"names the command for another file: {text}"]
    deleted = [path for path in (damage.path, remedy["other"]) if path]
    return remake(room, deleted, remedy["command"], jobs, damage.job)


def remake(
    room: Room, deleted: list[str], command: str | None, jobs: list[Job], reader: Job | None
) -> list[str]:
    """Delete the files; run the job behind `snakemake COMMAND`, then the one that reads.

    Without a COMMAND it is "the command again": Snakemake makes what is missing before it reads.
    """
    for path in deleted:
        (room.folder / path).unlink()
    wanted = {command} if command else set(deleted)
    makers = [job for job in jobs if wanted & set(job.outputs) and job is not reader]
    for job in [*makers, *([reader] if reader else [])]:
        again = run_job(room.folder, job)
        if again.status != 0:
            return [f"{job.name}, made anew: {' '.join(again.output.split())[-300:]}"]
    return []


def run_verify(room: Room, damage: Damage, jobs: list[Job], rng: random.Random) -> Outcome:
    """Damage a finished file that nobody reads, and ask for everything that is damaged."""
    damage.spoil(room.folder / damage.path, rng)
    command = [sys.executable, "-m", "edn_core.verify"]
    done = subprocess.run(command, cwd=room.folder, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("results")]
    wrong = []
    remedy = re.search(r"rm (\S+) && snakemake (\S+)$", lines[0]) if len(lines) == 1 else None
    if done.returncode != 1 or remedy is None or remedy[1] != damage.path:
        wrong.append(f"expected one line that names {damage.path}: {done.stdout} {done.stderr}")
    else:
        wrong += remake(room, [remedy[1]], remedy[2], jobs, None)
    wrong += room.wrong()
    if wrong:
        room.restore()
    message = lines[0] if lines else ""
    return Outcome(damage.kind, damage.job, True, message, wrong, f"made {damage.path}")


def plan(jobs: list[Job], rng: random.Random) -> Iterator[Damage]:
    """Every file that a job reads, flipped and cut; versions; what trainings keep."""
    made = sorted({path for job in jobs for path in job.outputs})
    for path in made:
        readers = [job for job in jobs if path in job.inputs]
        if not readers:
            if path.endswith(VERIFIED):
                maker = next(job for job in jobs if path in job.outputs)
                spoil = rng.choice((flip, cut))
                yield Damage(FINISHED, maker, path, spoil)
            continue
        for kind, spoil in (("a flipped bit", flip), ("an end cut off", cut)):
            yield Damage(kind, rng.choice(readers), path, spoil)
    for name in (
        "frames.zip",
        "keypoints.h5",
        "labels.zip",
        "statistics.json",
        "generator.safetensors",
    ):
        paths = [one for one in made if one.endswith(name)]
        if not paths:  # only some jobs were asked for
            continue
        path = rng.choice(paths)
        readers = [job for job in jobs if path in job.inputs]
        yield Damage("written by another release", rng.choice(readers), path, change_version)
    for job in jobs:
        if not job.is_training:
            continue
        state, metrics = f"{job.folder}/training_state.safetensors", f"{job.folder}/metrics.jsonl"
        for kind, spoil in (
            ("a flipped bit", flip),
            ("an end cut off", cut),
            ("written by another release", take_away),
        ):
            yield Damage(kind, job, state, spoil, die_at=rng.randrange(20, 45))
        yield Damage("a torn metrics.jsonl", job, metrics, tear, die_at=rng.randrange(20, 45))
        if "body" not in job.name:
            start = next(path for path in job.inputs if path.endswith("generator.safetensors"))
            beside = start.replace("generator.safetensors", "discriminator.safetensors")
            yield Damage("a flipped bit", job, beside, flip)


def runner(damage: Damage) -> Callable[[Room, Damage, list[Job], random.Random], Outcome]:
    """What finds a damage: the job that reads the file, or the command that looks at all."""
    return run_verify if damage.kind == FINISHED else run_damage
