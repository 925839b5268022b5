"""Training by several processes: equal to one, stopped together, gone on from by another number."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from conftest import REPOSITORY
from team import steps_in_double, train_team, work

from edn_core.checkpoint import load_generator
from edn_core.logs import LOGGER
from edn_core.out_of_memory import OutOfMemory
from edn_core.shortage import ShortOfMemory
from edn_core.training import STAGES
from edn_core.training.guard import OutOfTime
from edn_core.training.launch import _first_failure
from edn_core.training.loop import StoppedEarly
from edn_core.training.parallel import ALONE, Team, _buckets, synchronize_batch_norm

TEAM = Path(__file__).parent / "team.py"
STATE = "training_state.safetensors"


@pytest.fixture(scope="module")
def both(tiny_target, tiny_starts, tmp_path_factory) -> dict[str, dict]:
    """What one process and each of two find in the same two steps of every stage."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("team")
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port = one.getsockname()[1]
    torch.multiprocessing.spawn(
        work, (2, port, tiny_target, tiny_starts, str(folder)), nprocs=2, join=True
    )
    found = {path.stem: torch.load(path) for path in folder.glob("*.pt")}
    refused = {path.stem: path.read_text() for path in folder.glob("refused-*.txt")}
    return found | refused | {"alone": steps_in_double(tiny_target, tiny_starts, ALONE)}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["term", "gradient", "state"])
def test_two_processes_do_in_double_precision_what_one_does_with_the_same_batch(both, stage, kind):
    names = [name for name in both["alone"] if name.startswith(f"{stage} {kind} ")]
    assert names
    for name in names:
        one, first, second = (both[who][name].double() for who in ("alone", "0", "1"))
        assert torch.equal(first, second), name  # or they would drift apart
        # Terms are averaged in float32; Adam divides by gradients, however small.
        near = {"term": 1e-6, "gradient": 1e-12, "state": 1e-8}[kind]
        assert (one - first).abs().max() <= near * max(1.0, one.abs().max()), name


def test_the_gradients_compared_are_not_all_nought_nor_those_of_half_the_batch(both):
    gradients = {key: value for key, value in both["alone"].items() if " gradient " in key}
    assert sum(value.abs().max() > 1e-4 for value in gradients.values()) > len(gradients) / 2


def test_a_flag_that_one_raises_is_seen_by_all(both):
    assert both["flags-0"] == both["flags-1"] == [True, False, True]


def test_processes_that_begin_differently_are_refused(both):
    for rank in (0, 1):
        assert "process 1 of 2 begins with another step than process 0" in both[f"refused-{rank}"]


def test_each_process_takes_its_part_of_a_batch():
    assert [Team(rank, 2).part([5, 3, 8, 1]) for rank in (0, 1)] == [[5, 3], [8, 1]]
    assert ALONE.part([5, 3]) == [5, 3]


@pytest.mark.parametrize(
    ("batch", "size", "fitting"), [(3, 2, "2 or 4"), (1, 2, "2"), (5, 4, "4 or 8")]
)
def test_a_batch_that_cannot_be_divided_is_refused_and_the_next_sizes_named(batch, size, fitting):
    with pytest.raises(ValueError, match=rf"body.batch_size is {batch} .* to {fitting}$"):
        Team(0, size).check_batch(batch, "training.body.batch_size")
    Team(0, size).check_batch(2 * size, "training.body.batch_size")


def test_hands_are_refused_with_several_processes_only():
    ALONE.check_hands(1.0)
    Team(0, 2).check_hands(0.0)
    with pytest.raises(ValueError, match=r"training.hand_crops is 0.5.* 2 processes"):
        Team(0, 2).check_hands(0.5)


def test_buckets_hold_neighbours_of_one_type_and_every_gradient_once(monkeypatch):
    monkeypatch.setattr("edn_core.training.parallel.BUCKET_BYTES", 32)
    sizes = [(4, torch.float32), (4, torch.float32), (1, torch.float32), (2, torch.float64)]
    gradients = [torch.full((n,), float(i), dtype=kind) for i, (n, kind) in enumerate(sizes)]
    found = [[int(one[0]) for one in bucket] for bucket in _buckets(gradients)]
    assert found == [[0, 1], [2], [3]]


@pytest.mark.parametrize("kind", [OutOfTime, StoppedEarly, OutOfMemory, ShortOfMemory])
def test_why_a_process_ended_is_not_lost_on_the_way(tmp_path, kind):
    told = {
        "kind": kind.__name__,
        "text": "x",
        "is_message": True,
        "rank": 0,
        "time": 1,
        "trace": "",
    }
    (tmp_path / "failure-0.json").write_text(json.dumps(told))
    failure = _first_failure(tmp_path, RuntimeError("whatever the agent says"))
    assert (type(failure), str(failure)) == (kind, "x")


def test_one_process_keeps_its_batch_normalization():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(2))
    synchronize_batch_norm(network, ALONE)
    assert type(network[0]) is torch.nn.BatchNorm2d
    names = list(network.state_dict())
    synchronize_batch_norm(network, Team(0, 2))
    assert type(network[0]) is not torch.nn.BatchNorm2d
    assert list(network.state_dict()) == names


# Whole trainings, as the rule starts them


def weights_of(model: Path) -> dict[str, torch.Tensor]:
    trained = load_generator(model)
    return trained.weights | {f"face.{k}": v for k, v in (trained.face_weights or {}).items()}


