"""The doctor: finds what is broken, is stopped by nothing, and gives nobody away."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edn_core.doctor import CHECKS, Check, examine, worst
from edn_core.doctor.check import Place
from edn_core.doctor.disk import check_leftovers, check_locks_work, check_renaming, check_room
from edn_core.doctor.machine import check_codecs, check_preset
from edn_core.doctor.project import PROJECT_CHECKS, check_configuration, check_weights, check_work
from edn_core.doctor.software import NEEDED

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def by_name(checks) -> dict[str, Check]:
    """Checks by what was looked at."""
    return {check.name: check for check in checks}


def doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """The command, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "edn_core.doctor", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path) -> Place:
    """A project of a configuration only."""
    for name in ("config/config.yaml", "workflow/schemas/config.schema.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return Place(tmp_path)


def test_this_machine_is_well_enough_to_run_these_tests(tmp_path):
    done = doctor(ROOT, "--json", SECRET_TOKEN="hunter2", OMP_NUM_THREADS="3")
    content = json.loads(done.stdout)
    failed = [one for some in content["checks"].values() for one in some if one["state"] == "FAIL"]
    assert not failed
    assert done.returncode == 0
    assert set(content["checks"]) == set(CHECKS) == {"Software", "Machine", "Disk", "Project"}
    named = {one["name"] for some in content["checks"].values() for one in some}
    assert {"torch", "processor", "encoders", "write speed", "file locks", "pose networks"} <= named
    (environment,) = [one for one in content["checks"]["Software"] if one["name"] == "environment"]
    assert "OMP_NUM_THREADS=3" in environment["found"]
    assert "hunter2" not in done.stdout


def test_with_torch_broken_it_says_so_and_all_the_rest(tmp_path):
    (tmp_path / "broken").mkdir()
    for name in ("torch", "cv2", "psutil", "yaml"):
        (tmp_path / "broken" / f"{name}.py").write_text("raise ImportError('libcudart is gone')\n")
    paths = os.pathsep.join([str(tmp_path / "broken"), str(ROOT)])
    done = doctor(tmp_path, PYTHONPATH=paths)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("# edn doctor: ")
    for expected in (
        "- FAIL: import torch: ImportError: libcudart is gone",
        "- FAIL: import cv2: ImportError: libcudart is gone",
        "- FAIL: import psutil: ImportError: libcudart is gone",
        "- ok: file locks: flock keeps a second one out",
        "- ok: encoders: libx264, aac",
    ):
        assert any(line.startswith(expected) for line in lines), done.stdout
    assert all(len(line) <= 100 or " " not in line.strip("- ") for line in lines)  # but one word
    assert str(Path.home()) not in done.stdout or str(Path.home()) == "/"


def test_a_check_that_fails_itself_stops_no_other(tmp_path):
    def check_the_broken(place):
        raise ZeroDivisionError("by\nzero")

    def check_the_next(place):
        yield Check("next", "ok", "here")

    found = examine({"All": (check_the_broken, check_the_next)}, Place(tmp_path))
    broken, following = found["All"]
    assert (broken.name, broken.state) == ("the broken", "FAIL")
    assert "ZeroDivisionError: by zero" in broken.found
    assert following.found == "here"
    assert worst(found) == "FAIL"
    assert worst({"All": [following]}) == "ok"
    assert worst({"All": [following, Check("x", "warn", "y")]}) == "warn"


def test_it_looks_for_the_packages_that_the_project_needs():
    assert {Requirement(line).name for line in PROJECT["dependencies"]} == set(NEEDED)


def test_only_variables_on_the_list_are_shown_and_homes_are_hidden(monkeypatch, tmp_path):
    done = doctor(tmp_path, AWS_SECRET_ACCESS_KEY="abc", TMPDIR=f"{Path.home()}/tmp-of-mine")
    assert "abc" not in done.stdout
    assert "TMPDIR=~/tmp-of-mine" in done.stdout


def test_a_wrong_setting_is_named(project):
    path = project.folder / "mine.yaml"
    path.write_text("training: {body: {learning_rat: 1}}")
    (check,) = check_configuration(Place(project.folder, (path,)))
    assert check.state == "FAIL"
    assert "learning_rate" in check.found
    path.write_text("a: [")
    (check,) = check_configuration(Place(project.folder, (path,)))
    assert (check.state, check.found.startswith(f"{path}: not readable as YAML")) == ("FAIL", True)
    (check,) = check_configuration(project)
    assert (check.state, check.found) == ("ok", "preset auto, backend mediapipe, 0 transfers")


def test_weights_that_are_missing_or_others_are_named(project):
    assert by_name(check_weights(project))["pose networks"].state == "warn"
    folder = project.folder / "resources" / "models"
    folder.mkdir(parents=True)
    (folder / "hand_recrop.tflite").write_text("not a network")
    check = by_name(check_weights(project))["pose networks"]
    assert (check.state, check.found) == ("FAIL", "not the released files: hand_recrop")


def test_outside_a_project_it_says_where_to_go(tmp_path):
    (check,) = check_configuration(Place(tmp_path))
    assert check.state == "FAIL"
    assert check.advice == "go to the project's folder, the one with config/config.yaml"
    (check,) = check_weights(Place(tmp_path))
    assert (check.state, check.advice) == ("warn", "mend that first")


def test_a_weight_file_that_is_named_and_not_there_is_a_failure(project):
    path = project.folder / "mine.yaml"
    path.write_text("training: {vgg19: nowhere.pth}")
    checks = by_name(check_weights(Place(project.folder, (path,))))
    assert checks["training.vgg19"].state == "FAIL"
    assert checks["evaluation.alexnet"].found == "not set"


def test_a_right_weight_file_is_known_by_the_beginning_of_its_digest(project):
    (project.folder / "vgg.pth").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    path = project.folder / "mine.yaml"
    for expected, state in ((digest[:8].upper(), "ok"), (digest, "ok"), ("0" * 8, "FAIL")):
        path.write_text(f"training: {{vgg19: vgg.pth, vgg19_sha256: '{expected}'}}")
        checks = by_name(check_weights(Place(project.folder, (path,))))
        assert checks["training.vgg19"].state == state


@pytest.mark.parametrize("content", ["- a", "just text", "x: " + "[" * 5000, "when: 2026-02-32"])
def test_what_is_no_configuration_is_named_and_nothing_to_report(project, content):
    path = project.folder / "mine.yaml"
    path.write_text(content)
    place = Place(project.folder, (path,))
    for check in examine({"All": PROJECT_CHECKS}, place)["All"]:
        assert "report this line" not in check.advice
    (check,) = check_configuration(place)
    assert (check.state, check.found.startswith(f"{path}: ")) == ("FAIL", True)


def test_an_error_of_the_system_is_told_as_what_it_is(project):
    def check_a_thing(place: Place) -> list[Check]:
        raise PermissionError(errno.EACCES, "Permission denied", "results")

    (check,) = examine({"All": (check_a_thing,)}, project)["All"]
    assert (check.state, check.found) == ("FAIL", "results: Permission denied")
    assert "report" not in check.advice


def test_the_disk_holds_locks_replaces_files_whole_and_is_left_clean(tmp_path):
    for check in (check_locks_work, check_renaming, check_room):
        assert all(one.state != "FAIL" for one in check(Place(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_old_half_written_files_are_counted(tmp_path):
    folder = tmp_path / "results" / "videos"
    folder.mkdir(parents=True)
    for name in (".frames.123.partial.h5", ".new.124.partial.h5"):
        (folder / name).write_bytes(bytes(2_000_000))
    os.utime(folder / ".frames.123.partial.h5", (0, 0))
    (check,) = check_leftovers(Place(tmp_path))
    assert (check.state, check.found) == ("warn", "1 older than an hour, 2 MB")


def test_a_lock_that_was_left_behind_is_found(project):
    assert by_name(check_work(project))["Snakemake's lock"].found == "free"
    locks = project.folder / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    check = by_name(check_work(project))["Snakemake's lock"]
    assert (check.state, check.found) == ("warn", "held")
    assert "--unlock" in check.advice


def test_the_preset_that_was_kept_is_told(project):
    path = project.folder / "results" / "preset.yaml"
    path.parent.mkdir()
    path.write_text("preset: 24gb\nbecause: torch finds a card\n")
    (check,) = check_preset(project)
    assert check.found.startswith("24gb, kept in results/preset.yaml (torch finds a card)")


def test_the_codecs_are_those_that_videos_need(tmp_path):
    checks = by_name(check_codecs(Place(tmp_path)))
    assert checks["encoders"].found.startswith("libx264, aac (libavcodec ")
    assert "vp9" in checks["decoders"].found
