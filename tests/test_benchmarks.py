"""The benchmarks: each can be started, and computes what it says."""

import importlib
import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks import speed


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
