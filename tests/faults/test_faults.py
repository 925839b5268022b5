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
    ("name", "kinds"),
    [
        ("cut_window demo_target", ("kill", "SIGTERM", "full", "read-only")),
        # Trainings killed and told to stop: test_training_interrupted.py.
        ("train_stage demo_target body", ("full", "read-only")),
    ],
)
def test_a_stage_disturbed_makes_the_same_bytes_when_it_runs_again(room, name, kinds):
    (job,) = [job for job in room.jobs if job.name == name]
    for kind, _, meet in faults_of(room, job, random.Random(SEED)):
        if not any(one in kind for one in kinds):
            continue
        outcome = meet()
        assert not outcome.wrong, f"{kind}: {outcome.wrong}"
        assert outcome.was_hit or kind != "read-only disk"


@pytest.mark.parametrize(
    ("path", "spoil"),  # every byte and every end of each format: test_flipped_bits.py
    [
        ("videos/demo_target/frames.zip", flip),
        ("videos/demo_target/masks.zip", cut),
        ("videos/demo_source/keypoints.h5", flip),
        ("videos/demo_target/statistics.json", cut),
        ("videos/demo_target/room.png", flip),
        ("models/demo_target/face/generator.safetensors", flip),
        ("transfer/demo_source_to_demo_target.mp4", cut),
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


def test_two_snakemakes_at_once_the_second_is_refused_and_nothing_is_lost(room):
    (job,) = [job for job in room.jobs if job.name == "train_stage demo_target temporal"]
    outcome = disturb_snakemake(room, job, "Snakemake: two at once", random.Random(SEED))
    assert not outcome.wrong
