"""Training by several processes: equal to one, stopped together, gone on from by another number."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY
from team import CPU, runtime_of, settings_of, steps_in_double, train_face, work
from tiny import FORKS

from edn_core.checkpoint import load_discriminator, load_generator
from edn_core.tensors import read_tensors
from edn_core.training import STAGES, own_log, train
from edn_core.training.distributed import ALONE, Team

TEAM = Path(__file__).parent / "team.py"


@pytest.fixture(scope="module")
def two(tiny_target, tiny_starts, tmp_path_factory) -> Path:
    """What two processes left."""
    folder = tmp_path_factory.mktemp("team")
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port = one.getsockname()[1]
    processes = [
        FORKS.Process(target=work, args=(rank, port, tiny_target, tiny_starts, folder))
        for rank in (0, 1)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join(300)
    assert [one.exitcode for one in processes] == [0, 0]
    return folder


def test_two_processes_do_in_double_precision_what_one_does_with_the_same_batch(
    two, tiny_target, tiny_starts
):
    torch.set_num_threads(1)
    alone = steps_in_double(tiny_target, tiny_starts, ALONE)
    (first, flags), (second, same_flags) = (torch.load(two / f"{rank}.pt") for rank in (0, 1))
    assert {name.split()[0] for name in alone} == set(STAGES)
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), name  # or they would drift apart
        # Terms are averaged in float32; Adam divides by gradients, however small.
        near = {"term": 1e-6, "gradient": 1e-12, "weights": 1e-8}[name.split()[1]]
        assert (value - first[name]).abs().max() <= near * max(1.0, value.abs().max()), name
    gradients = [value for name, value in alone.items() if " gradient " in name]
    assert sum(value.abs().max() > 1e-4 for value in gradients) > len(gradients) / 2
    # A flag that one raises is seen by all, and what the first measured counts for all.
    assert flags == same_flags == [True, False, True, 3.5]


def check_alike(one: Path, other: Path) -> None:
    """A step moves a weight by about 1e-3 here; float32 rounds halves of a batch differently.

    Biases are left out: normalization takes most of them away again, so that Adam follows the sign
    of what rounding left of a gradient of nought.
    """
    weights = []
    for model in (one, other):
        trained = load_generator(model)
        judge = load_discriminator(model.parent / "discriminator.safetensors")
        weights.append({**trained.weights, **(trained.face_weights or {}), **judge})
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        if name.endswith("weight"):
            assert (value - weights[1][name]).abs().max() < 2e-3, name


def test_a_training_by_two_ends_in_the_weights_and_metrics_of_a_training_by_one(
    two, tiny_target, tiny_starts, tmp_path
):
    model = tmp_path / "generator.safetensors"
    train_face(tiny_target, model, tiny_starts["face"])
    other = two / "two" / "generator.safetensors"
    check_alike(model, other)
    rows = [
        [json.loads(row) for row in (one.parent / "metrics.jsonl").read_text().splitlines()]
        for one in (model, other)
    ]
    for first, second in zip(*rows, strict=True):
        for name in set(first) - {"seconds_per_step", "memory/process_mb"}:
            assert first[name] == pytest.approx(second[name], abs=2e-3), name


def test_each_process_takes_its_part_of_a_batch_which_has_to_be_a_multiple():
    assert [Team(rank, 2).part([5, 3, 8, 1]) for rank in (0, 1)] == [[5, 3], [8, 1]]
    Team(0, 2).check_batch(4, "training.body.batch_size")
    with pytest.raises(ValueError, match=r"body.batch_size: is 3 .* expected a multiple of 2 "):
        Team(0, 2).check_batch(3, "training.body.batch_size")


def test_each_process_has_a_log_of_its_own(monkeypatch):
    assert own_log("logs/body.log") == Path("logs/body.log")
    monkeypatch.setenv("RANK", "1")
    assert own_log("logs/body.log") == Path("logs/body.1.log")


def test_torchrun_starts_the_same_script_told_to_stop_all_end_and_one_process_goes_on(
    tiny_target, tmp_path, log
):
    model, straight = (tmp_path / name / "generator.safetensors" for name in ("two", "one"))
    process = subprocess.Popen(
        [sys.executable, str(TEAM), *map(str, (tiny_target.folder, model, 8, 2))],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics, end = model.parent / "metrics.jsonl", time.monotonic() + 240
    while not metrics.is_file() or not metrics.read_text():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[1]
    assert process.returncode not in (0, None)
    assert re.search(r"stopped at step \d of 8: the training was told to stop \(SIGTERM\)", said)
    assert "Traceback" not in (model.parent / "log").read_text()
    about, _ = read_tensors(model.parent / "training_state.safetensors", ("edn-training-state", 1))
    for one in (model, straight):
        train(STAGES["body"], *settings_of(tiny_target, one, None, 8), runtime_of(1), CPU)
    assert f"body: goes on from step {about['step']}" in log()
    check_alike(model, straight)
