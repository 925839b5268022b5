"""Files that are not what was written: found, named, and made anew by the command that is printed."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import torch
from children import run_job
from disturb import Outcome
from injected import DieAtCall
from jobs import Job
from room import Room

REMEDY = re.compile(r"delete (?:it|the file) and run (?:`snakemake ([^`]+)`|the command again)")


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
    """Damage a file, run what reads it, do what its message says, compare with the undisturbed run."""
    room.empty(damage.job)
    if damage.die_at:
        run_job(room.folder, damage.job, DieAtCall(damage.die_at))
    file = room.folder / damage.path
    damage.spoil(file, rng)
    ended = run_job(room.folder, damage.job)
    wrong, message = [], ended.errors[-1] if ended.errors else ""
    if ended.status == 0:
        wrong += [one for one in room.wrong() if not one.startswith(f"{damage.path} ")]
        message = "none of it was read" if file.exists() else "mended"
        file.write_bytes((room.reference / damage.path).read_bytes()) if damage.path in room.expected else None
    else:
        wrong += follow(room, damage, jobs, ended.output)
    wrong += room.wrong()
    if wrong:
        room.restore()
    where = f"reads {damage.path}"
    return Outcome(damage.kind, damage.job, ended.status != 0 or damage.die_at > 0, message, wrong, where)


def follow(room: Room, damage: Damage, jobs: list[Job], output: str) -> list[str]:
    """Do exactly what the message says; what is wrong with it."""
    lines = [line for line in output.splitlines() if line.startswith("edn: error: ")]
    text = " ".join(output.split())[-500:]
    if len(lines) != 1 or "Traceback" in output or damage.path not in lines[0]:
        return [f"expected one line that names {damage.path}: {text}"]
    remedy = REMEDY.search(lines[0])
    if remedy is None:
        return [f"no command: {text}"]
    if remedy[1] not in (None, damage.path):
        return [f"names the command for another file: {text}"]
    (room.folder / damage.path).unlink()
    for job in [*[one for one in jobs if damage.path in one.outputs], damage.job]:
        again = run_job(room.folder, job)
        if again.status != 0:
            return [f"after `{remedy[0]}`: {' '.join(again.output.split())[-300:]}"]
    return []


def plan(jobs: list[Job], rng: random.Random) -> Iterator[Damage]:
    """Every file that a job reads, flipped and cut; versions; and what trainings keep for themselves."""
    made = sorted({path for job in jobs for path in job.outputs})
    for path in made:
        readers = [job for job in jobs if path in job.inputs]
        if not readers:
            continue
        for kind, spoil in (("a flipped bit", flip), ("an end cut off", cut)):
            yield Damage(kind, rng.choice(readers), path, spoil)
    for name in ("frames.h5", "keypoints.h5", "labels.h5", "statistics.json", "generator.pt"):
        path = rng.choice([one for one in made if one.endswith(name)])
        readers = [job for job in jobs if path in job.inputs]
        yield Damage("written by another release", rng.choice(readers), path, change_version)
    for job in jobs:
        if not job.is_training:
            continue
        state, metrics = f"{job.folder}/training_state.pt", f"{job.folder}/metrics.jsonl"
        for kind, spoil in (
            ("a flipped bit", flip),
            ("an end cut off", cut),
            ("written by another release", take_away),
        ):
            yield Damage(kind, job, state, spoil, die_at=rng.randrange(20, 45))
        yield Damage("a torn metrics.jsonl", job, metrics, tear, die_at=rng.randrange(20, 45))
        yield Damage("a flipped bit", job, metrics, flip, die_at=rng.randrange(20, 45))
        if "body" not in job.name:
            start = next(path for path in job.inputs if path.endswith("generator.pt"))
            beside = start.replace("generator.pt", "discriminator.pt")
            yield Damage("a flipped bit", job, beside, flip)


def faults(room: Room, jobs: list[Job], rng: random.Random) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Each with its kind."""
    for damage in plan(jobs, rng):
        yield damage.kind, partial(run_damage, room, damage, jobs, rng)
