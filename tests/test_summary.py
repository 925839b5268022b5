"""What `make demo` prints at its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edn_core.artefact import write_json
from edn_core.metrics import COLUMNS
from edn_core.summary import summarize

REPOSITORY = Path(__file__).resolve().parents[1]


def write_metrics(results, stage, ssim):
    means = dict.fromkeys(COLUMNS, 0.5)
    content = {
        "stage": stage,
        "n_frames": 96,
        "methods": {
            "model": means | {"ssim": ssim},
            "nearest_pose": means | {"ssim": 0.8210},
            "mean_frame": means | {"ssim": 0.7509, "ssim_face": None},
        },
    }
    write_json(results / "evaluation" / "bob" / stage / "metrics.json", content)


@pytest.fixture
def results(tmp_path):
    """Results of a transfer from alice to bob; of the previews, only bob's is there."""
    folder = tmp_path / "results"
    for name in ("transfer/alice_to_bob.mp4", "videos/bob/preview.mp4"):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


def test_it_names_the_video_first_and_nothing_that_is_not_there(results):
    lines = summarize("alice", "bob", results).splitlines()
    assert lines[0].startswith(f"{results}/transfer/alice_to_bob.mp4 ")
    assert lines[0].endswith("bob dancing alice's dance, with its sound")
    assert lines[1].startswith(f"{results}/videos/bob/preview.mp4 ")
    assert lines[2] == ""


def test_stages_come_in_order_with_the_baselines_once_below_them(results):
    write_metrics(results, "face", 0.9)
    write_metrics(results, "body", 0.8758)
    lines = summarize("alice", "bob", results).splitlines()
    assert "bob on 96 frames held out of training" in lines[3]
    assert [line.split()[:2] for line in lines[-5:]] == [
        ["ssim", "psnr"],
        ["body", "0.8758"],
        ["face", "0.9000"],
        ["nearest_pose", "0.8210"],
        ["mean_frame", "0.7509"],
    ]
    assert lines[-1].split()[4] == "-"  # no face in the mean frame


def test_without_an_evaluation_it_names_the_command_that_makes_one(results):
    last = summarize("alice", "bob", results).splitlines()[-1]
    assert last.endswith(f"run `snakemake {results}/evaluation/bob/face/metrics.json`")


def test_without_the_video_one_line_names_the_command_that_makes_it(tmp_path):
    command = [sys.executable, "-m", "edn_core.summary", "alice", "bob"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "edn: error: results/transfer/alice_to_bob.mp4: not made yet; "
        "run `snakemake results/transfer/alice_to_bob.mp4`\n"
    )
