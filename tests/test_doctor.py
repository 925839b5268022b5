"""The doctor: finds what is broken, is stopped by nothing, and gives nobody away."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edn_core.doctor import NEEDED, Check, check_gpu, check_machine, check_project, examine

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def doctor(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """The command, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "edn_core.doctor"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The folder that a project of a configuration only lies in, and this test."""
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config/config.yaml", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(check, *configfiles: Path) -> dict[str, Check]:
    """What a check finds, by what was looked at."""
    return {one.name: one for one in examine([check], configfiles)}


def test_this_machine_is_well_enough_to_run_these_tests():
    done = doctor(ROOT, SECRET_TOKEN="hunter2", OMP_NUM_THREADS="3", TMPDIR=f"{Path.home()}/tmp")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("# edn doctor: 0 FAIL, ")
    for name in ("packages", "torch", "cores", "memory", "FFmpeg", "codecs", "pose_detection"):
        assert f": {name}: " in done.stdout
    assert "OMP_NUM_THREADS=3" in done.stdout
    assert "TMPDIR=~/tmp" in done.stdout
    assert "hunter2" not in done.stdout


def test_with_packages_broken_it_says_so_and_all_the_rest(tmp_path):
    (tmp_path / "broken").mkdir()
    for name in ("torch", "cv2", "psutil", "yaml"):
        (tmp_path / "broken" / f"{name}.py").write_text("raise ImportError('libcudart is gone')\n")
    done = doctor(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path / "broken"), str(ROOT)]))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name in ("torch", "cv2", "yaml"):
        assert f"- FAIL: import: {name}: ImportError: libcudart is gone" in done.stdout
    assert "- FAIL: machine: ImportError: libcudart is gone -> mend that first" in done.stdout
    assert "- ok: codecs: libx264, h264" in done.stdout


def test_a_check_that_fails_itself_stops_no_other():
    def check_the_broken(configfiles):
        raise ZeroDivisionError("by\nzero")

    def check_the_next(configfiles):
        yield Check("next", "here")

    broken, following = examine([check_the_broken, check_the_next], [])
    assert (broken.state, broken.found) == ("FAIL", "ZeroDivisionError: by zero")
    assert (following.state, following.found) == ("ok", "here")


def test_it_looks_for_the_packages_that_the_project_needs():
    assert {Requirement(line).name for line in PROJECT["dependencies"]} == set(NEEDED)


def test_a_wrong_setting_is_named(project):
    mine = project / "mine.yaml"
    mine.write_text("training: {body: {learning_rat: 1}}")
    assert "learning_rate" in found(check_project, mine)["project"].found
    assert found(check_project)["configuration"].found == (
        "preset auto, backend mediapipe, transfers: none"
    )


def test_videos_and_folders_that_snakemake_cannot_use_are_named(project, monkeypatch):
    (project / "videos").mkdir()
    (project / "videos" / "me too.mp4").touch()
    assert "rename it, to 'me_too'" in found(check_project)["video passed over"].advice
    (project / "a{b").mkdir()
    (project / "config").rename(project / "a{b" / "config")
    monkeypatch.chdir(project / "a{b")
    assert "a{b: Snakemake cannot work" in found(check_project)["project"].found


@pytest.mark.parametrize(
    ("expected", "state"), [("AB01", "FAIL"), (hashlib.sha256(b"weights").hexdigest()[:8], "ok")]
)
def test_weights_that_are_missing_or_others_are_named(project, expected, state):
    (project / "vgg.pth").write_bytes(b"weights")
    mine = project / "mine.yaml"
    mine.write_text(f"training: {{vgg19: vgg.pth, vgg19_sha256: '{expected.upper()}'}}")
    checks = found(check_project, mine)
    assert checks["training.vgg19"].state == state
    assert checks["evaluation.alexnet"].found == "not set"
    assert checks["hand_recrop"].state == "warn"
    (project / "resources" / "models").mkdir(parents=True)
    (project / "resources" / "models" / "hand_recrop.tflite").write_text("not a network")
    assert found(check_project)["hand_recrop"].state == "FAIL"


def test_a_lock_left_behind_and_the_preset_that_was_kept_are_told(project, monkeypatch):
    (project / ".snakemake" / "locks").mkdir(parents=True)
    (project / ".snakemake" / "locks" / "0.input.lock").touch()
    assert "--unlock" in found(check_machine)["Snakemake's lock"].advice
    monkeypatch.setattr("edn_core.doctor._broken_imports", list)  # takes seconds
    (project / "results").mkdir()
    (project / "results" / "preset.yaml").write_text("preset: 24gb\nbecause: a card\n")
    assert found(check_gpu)["preset: auto"].found == "24gb (a card)"
