"""The benchmarks of speed: they run anywhere, and compute what they say."""

import json
import subprocess
import sys

import pytest
import torch
from conftest import REPOSITORY

from benchmarks import gpu, saving_state
from benchmarks.tricks import Case, Tricks, Work, count, make, separate_losses
from edn_core.config import NetworkConfig
from edn_core.training.temporal import TEMPORAL

CPU = torch.device("cpu")
NOT_THERE = (
    "ai_edge_litert av jsonschema lpips matplotlib onnx onnxruntime PIL psutil scipy skimage "
    "snakemake tensorboard torchmetrics torchvision tqdm yaml"
).split()
"""What else the project or its tests use; torch, numpy, h5py and opencv are there."""


def test_the_gpu_benchmark_runs_where_there_is_little_besides_torch(tmp_path):
    program = "\n".join(
        [
            "import sys",
            "from importlib.machinery import ModuleSpec",
            "class Absent:",
            "    def find_spec(self, name, path=None, target=None):",
            f"        is_absent = name.partition('.')[0] in {NOT_THERE!r}",
            "        return ModuleSpec(name, self) if is_absent else None",
            "    def create_module(self, spec):",
            "        raise ImportError(f'{spec.name} is not installed on the GPU machine')",
            "    def exec_module(self, module):",
            "        pass",
            "sys.meta_path.insert(0, Absent())",
            "from benchmarks.gpu import main",
            f"main(['--quick', '--device', 'cpu', '--json', {str(tmp_path / 'gpu.json')!r}])",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "not measured on CUDA" in done.stdout
    assert "1024x512: 50/s, 200/s, 600/s: not measured" in done.stdout
    results = json.loads((tmp_path / "gpu.json").read_text())
    training = results["pair 64x32"]
    assert {"ms", "pairs_per_s", "peak_memory_bytes", "ratio", "flops", "ways"} <= set(training)
    assert training["pairs_per_s"] == pytest.approx(1000 / training["ms"])
    assert training["ways"][0]["name"] == "plain"
    assert "fraction_of_floor" not in training  # this CPU's peaks are not known
    pieces = results["synthesis 64x32, 2 pieces"]
    assert pieces["frames_per_s"] == pytest.approx(2 * 1000 / pieces["ms"])


def test_the_floor_is_the_slower_of_computing_and_moving_and_the_optimizer():
    assert gpu.floor_ms(Work(2 * 10**12, 10**12, 0), (1.0, 1.0)) == 2000
    assert gpu.floor_ms(Work(10**12, 3 * 10**12, 10**12), (1.0, 1.0)) == 4000
    assert gpu._peaks("NVIDIA H200", None, None) == (790.0, 4.3)
    assert gpu._peaks("NVIDIA H200", 500.0, None) == (500.0, 4.3)
    assert gpu._peaks("another card", 1.0, None) is None


def test_operations_are_counted_as_one_does_by_hand():
    network = NetworkConfig(generator_channels=2, downsamplings=1, residual_blocks=1)
    case = Case("one frame", (8, 8), network, is_training=False)
    # 64 px: 7 x 7 from 6 to 2 and from 2 to 4. 16 px: 3 x 3 from 2 to 4, two of 4 to 4, back to 2.
    by_hand = 2 * (64 * 49 * (6 * 2 + 2 * 4) + 16 * 9 * (2 * 4 + 2 * 4 * 4 + 4 * 2))
    assert count(case, CPU).flops == by_hand
    assert count(case, CPU).adam_bytes == 0


def test_the_plain_ways_losses_are_the_stages_own(tiny_target, tiny_body):
    from tiny import batch_of, run_of

    run = run_of(tiny_target, "temporal", tiny_body)
    batch = batch_of(tiny_target, 3, 9)
    for ours, plain in zip(
        TEMPORAL.losses(run.networks, batch, run.weighting),
        separate_losses(run.networks, batch, run.weighting),
        strict=True,
    ):
        assert ours.keys() == plain.keys()
        for name, value in ours.items():
            torch.testing.assert_close(value, plain[name], rtol=1e-5, atol=0)


def test_every_trick_alone_still_trains_and_paints():
    network = gpu._quick_cases()[0].network
    for is_training in (True, False):
        case = Case("x", (32, 32), network, is_training=is_training, has_face=not is_training)
        names = ("one_pass", "fused_adam", "average_at_once", "group_norm")
        for name in (*names, "resident", "channels_last"):
            step = make(case, Tricks().with_(name), CPU)
            for _ in range(2):
                result = step()
            values = torch.stack(list(result.values())) if is_training else result
            assert torch.isfinite(values).all(), name


def test_a_gpu_that_is_not_there_is_said_in_a_line(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match="no CUDA device; try --quick --device cpu"):
        gpu.main(["--quick"])


def test_the_benchmark_of_saving_writes_what_a_training_writes(tmp_path, capsys, monkeypatch):
    state = saving_state.make_state("cpu")
    assert len(state["optimizers"]["generator"]["state"]) > 10
    monkeypatch.setattr(sys, "argv", ["x", "--preset", "cpu", "--folder", str(tmp_path)])
    saving_state.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("cpu: 0.0") and " GB in " in line for line in lines[:3])
    assert list(tmp_path.iterdir()) == []
