"""The benchmarks: each can be started, and computes what it says."""

import importlib
import json
from pathlib import Path

import pytest
import torch

import benchmarks
from benchmarks import gpu
from benchmarks.ablation_variants import VARIANTS, Figures, Workplace
from benchmarks.ablations import COLUMNS, gain, verdict
from benchmarks.tricks import Case, Tricks, Work, count, make
from edn_core.config import NetworkConfig

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "path", Path(benchmarks.__path__[0]).glob("[a-z]*.py"), ids=lambda p: p.stem
)
def test_a_benchmark_can_be_started(path):
    module = importlib.import_module(f"benchmarks.{path.stem}")
    assert module.__doc__


def test_the_gpu_benchmark_says_on_a_cpu_that_it_is_none(tmp_path, capsys):
    gpu.main(["--quick", "--device", "cpu", "--json", str(tmp_path / "gpu.json")])
    said = capsys.readouterr().out
    assert "not measured on CUDA" in said
    assert "1024x512: 50/s, 200/s, 600/s: not measured" in said
    results = json.loads((tmp_path / "gpu.json").read_text())
    training, pieces = results["pair 64x32"], results["synthesis 64x32, 2 pieces"]
    assert training["pairs_per_s"] == pytest.approx(1000 / training["ms"])
    assert training["ways"][0]["name"] == "plain"
    assert "fraction_of_floor" not in training  # this CPU's peaks are not known
    assert pieces["frames_per_s"] == pytest.approx(2 * 1000 / pieces["ms"])


def test_the_floor_is_the_slower_of_computing_and_moving_and_the_optimizer():
    assert gpu.floor_ms(Work(2 * 10**12, 10**12, 0), (1.0, 1.0)) == 2000
    assert gpu.floor_ms(Work(10**12, 3 * 10**12, 10**12), (1.0, 1.0)) == 4000
    assert gpu._peaks("NVIDIA H200", 500.0, None) == (500.0, 4.3)
    assert gpu._peaks("another card", 1.0, None) is None


def test_operations_are_counted_as_one_does_by_hand():
    network = NetworkConfig(generator_channels=2, downsamplings=1, residual_blocks=1)
    case = Case("one frame", (8, 8), network, is_training=False)
    # 64 px: 7 x 7 from 6 to 2 and from 2 to 4. 16 px: 3 x 3 from 2 to 4, two of 4 to 4, back to 2.
    by_hand = 2 * (64 * 49 * (6 * 2 + 2 * 4) + 16 * 9 * (2 * 4 + 2 * 4 * 4 + 4 * 2))
    assert count(case, CPU).flops == by_hand


def test_every_trick_alone_still_trains():
    case = Case("x", (32, 32), gpu._quick_cases()[0].network, is_training=True)
    for name in ("one_pass", "fused_adam", "average_at_once", "group_norm", "resident"):
        terms = make(case, Tricks().with_(name), CPU)()
        assert torch.isfinite(torch.stack(list(terms.values()))).all(), name


def figures(ssim_face: float, temporal_difference: float) -> Figures:
    columns = dict.fromkeys(COLUMNS, 0.5)
    columns |= {"ssim_face": ssim_face, "temporal_difference": temporal_difference}
    return Figures(columns, 10.0)


def test_only_an_ablation_beyond_the_spread_over_seeds_is_called_better_or_worse():
    baseline = [figures(0.50, 0.020), figures(0.51, 0.021)]
    assert gain([figures(0.75, 0.02)] * 2, baseline, "ssim_face") == pytest.approx((0.245, 0.01))
    assert verdict([figures(0.512, 0.0205)] * 2, baseline) == "within the spread"
    better = verdict([figures(0.605, 0.0305)] * 2, baseline)
    assert better == "face better by 0.1000; temporal difference worse by 0.0100"


def test_ablations_share_the_stages_in_which_they_agree(tmp_path):
    for name in ("frames.zip", "labels.zip", "keypoints.h5", "background.png"):
        (tmp_path / name).write_bytes(name.encode())
    place = Workplace(tmp_path, tmp_path / "cache")

    def folders(name: str, seed: int = 0) -> list[str]:
        return [path.parent.name for path in place._results(VARIANTS[name], seed)]

    assert folders("body") == folders("temporal")[:1] == folders("face")[:1]
    # What only the temporal stage reads leaves the body stage as it was.
    assert folders("unroll_3")[0] == folders("temporal")[0]
    assert folders("unroll_3")[1] != folders("temporal")[1]
    assert folders("body", seed=1) != folders("body") != folders("paint")[:1]
