"""What `pip install .` gives: the whole library with its data files, away from the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import edn_core
from edn_core.keypoints import write_keypoints
from edn_core.video import encode

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "edn_core")
HIDDEN = shutil.ignore_patterns("__pycache__")

IMPORT_EVERYTHING = """
import importlib, pathlib, pkgutil, sys
import edn_core
installed = pathlib.Path(sys.argv[1])
names = [one.name for one in pkgutil.walk_packages(edn_core.__path__, "edn_core.")]
for name in names:
    module = importlib.import_module(name)
    assert installed in pathlib.Path(module.__file__).parents, module.__file__
print(len(names))
"""
READ_AND_DRAW = """
import sys
from edn_core.keypoints import read_keypoints
from edn_core.render import LABEL_STYLES
from edn_core.skeleton import BODY_25
keypoints = read_keypoints(sys.argv[1])
label = LABEL_STYLES["edn"].draw(keypoints.person(0), BODY_25, (400, 200), 1.0)
print(label.shape, label.any())
"""
WRITE_A_REPORT = """
import sys
from edn_core.report import write_report
settings = {"preset": "cpu", "report": {"max_video_mb": 1.0}}
write_report(sys.argv[1], [("dance", "me")], settings, sys.argv[1] + "/report.html")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of the library, built from a copy without the network."""
    copy = tmp_path_factory.mktemp("copy")
    for name in PACKAGED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=HIDDEN)
        else:
            shutil.copy2(ROOT / name, copy)
    pip("wheel", "--no-build-isolation", "--wheel-dir", copy / "dist", copy)
    (path,) = (copy / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder the wheel was installed into."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--target", folder, wheel)
    return folder


def pip(command: str, *arguments: str | Path) -> None:
    """Run pip on what is here: nothing is fetched."""
    alone = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", command, *alone, *map(str, arguments)], check=True)


def python(installed: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python where it sees the installed library and not the repository."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_every_file_of_the_library_and_the_licences(wheel):
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "edn_core").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if name.startswith("edn_core/")} == there
    folder = f"edn-{edn_core.__version__}.dist-info"
    assert {f"{folder}/licenses/LICENSE", f"{folder}/licenses/NOTICE"} <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"edn_core", folder}


def test_every_module_imports_from_where_it_was_installed(installed):
    ran = python(installed, "-c", IMPORT_EVERYTHING, installed)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) == len(list((ROOT / "edn_core").rglob("*.py"))) - 1


def test_keypoints_are_read_and_drawn(installed, standing_dancer, tmp_path):
    write_keypoints(tmp_path / "keypoints.h5", standing_dancer)
    ran = python(installed, "-c", READ_AND_DRAW, tmp_path / "keypoints.h5")
    assert ran.stdout == "(400, 200, 3) True\n", ran.stderr


def test_a_command_answers(installed, tmp_path):
    encode(tmp_path / "video.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5, Fraction(25))
    ran = python(installed, "-m", "edn_core.provenance", tmp_path / "video.mp4")
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.startswith("no mark: ")


def test_the_report_finds_its_templates_and_its_style(installed, tmp_path):
    ran = python(installed, "-c", WRITE_A_REPORT, tmp_path)
    assert ran.returncode == 0, ran.stderr
    page = (tmp_path / "report.html").read_text()
    assert (ROOT / "edn_core/report/style.css").read_text().strip()[:40] in page
