"""What a stage says while it works, when it fails, and when it is told to stop."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edn_core.logs import errors_in_one_line

ROOT = Path(__file__).parent.parent
BEGIN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background job
from fractions import Fraction
import numpy as np
from edn_core.logs import *
log_to("logs/stage.log")
def pictures():
    for i in range(10**9):
        if i == 40:
            print("under way", flush=True)
        yield np.full((64, 64, 3), i % 256, np.uint8)
"""
STORE = """
from edn_core.frames import FramesInfo, FrameWriter
places = np.tile(np.eye(2, 3), (1000, 1, 1))
info = FramesInfo("tiny", 10**6, Fraction(25), 64, 64, 64, 64, places)
with FrameWriter("frames.zip", info) as writer:
    for image in progress(pictures(), "frames"):
        writer.append(image)
"""
VIDEO = """
from edn_core.video import encode
encode("video.mp4", pictures(), Fraction(25))
"""
FORK = """
child = os.fork()
if child == 0:
    print("under way", flush=True)
    time.sleep(60)
print(os.waitpid(child, 0)[1])
"""


STARTED: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """A stage that would not stop does not outlive its test."""
    yield
    while STARTED:
        STARTED.pop().kill()


def start(folder: Path, program: str) -> subprocess.Popen:
    """A stage that runs in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    STARTED.append(process)
    return process


def run(folder: Path, program: str) -> tuple[int, list[str], str]:
    """Run a stage; its exit status, terminal lines and log file."""
    process = start(folder, program)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.splitlines(), (folder / "logs" / "stage.log").read_text()


def test_a_line_goes_to_the_terminal_in_short_and_to_the_file_with_its_time(tmp_path):
    status, terminal, log = run(tmp_path, "LOGGER.info('measuring %s', 'bob')")
    assert (status, terminal) == (0, ["edn: measuring bob"])
    assert log.startswith("20") and log.endswith(" INFO measuring bob\n")


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("raise ValueError('bob.mp4: no video\\n  stream')", "bob.mp4: no video stream"),
        ("{}['bob']", "KeyError: 'bob'"),
    ],
)
def test_an_error_is_one_line_that_names_the_log_and_the_traceback_is_in_it(
    tmp_path, program, line
):
    status, (terminal,), log = run(tmp_path, program)
    assert status == 1
    assert terminal.startswith(f"edn: error: {line}")
    assert terminal.endswith(" (details: logs/stage.log)")
    assert "Traceback (most recent call last)" in log


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "logs").write_text("a file in the folder's place")
    _, said = start(tmp_path, "").communicate(timeout=60)
    assert said.startswith("edn: error: logs") and said.count("\n") == 1


def test_progress_says_how_far_it_is_with_what_was_done_before(tmp_path):
    _, terminal, log = run(
        tmp_path,
        "import edn_core.logs; edn_core.logs.SECONDS_BETWEEN_LINES = 0.0\n"
        "list(progress(iter(range(3)), 'frames', total=10, before=7))",
    )
    assert [line.split("|")[-1].split()[0] for line in terminal] == ["8/10", "9/10", "10/10"]
    assert "10/10" in log
    _, terminal, _ = run(tmp_path, "list(progress(range(4), 'frames'))")
    assert len(terminal) == 1 and "4/4" in terminal[0]


@pytest.mark.parametrize(
    ("program", "number"),
    [(STORE, signal.SIGTERM), (VIDEO, signal.SIGINT)],
    ids=["store, SIGTERM", "video, SIGINT"],
)
def test_told_to_stop_it_says_so_in_one_line_and_leaves_nothing_half_written(
    tmp_path, program, number
):
    (tmp_path / "frames.zip").write_text("of the run before")
    process = start(tmp_path, program)
    assert process.stdout.readline() == "under way\n"
    for _ in range(2):  # impatience does no harm
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (1, -signal.SIGINT)
    (line,) = [line for line in said.splitlines() if line.startswith("edn: error")]
    assert line.startswith(f"edn: error: was told to stop ({number.name}); what was half-written")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.zip", "logs"]
    assert (tmp_path / "frames.zip").read_text() == "of the run before"
    log = (tmp_path / "logs" / "stage.log").read_text()
    assert "ERROR was told to stop" in log and "Traceback" not in log


def test_a_forked_process_ends_without_a_word(tmp_path):
    process = start(tmp_path, FORK)
    assert process.stdout.readline() == "under way\n"
    (child,) = psutil.Process(process.pid).children()
    child.terminate()
    out, said = process.communicate(timeout=60)
    assert (out, said) == (f"{(128 + signal.SIGTERM) << 8}\n", "")


def test_a_command_ends_bad_input_in_one_line_and_shows_where_a_fault_of_ours_is():
    with pytest.raises(SystemExit, match=r"^edn: error: bob.mp4: empty$"), errors_in_one_line():
        raise ValueError("bob.mp4:\n  empty")
    with pytest.raises(SystemExit, match="^130$"), errors_in_one_line():
        raise KeyboardInterrupt
    with pytest.raises(KeyError), errors_in_one_line():
        raise KeyError("bob")
