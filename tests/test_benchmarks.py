"""The benchmarks: each can be started, and computes what it says."""

import importlib
import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks import speed
from benchmarks.ablation_variants import INPUTS, VARIANTS, Figures, Workplace
from benchmarks.ablations import COLUMNS, gain, verdict


@pytest.mark.parametrize(
    "path", sorted(Path(benchmarks.__path__[0]).glob("[a-z]*.py")), ids=lambda p: p.stem
)
def test_a_benchmark_can_be_started(path):
    module = importlib.import_module(f"benchmarks.{path.stem}")
    assert module.__doc__


def test_the_benchmark_of_speed_measures_a_step_and_a_frame(tmp_path, capsys):
    speed.main(["--quick", "--device", "cpu", "--json", str(tmp_path / "speed.json")])
    assert "64x32, float32: training_ms" in capsys.readouterr().out
    found = json.loads((tmp_path / "speed.json").read_text())["64x32, float32"]
    assert set(found) == {"training_ms", "training_gflop", "synthesis_ms"}
    assert all(value > 0 for value in found.values())


def figures(ssim_face: float, flow_warping: float) -> Figures:
    columns = dict.fromkeys(COLUMNS, 0.5)
    columns |= {"ssim_face": ssim_face, "flow_warping": flow_warping}
    return Figures(columns, 10.0)


def test_only_an_ablation_beyond_the_spread_over_seeds_is_called_better_or_worse():
    baseline = [figures(0.50, 0.020), figures(0.51, 0.021)]
    assert gain([figures(0.75, 0.02)] * 2, baseline, "ssim_face") == pytest.approx((0.245, 0.01))
    assert verdict([figures(0.512, 0.0205)] * 2, baseline) == "within the spread"
    better = verdict([figures(0.605, 0.0305)] * 2, baseline)
    assert better == "face better by 0.1000; flow warping worse by 0.0100"


def test_ablations_share_the_stages_in_which_they_agree(tmp_path):
    for name in INPUTS:
        (tmp_path / name).write_bytes(name.encode())
    place = Workplace(tmp_path, tmp_path / "cache")

    def folders(name: str, seed: int = 0) -> list[str]:
        return [folder.name for folder in place._folders(VARIANTS[name], seed)]

    assert folders("body") == folders("temporal")[:1] == folders("face")[:1]
    assert folders("body", seed=1) != folders("body") != folders("person")[:1]
