"""What several test files share: a dancer of known numbers, and the pose networks.

The only file of this name: another, in a folder below, would be the one that `from conftest import`
finds in a process that a test starts.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

from edn_core.keypoints import Keypoints, from_people
from edn_core.logs import LOGGER
from edn_core.pose.models import fetch_models
from edn_core.skeleton import BODY_25

if TYPE_CHECKING:
    from tiny import TinyTarget

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in folders first (workflow, faults, zoo): the short ones end while processes wait.

    Of those that share the finished demo the first comes at once, the others last: no process shall
    wait for it while another makes it.
    """
    sharing = [item.path for item in items if "finished_demo" in getattr(item, "fixturenames", ())]

    def rank(item: pytest.Item) -> int:
        if item.path.parent == Path(__file__).parent:
            return 3
        return 1 if item.path not in sharing else 2 * (item.path != sharing[0])

    items.sort(key=rank)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m gpu` only files that have such a test: a GPU machine lacks what others import."""
    is_asked = config.getoption("-m") == "gpu" and collection_path.suffix == ".py"
    return True if is_asked and "@pytest.mark.gpu" not in collection_path.read_text() else None


# A person of 300 px seen from the front in a picture of 200 x 400: left is on the right.
STANDING = {
    "nose": (100, 70),
    "neck": (100, 100),
    "right_shoulder": (75, 100),
    "right_elbow": (65, 150),
    "right_wrist": (60, 195),
    "left_shoulder": (125, 100),
    "left_elbow": (135, 150),
    "left_wrist": (140, 195),
    "mid_hip": (100, 200),
    "right_hip": (85, 200),
    "right_knee": (83, 270),
    "right_ankle": (80, 340),
    "left_hip": (115, 200),
    "left_knee": (117, 270),
    "left_ankle": (120, 340),
    "right_eye": (93, 62),
    "left_eye": (107, 62),
    "right_ear": (85, 66),
    "left_ear": (115, 66),
    "left_big_toe": (128, 358),
    "left_small_toe": (134, 355),
    "left_heel": (118, 350),
    "right_big_toe": (72, 358),
    "right_small_toe": (66, 355),
    "right_heel": (82, 350),
}


def standing_body() -> np.ndarray:
    """(25, 3): the person, score 0.9."""
    return np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)


@pytest.fixture
def standing_dancer() -> Keypoints:
    """Five frames of a person who stands still: the whole body, score 0.9; no face, no hands."""
    return from_people(
        [{"body": standing_body()}] * 5,
        BODY_25,
        width=200,
        height=400,
        fps=Fraction(25),
        video="standing",
    )


@pytest.fixture(scope="session")
def pose_models() -> Path:
    """Folder of the pose networks, fetched once per checkout."""
    folder = REPOSITORY / "resources" / "models"
    try:
        fetch_models(folder)
    except ValueError as error:
        if "could not be fetched" not in str(error):
            raise
        pytest.skip(f"no package registry: {error}")
    return folder


@pytest.fixture(scope="session")
def tiny_target(tmp_path_factory: pytest.TempPathFactory) -> "TinyTarget":
    """The files of a drawn dancer of 64 x 64 px, 24 frames; not to be changed."""
    from tiny import make_target

    return make_target(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def finished_demo(
    tmp_path_factory: pytest.TempPathFactory, pose_models: Path, worker_id: str
) -> Path:
    """A checkout in which the demo has run through every stage, in the sizes of test.yaml.

    Made by the first process of pytest that asks for it; each has a copy of its own.
    """
    from checkout import make_checkout, snakemake

    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    with FileLock(shared / "finished_demo.lock"):
        made = shared / "finished_demo"
        if not (made / "output.txt").exists():
            shutil.rmtree(made, ignore_errors=True)
            make_checkout(made, pose_models)
            # The scripts as Snakemake ran them stay: tests/faults runs them again.
            keep = "--skip-script-cleanup"
            ran = snakemake(made, keep, "--configfile", "config/test.yaml", "--", "demo")
            assert ran.status == 0, ran.output
            (made / "output.txt").write_text(ran.output)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("demo") / "demo", symlinks=True))


@pytest.fixture(scope="session")
def tiny_body(tiny_target: "TinyTarget", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny target's generator after a few steps of the body stage; not to be changed."""
    from tiny import train_tiny

    return train_tiny(tiny_target, tmp_path_factory.mktemp("body") / "generator.safetensors")


@pytest.fixture(scope="session")
def tiny_temporal(
    tiny_target: "TinyTarget", tiny_body: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny target's generator after body and temporal; not to be changed."""
    from tiny import train_tiny

    model = tmp_path_factory.mktemp("temporal") / "generator.safetensors"
    return train_tiny(tiny_target, model, "temporal", tiny_body)


@pytest.fixture(scope="session")
def tiny_starts(tiny_body: Path, tiny_temporal: Path) -> dict[str, Path | None]:
    """What each stage starts from; not to be changed."""
    return {"body": None, "temporal": tiny_body, "enhance": tiny_temporal, "face": tiny_body}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """A function that gives what the library has logged so far, as one text."""
    LOGGER.propagate = True
    caplog.set_level(logging.INFO, logger="edn")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


@pytest.fixture
def ordinary_priority() -> Iterator[None]:
    """Take the priority back that SVT-AV1 gives to all threads of a process of root's: real time,
    before everything else on the machine."""
    yield
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))
