"""docs/pose.md, followed literally: one file and one line."""

import re
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from checkout import ENVIRONMENT, REPOSITORY, make_checkout, snakemake

from edn_core.keypoints import read_keypoints
from edn_core.video import encode

pytestmark = pytest.mark.workflow
PAGE = (REPOSITORY / "docs/pose.md").read_text().partition("## Adding a backend")[2]


def blocks(language: str) -> list[str]:
    """The page's code in a language, in order, without its indentation."""
    return [
        textwrap.dedent(block)
        for block in re.findall(rf"^ *```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkout with the page's file and line, its setting, and a video of a bright spot."""
    folder = make_checkout(tmp_path_factory.mktemp("toy"))
    module, line, _ = blocks("python")
    (folder / "edn_core/pose/brightest.py").write_text(module)
    registry = folder / "edn_core/pose/__init__.py"
    begin = re.search(r"^BACKENDS.*\n", registry.read_text(), re.MULTILINE)
    assert begin
    assert len(line.splitlines()) == 1
    registry.write_text(registry.read_text().replace(begin[0], f"{begin[0]}    {line}"))
    (setting,) = blocks("yaml")
    (folder / "config/config.yaml").write_text(f"preset: cpu\n{setting}")
    frames = []
    for x in range(20, 40, 2):
        frames.append(np.full((64, 96, 3), 40, np.uint8))
        frames[-1][20:41, x : x + 21] = 255
    encode(folder / "videos/bob.mp4", frames, Fraction(25))
    return folder


def test_the_toy_follows_the_bright_spot_through_the_workflow(folder):
    ran = snakemake(folder, "results/videos/bob/preview.mp4")
    assert ran.status == 0, ran.output
    keypoints = read_keypoints(folder / "results/videos/bob/keypoints.raw.h5")
    assert keypoints.backend == "brightest"
    np.testing.assert_allclose(np.diff(keypoints.point("nose")[:, 0]), 2, atol=1.5)


def test_the_pages_test_passes(folder):
    *_, test = blocks("python")
    head = (
        "import numpy as np\n"
        "from edn_core.config import PoseConfig\n"
        "from edn_core.pose import BACKENDS\n"
    )
    (folder / "test_brightest.py").write_text(head + test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_brightest.py"],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
