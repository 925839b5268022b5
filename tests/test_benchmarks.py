"""The benchmarks: each can be started, and computes what it says."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny import N_FRAMES, NO_LEVELS, film, paint

import benchmarks
from benchmarks import gpu_real, speed
from edn_core.frames import FrameReader
from edn_core.normalize import write_statistics


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


@pytest.fixture
def stores(tiny_target, tmp_path):
    """The tiny target's folder as the workflow would leave it, and its room."""
    folder = Path(shutil.copytree(tiny_target.folder, tmp_path / "stores"))
    write_statistics(folder / "statistics.json", NO_LEVELS)
    cv2.imwrite(str(folder / "room.png"), np.full((64, 64, 3), 120, np.uint8))
    return folder


def test_a_clip_is_trained_and_measured_by_one_command_without_pyav(
    stores, tmp_path, capsys, monkeypatch
):
    for name in ("av", "snakemake", "edn_core.video"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("edn_core.evaluate.target.plot_rows", lambda *_: None)  # a second each
    given = [str(stores), "--out", str(tmp_path / "out"), "--device", "cpu", "--quick"]
    gpu_real.main([*given, "--against", "paint"])
    found = json.loads((tmp_path / "out" / "gpu_real.json").read_text())
    for way in ("room", "paint"):
        rows = found[f"stages, {way}"]
        steps = {row["stage"]: row["steps"] for row in rows}
        assert steps == dict.fromkeys(("body", "temporal", "face"), 2)
        parts = ("setup", "pace", "step", "validation", "saving")
        for row in rows:
            assert sum(row[part] for part in parts) == pytest.approx(row["wall"])
        assert found["methods"][f"{way}: face"]["ssim_person"] > 0
        assert found[f"synthesis, {way}"][1] > 0
    assert found["methods"]["(true frames)"]["flow_warping"] >= 0
    assert sum(found["profile"]["shares"].values()) >= 1
    printed = capsys.readouterr().out
    assert "| stages, room | steps |" in printed and "| ms a step | kernel |" in printed
    assert (tmp_path / "out" / "sheet.jpg").stat().st_size < 2**20


def test_the_true_frames_are_packed_where_pyav_is(stores, tiny_target):
    images = [paint(tiny_target.dancer, frame) for frame in range(N_FRAMES)]
    gpu_real.main([str(stores), "--pack", str(film(stores / "tiny.mkv", images))])
    packed = FrameReader(stores / "truth.zip")
    assert len(packed) == N_FRAMES
    assert np.abs(packed[3].astype(int) - images[3]).mean() < 3


def test_a_folder_that_lacks_a_store_is_refused_with_the_command_that_makes_it(stores):
    (stores / "labels.zip").unlink()
    with pytest.raises(ValueError, match="no labels.zip there; make the folder with `snakemake"):
        gpu_real.main([str(stores), "--out", "unused"])
