"""A part of the fault matrix (`make faults`): stages are disturbed, and nothing is lost."""

import random
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import damage
import pytest
from children import warm_up
from disturb import disturb
from jobs import Job, find_jobs
from plans import faults_of, measure
from room import Room

pytestmark = pytest.mark.workflow

SEED = 11


@pytest.fixture(scope="module")
def room(finished_demo, tmp_path_factory) -> Iterator[Room]:
    """A copy of the finished demo, on a disk of its own where that can be."""
    warm_up()
    room = Room(finished_demo, tmp_path_factory.mktemp("faults") / "room")
    yield room
    room.close()


@pytest.fixture(scope="module")
def jobs(finished_demo: Path) -> dict[str, Job]:
    """The demo's jobs by name."""
    return {job.name: job for job in find_jobs(finished_demo)}


@pytest.mark.parametrize(
    "name", ["extract_frames demo_source", "smooth_pose demo_source", "measure_video demo_target"]
)
def test_a_stage_disturbed_in_any_way_makes_the_same_bytes_when_it_runs_again(room, jobs, name):
    extent = measure(room, jobs[name])
    for fault in faults_of(room, jobs[name], extent, random.Random(SEED), 1):
        outcome = disturb(room, fault)
        assert not outcome.wrong, f"{fault.kind}, {fault.detail}: {outcome.wrong}"
        # A random time may come too late; a call, a byte and a read-only disk may not.
        if "call" in fault.kind or "write" in fault.kind or fault.kind == "read-only disk":
            assert outcome.was_hit, f"{fault.kind}, {fault.detail}"


def test_a_training_disturbed_goes_on_to_the_same_bytes(room, jobs):
    job = jobs["train_stage demo_target body"]
    faults = faults_of(room, job, measure(room, job), random.Random(SEED), 1)
    by_kind = {kind: list(ones) for kind, ones in groupby(faults, lambda one: one.kind)}
    for kind in ("kill -9 before a file call", "disk full", "loader worker dies", "NaN in a batch"):
        for fault in by_kind.get(kind, [])[:1]:
            outcome = disturb(room, fault)
            assert not outcome.wrong, f"{fault.kind}, {fault.detail}: {outcome.wrong}"
            # A worker may have ended before it is killed; a batch of six is always met.
            assert outcome.was_hit or kind in ("disk full", "loader worker dies"), fault.detail


@pytest.mark.parametrize("how", [damage.flip, damage.cut])
@pytest.mark.parametrize("file", ["keypoints.h5", "statistics.json"])
def test_a_damaged_file_is_named_and_made_anew_by_the_command_that_is_printed(
    room, jobs, file, how
):
    path = f"results/videos/demo_source/{file}"
    reader = jobs["normalize_pose demo_source demo_target"]
    one = damage.Damage("damage", reader, path, how)
    outcome = damage.run_damage(room, one, list(jobs.values()), random.Random(SEED))
    assert not outcome.wrong
    assert outcome.was_hit
    assert path in outcome.message


def test_a_damaged_discriminator_is_made_anew_with_its_generator(room, jobs):
    reader = jobs["train_stage demo_target temporal"]
    path = "results/models/demo_target/body/discriminator.safetensors"
    one = damage.Damage("damage", reader, path, damage.flip)
    outcome = damage.run_damage(room, one, list(jobs.values()), random.Random(SEED))
    assert not outcome.wrong
    assert "to train both anew" in outcome.message


def test_a_state_of_another_release_is_named_and_the_stage_begins_anew(room, jobs):
    job = jobs["train_stage demo_target body"]
    path = f"{job.folder}/training_state.safetensors"
    # Killed before its last calls, it leaves the state of its last step.
    calls = measure(room, job).calls
    one = damage.Damage("damage", job, path, damage.take_away, die_at=calls - 1)
    outcome = damage.run_damage(room, one, list(jobs.values()), random.Random(SEED))
    assert not outcome.wrong
    assert "another release's state" in outcome.message
