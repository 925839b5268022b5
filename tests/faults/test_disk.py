"""What is said of a disk that takes no more, and what killed processes leave behind."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from checkout import REPOSITORY

from edn_core.disk import WatchedFile, disk_errors_named, explain_disk, watched_file
from edn_core.store import write_beside

pytestmark = pytest.mark.usefixtures("unmeasured")

# A process that may write no more than 1000 bytes into any file, which the system enforces.
LIMITED = """
import resource, signal, sys
import numpy as np
from edn_core.logs import log_to
log_to("logs/job.log")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
"""
WRITERS = {
    "json": "from edn_core.store import write_json\n"
    "write_json('results/a.json', {'a': 'x' * 2000})",
    "png": "from edn_core.background import write_plate\n"
    "write_plate('results/a.png', np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8),"
    " np.ones((64, 64), bool))",
    "pt": "import torch\nfrom edn_core.checkpoint import save_discriminator\n"
    "save_discriminator('results/a.pt', {'a': torch.zeros(1000)})",
    "mp4": "from fractions import Fraction\nfrom edn_core.video import encode\n"
    "noise = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), np.uint8)\n"
    "encode('results/a.mp4', noise, Fraction(25))",
    "h5": "from conftest import STANDING\nfrom fractions import Fraction\n"
    "from edn_core.keypoints import from_people, write_keypoints\n"
    "from edn_core.skeleton import BODY_25\n"
    "body = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)\n"
    "write_keypoints('results/a.h5', from_people([{'body': body}] * 5, BODY_25, width=200,"
    " height=400, fps=Fraction(25), video='standing'))",
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_that_grows_too_large_is_one_line_and_leaves_nothing(tmp_path, suffix):
    folders = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED + WRITERS[suffix]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ran.stderr.splitlines()
    assert ran.returncode == 1
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith(
        f"edn: error: results/a.{suffix}: the file grows beyond what a limit"
    )
    assert list((tmp_path / "results").iterdir()) == []


def test_a_full_disk_is_named_with_the_file_and_how_to_go_on():
    with (
        pytest.raises(ValueError, match=r"a.json: no space left on the disk.*same command again"),
        disk_errors_named("a.json"),
        open("/dev/full", "w") as stream,
    ):
        stream.write("a")


def test_other_errors_stay_what_they_are():
    assert explain_disk(FileNotFoundError(2, "No such file or directory"), "a.json") is None
    with pytest.raises(KeyError), disk_errors_named("a.json"):
        raise KeyError("a")


def test_a_watched_file_says_at_its_end_what_its_writer_kept_to_itself():
    stream = WatchedFile("/dev/full")
    assert stream.write(b"abc") == 3
    assert stream.write(b"abc") == 3
    with pytest.raises(OSError, match="No space left"):
        stream.check()
    with pytest.raises(OSError, match="No space left"), watched_file("/dev/full") as stream:
        stream.write(b"abc")


def test_hdf5_through_a_watched_file_comes_back(tmp_path):
    with watched_file(tmp_path / "a.h5") as stream, h5py.File(stream, "w") as store:
        store["numbers"] = np.arange(1000)
    with h5py.File(tmp_path / "a.h5") as store:
        assert store["numbers"][:].sum() == 499_500


def left_by(process: int, folder: Path, host: str = platform.node()) -> Path:
    """What a process that was killed while it wrote result.txt left."""
    path = folder / f".result.{host}.{process}.partial.txt"
    path.write_text("half")
    return path


def test_what_a_killed_process_left_goes_with_the_next_writer(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left_by(dead.pid, tmp_path)
    with write_beside(tmp_path / "result.txt") as partial:
        partial.write_text("done")
    assert list(tmp_path.iterdir()) == [tmp_path / "result.txt"]


def test_what_somebody_still_writes_is_left_alone(tmp_path):
    mine = left_by(os.getppid(), tmp_path)
    elsewhere = left_by(1, tmp_path, "another.machine")
    forgotten = left_by(2, tmp_path, "another.machine")
    two_days_ago = time.time() - 2 * 86400
    os.utime(forgotten, (two_days_ago, two_days_ago))
    with write_beside(tmp_path / "result.txt") as partial:
        partial.write_text("done")
    assert mine.exists()
    assert elsewhere.exists()
    assert not forgotten.exists()
