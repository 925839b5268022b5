"""TensorBoard's curves of every training, read back with TensorBoard's own reader."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from board import curves, steps
from tensorboard.summary.writer import event_file_writer
from tiny import STAGE, train_tiny

from edn_core.config import RuntimeConfig
from edn_core.training.records import Records

EVERY_STEP = RuntimeConfig(device="cpu", log_every_s=0)
ALWAYS = {"learning_rate", "seconds_per_step", "memory/process_mb"}


@pytest.fixture(autouse=True)
def first_files_of_the_process(monkeypatch):
    """TensorBoard reads files of one second by a process's own count: its 10th before its 9th."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))


def write(folder: Path, first: int, last: int, is_new: bool = False) -> Records:
    """A training of some steps, whose loss is its step."""
    records = Records(folder, first - 1, is_new)
    for step in range(first, last + 1):
        records.note(step, {"loss": float(step)}, {})
    return records


def test_a_training_draws_its_losses_rate_speed_memory_and_gradients(
    tiny_target, tiny_body, tmp_path
):
    config = replace(STAGE, steps=2, validations=1)
    train_tiny(
        tiny_target, tmp_path / "generator.safetensors", "face", tiny_body, config, EVERY_STEP
    )
    found = curves(tmp_path / "tensorboard")
    norms = {f"gradient_norm/face_{side}" for side in ("generator", "discriminator")}
    assert set(found) >= ALWAYS | norms | {"G/gan", "D/real"}
    for name in ALWAYS | norms:
        assert list(dict(found[name])) == [1, 2]
        assert all(math.isfinite(value) and value > 0 for _, value in found[name])
    assert found["memory/process_mb"][0][1] > 50


def test_a_training_that_goes_on_has_each_step_once(tmp_path):
    write(tmp_path, 1, 9)  # killed at 9, its last resume point at 6
    write(tmp_path, 7, 12).close()
    found = curves(tmp_path / "tensorboard")["loss"]
    assert found == [(step, float(step)) for step in range(1, 13)]


def test_a_kill_in_the_middle_of_a_point_loses_that_point_only(tmp_path):
    write(tmp_path, 1, 5)
    (events,) = (tmp_path / "tensorboard").iterdir()
    events.write_bytes(events.read_bytes()[:-7])
    write(tmp_path, 6, 7).close()
    assert steps(tmp_path / "tensorboard", "loss") == [1, 2, 3, 4, 6, 7]


def test_a_training_that_begins_anew_leaves_no_curve_of_the_old_one(tmp_path):
    write(tmp_path, 1, 9).close()
    write(tmp_path, 1, 2, is_new=True).close()
    assert steps(tmp_path / "tensorboard", "loss") == [1, 2]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
