"""SIGTERM in the middle of what is no training: one line, status 1, nothing half-written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import REPOSITORY
from test_damage import short_dancer

from edn_core.keypoints import write_keypoints

BEGIN = """
import itertools, sys, time
from fractions import Fraction
from pathlib import Path
import numpy as np
from edn_core.logs import LOGGER, log_to, progress
folder = Path(sys.argv[1])
log_to(folder / "logs" / "stage.log")
def pictures(count=10**9):
    for i in range(count):
        if i == 40:
            print("under way", flush=True)
        yield np.full((64, 64, 3), i % 256, np.uint8)
"""
STORE = """
from edn_core.frames import FramesInfo, FrameWriter
info = FramesInfo("tiny", 10**6, Fraction(25), 64, 64, 64, 64, 1.0, (0, 0))
with FrameWriter(folder / "frames.zip", info, "jpeg") as writer:
    for image in progress(pictures(), "frames"):
        writer.append(image)
"""
VIDEO = """
from edn_core.video import encode
encode(folder / "video.mp4", pictures(), Fraction(25))
"""
SYNTHESIS = """
from edn_core.checkpoint import load_generator
from edn_core.frames import FrameReader
import torch
from edn_core.synthesize import files
append = files._StoreWriter.append
def slowly(self, image):
    if self._count == 3:
        print("under way", flush=True)
        time.sleep(60)
    append(self, image)
files._StoreWriter.append = slowly
target, model = Path(sys.argv[2]), Path(sys.argv[3])
files.synthesize_frames(model, target / "labels.zip", target / "keypoints.h5",
                        folder / "frames.zip", torch.device("cpu"))
"""


def start(program: str, *arguments: object) -> subprocess.Popen:
    """A program that says when it is in the middle of its work."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + program, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "under way\n", process.communicate()[1]
    return process


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("program", [STORE, VIDEO], ids=["store", "video"])
def test_told_to_stop_it_says_so_in_one_line_and_leaves_nothing_half_written(tmp_path, program):
    process = start(program, tmp_path)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = [line for line in said.splitlines() if "error" in line or "Trace" in line]
    assert line.startswith("edn: error: was told to stop (SIGTERM); what was half-written is rem")
    assert left_in(tmp_path) == ["logs/stage.log"]


def test_a_synthesis_is_stopped_in_the_middle_and_what_stood_there_before_stays(
    tiny_target, tiny_body, tmp_path
):
    (tmp_path / "frames.zip").write_text("of the run before")
    process = start(SYNTHESIS, tmp_path, tiny_target.folder, tiny_body)
    for _ in range(2):  # impatience does no harm
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was told to stop (SIGTERM)" in said
    assert left_in(tmp_path) == ["frames.zip", "logs/stage.log"]
    assert (tmp_path / "frames.zip").read_text() == "of the run before"


def test_control_c_says_the_same(tmp_path):
    process = start(STORE, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert "edn: error: was told to stop (SIGINT)" in said
    assert left_in(tmp_path) == ["logs/stage.log"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_python_drops_is_heeded_a_moment_later(tmp_path, number):
    program = f"""
import signal, weakref
class Thing: pass
def meet(_):
    signal.raise_signal({int(number)})  # what is raised in such a callback is ignored
thing = Thing()
watch = weakref.ref(thing, meet)
del thing
print("goes on", flush=True)
for i in range(600):
    time.sleep(0.1)
"""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode not in (0, None)
    assert done.stdout == "goes on\n"
    assert f"edn: error: was told to stop ({number.name})" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_forked_process_ends_without_a_word(tmp_path):
    program = """
import os
child = os.fork()
if child == 0:
    print("under way", flush=True)
    time.sleep(60)
    os._exit(0)
_, status = os.waitpid(child, 0)
print(child, os.WEXITSTATUS(status))
"""
    process = start(program, tmp_path)
    (child,) = (one.pid for one in psutil.Process(process.pid).children())
    os.kill(child, signal.SIGTERM)
    out, said = process.communicate(timeout=60)
    assert out == f"{child} {128 + signal.SIGTERM}\n"
    assert said == ""


# A signal at the very beginning of the n-th call that HDF5 makes to write.
IN_A_WRITE = """
import signal, sys
from edn_core.disk import WatchedFile
from edn_core.keypoints import read_keypoints, write_keypoints
dancer = read_keypoints(sys.argv[4])
calls, number, nth = 0, int(sys.argv[2]), int(sys.argv[3])
def count(frame, event, _):
    global calls
    if event == "call" and frame.f_code is WatchedFile.write.__code__:
        calls += 1
        if calls == nth:
            signal.raise_signal(number)
sys.settrace(count)
write_keypoints(folder / "keypoints.h5", dancer)
sys.settrace(None)
print(calls)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_write_leaves_no_damaged_file(
    tmp_path, tmp_path_factory, number
):
    source = tmp_path_factory.mktemp("source") / "keypoints.h5"
    write_keypoints(source, short_dancer())

    def run(nth: int) -> subprocess.CompletedProcess:
        arguments = map(str, (tmp_path, int(number), nth, source))
        return subprocess.run(
            [sys.executable, "-c", BEGIN + IN_A_WRITE, *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )

    count = int(run(0).stdout)
    (tmp_path / "keypoints.h5").unlink()
    assert count > 10
    for nth in (1, count // 3, count - 1, count):  # the last are made where errors are swallowed
        ended = run(nth)
        assert ended.returncode in (1, -signal.SIGINT), f"{nth}: {ended.stderr}"
        (line,) = [line for line in ended.stderr.splitlines() if line.startswith("edn: error")]
        assert f"was told to stop ({number.name})" in line
        assert [path.name for path in tmp_path.iterdir()] == ["logs"]
