"""The log of a run: written by many, torn by kills, and never in the way."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edn_core.run_log import append, is_alive, read_lines, read_run, stamp
from edn_core.run_log.job import reason_of
from edn_core.run_log.workflow import redacted

ROOT = Path(__file__).parent.parent
RUN = "20260101T000000Z-1"
EVERY_LINE = ["time", "level", "event", "rule", "wildcards", "pid", "host", "message"]


def run_job(folder: Path, *lines: str) -> subprocess.CompletedProcess:
    """A job of the run, as a script of a rule begins it; its lines are in the run's folder."""
    program = "\n".join(
        (
            "from edn_core.logs import *",
            "import edn_core.logs, os, signal",
            "edn_core.logs.SECONDS_BETWEEN_LINES = 0.0",
            "log_to('logs/models/bob/body.log', 'train_stage', {'target': 'bob', 'stage': 'body'})",
            *lines,
        )
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"EDN_RUN": RUN, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def lines_of(folder: Path) -> list[dict]:
    """What the job wrote."""
    return read_lines(folder / "logs" / "runs" / RUN / "models.bob.body.jsonl")


def test_a_job_says_when_it_began_how_far_it_is_and_how_it_ended(tmp_path):
    done = run_job(tmp_path, "LOGGER.info('hello')", "list(progress(range(2), 'frames'))")
    assert done.returncode == 0, done.stderr
    lines = lines_of(tmp_path)
    events = [line["event"] for line in lines]
    assert events == ["job_started", "message", "progress", "progress", "job_ended"]
    for line in lines:
        assert list(line)[:8] == EVERY_LINE
        assert line["wildcards"] == {"target": "bob", "stage": "body"}
        assert (line["rule"], line["host"]) == ("train_stage", socket.gethostname())
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])
    assert lines[0]["log"] == "logs/models/bob/body.log"
    assert (lines[2]["what"], lines[2]["done"], lines[2]["total"]) == ("frames", 1, 2)
    assert lines[-1]["reason"] == "done"
    assert lines[-1]["peak_memory_mb"] > 5


def test_progress_of_a_resumed_job_counts_from_where_it_was(tmp_path):
    run_job(tmp_path, "list(progress(iter(range(2)), 'train', 10, before=8))")
    counts = [(one["done"], one["total"]) for one in lines_of(tmp_path) if "done" in one]
    assert counts == [(9, 10), (10, 10)]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["raise ValueError('bob.mp4: no\\n video')"], "error"),
        (["{}['bob']"], "fault"),
        (["raise MemoryError"], "out of memory"),
        (["raise KeyboardInterrupt"], "interrupted"),
        (["class StoppedEarly(ValueError): pass", "raise StoppedEarly"], "stopped early"),
        (["class OutOfMemory(ValueError): pass", "raise OutOfMemory"], "out of memory"),
    ],
)
def test_a_job_that_fails_says_why_in_its_last_line(tmp_path, lines, reason):
    assert run_job(tmp_path, *lines).returncode != 0
    last = lines_of(tmp_path)[-1]
    assert (last["event"], last["level"], last["reason"]) == ("job_ended", "ERROR", reason)
    if reason == "error":
        assert last["message"] == "bob.mp4: no video"


def test_the_real_exceptions_are_those_the_log_knows():
    from edn_core.out_of_memory import OutOfMemory
    from edn_core.training.guard import OutOfTime, StoppedEarly

    assert reason_of(OutOfMemory("full")) == "out of memory"
    assert reason_of(StoppedEarly("stopped")) == "stopped early"
    assert reason_of(OutOfTime("stopped")) == "stopped early"


def test_a_killed_job_leaves_no_last_line_and_the_next_one_is_still_read(tmp_path):
    killed = run_job(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.returncode == -signal.SIGKILL
    path = tmp_path / "logs" / "runs" / RUN / "models.bob.body.jsonl"
    with open(path, "a") as stream:
        stream.write('{"time": "2026-01-01T00:00')  # torn by the kill
    assert run_job(tmp_path).returncode == 0
    events = [line["event"] for line in lines_of(tmp_path)]
    assert events == ["job_started", "job_started", "job_ended"]


def test_a_log_that_cannot_be_written_stops_no_job(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "runs").write_text("a file in the folder's place")
    done = run_job(tmp_path, "LOGGER.info('hello')")
    assert (done.returncode, done.stderr) == (0, "edn: hello\n")


def test_without_a_run_nothing_is_written(tmp_path):
    program = "from edn_core.logs import *; log_to('logs/a.log', 'a', {})"
    environment = {name: value for name, value in os.environ.items() if name != "EDN_RUN"}
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["a.log"]


def test_processes_that_write_at_once_tear_no_line(tmp_path):
    program = (
        "import sys; from pathlib import Path; from edn_core.run_log import append, stamp\n"
        "for i in range(200): append(Path(sys.argv[1]), stamp('message', 'x' * 500))"
    )
    path = tmp_path / "log.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT) for _ in range(3)
    ]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    # A process that begins while another is between two pages of its write sees no end of line yet
    # and starts a new one, which leaves an empty row; what no row may be is half a line.
    rows = [row for row in path.read_text().splitlines() if row]
    assert len(read_lines(path)) == len(rows) == 600


def test_values_that_json_does_not_know_are_no_reason_to_stop(tmp_path):
    path = tmp_path / "log.jsonl"
    append(path, stamp("message", "a path") | {"where": Path("a")})
    append(path, stamp("message", "not a number") | {"loss": float("nan")})
    append(path, stamp("message", "\udcff"))
    assert next(line["message"] for line in read_lines(path)) == "a path"


def test_the_lines_of_all_jobs_are_read_in_the_order_of_time(tmp_path):
    for name, second in (("b", 1), ("a", 2), ("c", 0)):
        line = stamp("message", name) | {"time": f"2026-01-01T00:00:0{second}.000+00:00"}
        append(tmp_path / RUN / f"{name}.jsonl", line)
    assert [line["message"] for line in read_run(RUN, tmp_path)] == ["c", "b", "a"]


def test_a_process_lives_as_long_as_it_lives():
    line = stamp("progress")
    assert is_alive(line)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    theirs = stamp("progress") | {"pid": sleeper.pid}
    assert is_alive(theirs)
    sleeper.kill()
    sleeper.wait()
    assert not is_alive(theirs)
    # A number that was given to another process since is another process.
    assert not is_alive(line | {"time": "2026-01-01T00:00:00.000+00:00"})


def test_on_another_machine_the_age_of_the_last_word_counts():
    line = stamp("progress") | {"host": "elsewhere", "pid": 1}
    assert is_alive(line)
    assert not is_alive(line | {"time": "2026-01-01T00:00:00.000+00:00"})


def test_a_command_is_shown_without_what_may_be_secret():
    words = ["--cores", "2", "--storage-s3-secret-key", "abc", "--token=abc", "--", "demo"]
    assert redacted(words) == [
        "--cores",
        "2",
        "--storage-s3-secret-key",
        "***",
        "--token=***",
        "--",
        "demo",
    ]
    assert redacted([str(Path.home() / "a.yaml")]) == ["~/a.yaml"]


def test_every_script_of_a_rule_takes_part():
    for path in sorted((ROOT / "workflow" / "scripts").glob("*.py")):
        text = path.read_text()
        assert "log_to(snakemake.log[0], snakemake.rule, snakemake.wildcards)" in text, path.name
