"""A slice of `make faults`: stages are disturbed and files damaged, and nothing is lost."""

import random
from collections.abc import Iterator

import pytest
from jobs import Room
from matrix import cut, damage, disturb_snakemake, faults_of, flip

pytestmark = pytest.mark.workflow

SEED = 11


@pytest.fixture(scope="module")
def room(finished_demo, tmp_path_factory) -> Iterator[Room]:
    """A copy of the finished demo, on a disk of its own where that can be."""
    room = Room(finished_demo, tmp_path_factory.mktemp("faults") / "room")
    yield room
    room.close()


@pytest.mark.parametrize(
    "name",
    ["cut_window demo_target", "smooth_pose demo_source", "train_stage demo_target body"],
)
def test_a_stage_disturbed_makes_the_same_bytes_when_it_runs_again(room, name):
    (job,) = [job for job in room.jobs if job.name == name]
    for kind, _, meet in faults_of(room, job, random.Random(SEED)):
        outcome = meet()
        assert not outcome.wrong, f"{kind}: {outcome.wrong}"
        assert outcome.was_hit or kind != "read-only disk"


@pytest.mark.parametrize("spoil", [flip, cut])
@pytest.mark.parametrize(
    "path",
    [
        "videos/demo_target/frames.zip",
        "videos/demo_target/masks.zip",
        "videos/demo_source/keypoints.h5",
        "videos/demo_target/statistics.json",
        "videos/demo_target/room.png",
        "models/demo_target/face/generator.safetensors",
        "transfer/demo_source_to_demo_target.mp4",
    ],
)
def test_a_damaged_file_is_named_and_made_anew_by_the_command_that_is_printed(room, path, spoil):
    outcome = damage(room, f"results/{path}", spoil, random.Random(SEED))
    assert not outcome.wrong


def test_a_damaged_discriminator_is_made_anew_with_its_generator(room):
    beside = room.folder / "results/models/demo_target/body/discriminator.safetensors"
    cut(beside, random.Random(SEED))
    (reader,) = [job for job in room.jobs if job.name == "train_stage demo_target temporal"]
    path = "results/models/demo_target/body/generator.safetensors"
    assert path in reader.inputs
    outcome = damage(room, path, lambda *_: None, random.Random(SEED))
    assert not outcome.wrong


@pytest.mark.parametrize("kind", ["Snakemake: kill -9 of both", "Snakemake: two at once"])
def test_a_snakemake_disturbed_goes_on_to_the_same_bytes(room, kind):
    (job,) = [job for job in room.jobs if job.name == "train_stage demo_target temporal"]
    assert not disturb_snakemake(room, job, kind, random.Random(SEED)).wrong
