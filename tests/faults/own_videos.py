"""A user's own video that is damaged: no sum tells, so a good copy has to be enough to mend all."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import h5py
import numpy as np
from damage import cut, flip
from disturb import Outcome
from jobs import SETTINGS, Job
from room import Room
from snakemakes import start

VIDEO = "videos/own.mp4"
STORE = "results/videos/own/frames.zip"
LIKE_IT = "results/videos/demo_source/frames.zip"
FOLDERS = ("videos", "results/videos/own", "logs/videos/own", "results/benchmarks/videos/own")


@dataclass(frozen=True)
class OwnVideo:
    """A damage of a user's video.

    Attributes:
        kind: its line of the table.
        job: that reads the demo's video, of which the user's is a copy.
        spoil: damages it, with random numbers.
        number: which of several.
    """

    kind: str
    job: Job
    spoil: Callable[[Path, random.Random], None]
    number: int


def plan(jobs: list[Job], count: int) -> Iterator[OwnVideo]:
    """So many of each kind."""
    job = next((one for one in jobs if LIKE_IT in one.outputs), None)
    if job is not None:
        for number in range(count):
            yield OwnVideo("Snakemake: own video, a flipped bit", job, flip, number)
            yield OwnVideo("Snakemake: own video, its end cut off", job, cut, number)


def copy_without_digest(source: Path, path: Path) -> None:
    """The same pictures as another program would have written them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        pictures = read.streams.video[0]
        stream = written.add_stream_from_template(pictures)
        for packet in read.demux(pictures):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)


def run_own_video(room: Room, damage: OwnVideo, rng: random.Random) -> Outcome:
    """Have a damaged video extracted, put a good copy in its place, and run the same command."""
    source, video, store = (
        room.folder / path for path in ("results/demo/demo_source.mp4", VIDEO, STORE)
    )
    copy_without_digest(source, video)
    damage.spoil(video, rng)
    status, output = start(room, *SETTINGS, "--", STORE).end()
    lines = [line for line in output.splitlines() if line.startswith("edn: error: ")]
    told = [line for line in output.splitlines() if line.startswith("edn: " + VIDEO)]
    wrong = []
    if status != 0 and (len(lines) != 1 or VIDEO not in lines[0] or "Traceback" in output):
        wrong.append(f"expected one line that names {VIDEO}: {' '.join(output.split())[-500:]}")
    if status != 0 and store.exists():
        wrong.append(f"{STORE} is there")
    copy_without_digest(source, video)
    status, output = start(room, *SETTINGS, "--", STORE).end()
    if status != 0:
        wrong.append(f"the same command failed: {' '.join(output.split())[-500:]}")
    elif not hold_the_same(store, room.folder / LIKE_IT):
        wrong.append(f"{STORE} differs from {LIKE_IT}")
    for folder in FOLDERS:
        shutil.rmtree(room.folder / folder, ignore_errors=True)
    wrong += room.wrong()
    if wrong:
        room.restore()
    message = " ".join(lines or told)[-300:] or "decoded like a good one"
    return Outcome(damage.kind, damage.job, True, message, wrong, f"number {damage.number}")


def hold_the_same(one: Path, other: Path) -> bool:
    """Whether two stores hold the same arrays; their attributes name different videos."""
    with h5py.File(one) as first, h5py.File(other) as second:
        names = set(first) | set(second)
        return set(first) == set(second) and all(
            # Images have different lengths: row by row.
            len(first[name]) == len(second[name])
            and all(map(np.array_equal, first[name][:], second[name][:]))
            for name in names
        )