def check_alike(one: Path, other: Path, near: float = 2e-4) -> None:
    """A step moves a weight by about 1e-3 here; float32 rounds halves of a batch differently.

    Biases are left out: normalization takes most of them away again, so that Adam follows the sign
    of what rounding left of a gradient of nought.
    """
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        if not name.endswith("bias"):
            assert (value - second[name]).abs().max() < near, name


def rows_of(model: Path) -> list[dict]:
    return [json.loads(row) for row in (model.parent / "metrics.jsonl").read_text().splitlines()]


def test_a_training_by_two_ends_in_the_weights_of_a_training_by_one(
    tiny_target, tiny_body, tmp_path
):
    one, other = (
        train_team(
            tiny_target, tmp_path / str(n) / "generator.safetensors", tiny_body, "face", 4, 4, n
        )
        for n in (1, 2)
    )
    check_alike(one, other)
    names = [sorted(path.name for path in model.parent.iterdir()) for model in (one, other)]
    assert names[0] == names[1]
    assert len(rows_of(one)) == len(rows_of(other))
    for first, second in zip(rows_of(one), rows_of(other), strict=True):
        for name in set(first) - {"seconds_per_step"}:
            assert first[name] == pytest.approx(second[name], abs=2e-3), name


def test_a_batch_that_two_cannot_share_ends_in_one_line(tiny_target, tmp_path):
    with pytest.raises(ValueError, match=r"training.body.batch_size is 3 .* set .* to 2 or 4"):
        train_team(tiny_target, tmp_path / "generator.safetensors", None, "body", 4, 3, 2)


# Stopped, killed, gone on from


def start(target, model: Path, steps: int, processes: int, stage="body", begin="-"):
    arguments = [target.folder, model, begin, stage, steps, 4, processes, model.parent / "log"]
    return subprocess.Popen(
        [sys.executable, str(TEAM), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_steps(model: Path, steps: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    path = model.parent / "metrics.jsonl"
    while not path.is_file() or len(path.read_text().splitlines()) < steps:
        assert time.monotonic() < end, "waited in vain"
        if process.poll() is not None:
            pytest.fail(f"ended too early: {process.stderr.read()}")
        time.sleep(0.02)


def errors(said: str) -> list[str]:
    assert "Traceback" not in said
    return [line for line in said.splitlines() if line.startswith("edn: error: ")]


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    return [
        one
        for one in psutil.Process(process.pid).children(recursive=True)
        if "edn_core.training.launch" in " ".join(one.cmdline())
    ]


def check_none_is_left(workers: list[psutil.Process], seconds: float = 30) -> None:
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=seconds)
    for one in alive:
        one.kill()
    assert not alive


@pytest.fixture(scope="module")
def straight(tiny_target, tmp_path_factory) -> Path:
    """Eight steps by one process."""
    model = tmp_path_factory.mktemp("straight") / "generator.safetensors"
    return train_team(tiny_target, model, None, "body", 8, 4, 1)


def test_told_to_stop_all_end_the_state_is_saved_and_one_process_goes_on_from_it(
    tiny_target, straight, tmp_path, log
):
    model = tmp_path / "generator.safetensors"
    process = start(tiny_target, model, 8, 2)
    wait_for_steps(model, 1, process)
    workers = workers_of(process)
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    (line,) = errors(said)
    assert re.search(r"stopped at step \d of 8: the training was told to stop \(SIGTERM\)", line)
    check_none_is_left(workers, seconds=1)
    assert not model.exists()
    step = torch.load(tmp_path / STATE, weights_only=True)["step"]
    assert 1 <= step < 8
    train_team(tiny_target, model, None, "body", 8, 4, 1)
    assert f"body: goes on from step {step}" in log()
    check_alike(straight, model)


def test_two_go_on_from_the_state_of_one(tiny_target, straight, tmp_path):
    model = tmp_path / "generator.safetensors"

    class StopAtOnce(logging.Handler):
        """Tells this process to stop once the training has begun."""

        def emit(self, record: logging.LogRecord) -> None:
            if "steps on" in record.getMessage():
                os.kill(os.getpid(), signal.SIGTERM)

    handler = StopAtOnce()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        with pytest.raises(StoppedEarly, match="stopped at step 3 of 8"):
            train_team(tiny_target, model, None, "body", 8, 4, 1)
    finally:
        LOGGER.removeHandler(handler)
    train_team(tiny_target, model, None, "body", 8, 4, 2, tmp_path / "log")
    assert "body: goes on from step 3" in (tmp_path / "log").read_text()
    check_alike(straight, model)
    assert not (tmp_path / STATE).exists()


def test_what_watches_over_them_killed_they_save_and_end_by_themselves(tiny_target, tmp_path):
    model = tmp_path / "generator.safetensors"
    process = start(tiny_target, model, 100_000, 2)
    wait_for_steps(model, 3, process)
    workers = workers_of(process)
    process.kill()
    process.wait()
    check_none_is_left(workers)
    process.stderr.close()
    # The first process tells, and may have it from the other.
    told = (tmp_path / "log").read_text()
    assert re.search("what started its processes has ended|the training was told to stop", told)
    assert (tmp_path / STATE).is_file()


def test_one_killed_ends_the_other_with_one_line(tiny_target, tmp_path):
    model = tmp_path / "generator.safetensors"
    process = start(tiny_target, model, 100_000, 2)
    wait_for_steps(model, 3, process)
    workers = workers_of(process)
    ranks = {int(one.environ()["RANK"]): one for one in workers}
    ranks[1].kill()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    (line,) = errors(said)
    assert "process 1 (SIGKILL) of the training was killed from outside" in line
    check_none_is_left(workers, seconds=1)
