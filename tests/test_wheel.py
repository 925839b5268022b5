"""What `pip install .` gives: the whole library with its data files, away from the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edn_core

ROOT = Path(__file__).resolve().parents[1]
BUILD = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
WRITE_A_REPORT = """
import sys
import edn_core
from edn_core.report import write_report
assert edn_core.__file__.startswith(sys.argv[1]), edn_core.__file__
settings = {"preset": "cpu", "report": {"max_video_mb": 1.0}}
write_report(sys.argv[2], [("dance", "me")], settings, sys.argv[2] + "/report.html")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of the library, built from a copy without the network."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy2(ROOT / name, copy)
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "edn_core", copy / "edn_core", ignore=hidden)
    (copy / "dist").mkdir()
    subprocess.run([sys.executable, "-c", BUILD], cwd=copy, check=True, capture_output=True)
    (path,) = (copy / "dist").glob("*.whl")
    return path


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
    assert {name.split("/")[0] for name in names} == {"edn_core", folder}


def test_the_library_of_the_wheel_finds_its_templates_and_its_style(wheel, tmp_path):
    installed, results = tmp_path / "installed", tmp_path / "results"
    zipfile.ZipFile(wheel).extractall(installed)
    results.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", WRITE_A_REPORT, installed, results],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    page = (results / "report.html").read_text()
    assert (ROOT / "edn_core/report/style.css").read_text().strip()[:40] in page
