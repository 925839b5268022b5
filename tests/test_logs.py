"""What a stage says while it works, and when it fails."""

import subprocess
import sys
from pathlib import Path

from edn_core.logs import progress

ROOT = Path(__file__).parent.parent


def run(tmp_path: Path, *lines: str) -> tuple[int, list[str], str]:
    """Run a little script as a stage; its exit status, terminal lines and log file."""
    log = tmp_path / "logs" / "stage.log"
    program = "\n".join(("from edn_core.logs import *", f"log_to({str(log)!r})", *lines))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines(), log.read_text()


def test_a_line_goes_to_the_terminal_in_short_and_to_the_file_with_its_time(tmp_path):
    status, terminal, log = run(tmp_path, "LOGGER.info('measuring %s', 'bob')")
    assert (status, terminal) == (0, ["edn: measuring bob"])
    assert log.splitlines()[0].endswith(" INFO measuring bob")
    assert log.startswith("20")


def test_bad_input_ends_in_one_line_that_names_the_log_and_the_trace_is_in_it(tmp_path):
    status, terminal, log = run(tmp_path, "raise ValueError('bob.mp4: no video\\n  stream')")
    assert status == 1
    assert terminal == [
        f"edn: error: bob.mp4: no video stream (details: {tmp_path}/logs/stage.log)"
    ]
    assert "Traceback (most recent call last)" in log
    assert "no video" in log


def test_another_error_is_named_with_its_kind(tmp_path):
    status, terminal, log = run(tmp_path, "{}['bob']")
    assert status == 1
    assert len(terminal) == 1
    assert terminal[0].startswith("edn: error: KeyError: 'bob' (details: ")
    assert "Traceback" in log


def test_the_log_is_written_anew(tmp_path):
    run(tmp_path, "LOGGER.info('first')")
    _, _, log = run(tmp_path, "LOGGER.info('second')")
    assert "first" not in log


def test_progress_passes_every_item_through_unchanged():
    assert list(progress("abc", "letters")) == ["a", "b", "c"]
    assert list(progress(iter(range(3)), "numbers", total=3)) == [0, 1, 2]
    assert list(progress([], "nothing")) == []


def test_progress_without_a_terminal_says_the_last_line_in_both_places(tmp_path):
    _, terminal, log = run(tmp_path, "list(progress(range(4), 'frames'))")
    assert len(terminal) == 1
    assert terminal[0].startswith("edn: frames: 100%")
    assert "4/4" in terminal[0]
    assert "4/4" in log


def test_progress_says_how_far_it_is_now_and_then(tmp_path):
    _, terminal, _ = run(
        tmp_path,
        "import edn_core.logs",
        "edn_core.logs.SECONDS_BETWEEN_LINES = 0.0",
        "list(progress(iter(range(3)), 'frames', total=3))",
    )
    assert [line.split("|")[-1].split()[0] for line in terminal] == ["1/3", "2/3", "3/3"]


def test_a_stop_that_was_wanted_leaves_its_line_in_the_log_and_no_traceback(tmp_path):
    for program in (
        "class StoppedEarly(ValueError): pass\nraise StoppedEarly('stopped at step 3 of 8')",
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    ):
        status, terminal, log = run(tmp_path, program)
        assert (status, len(terminal), len(log.splitlines())) == (1, 1, 1)
        assert "ERROR" in log
        assert "Traceback" not in log
        assert ("step 3 of 8" in log) or ("was told to stop (SIGTERM)" in log)
