"""How a run stands, by its log."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edn_core.run_log import append, stamp
from edn_core.status import show_files, show_run, understand
from edn_core.status.plan import PlannedFile
from edn_core.status.show import duration

ROOT = Path(__file__).parent.parent
RUN = "20260101T000000Z-1"
BODY = {"target": "bob", "stage": "body"}
FACE = {"target": "bob", "stage": "face"}


class Log:
    """The log of a run of one Snakemake and its jobs, written a line at a time."""

    def __init__(self, folder: Path, pid: int | None = None) -> None:
        self.folder, self.pid = folder, pid or os.getpid()
        self.snakemake("run_started", targets=["results/transfer/a_to_bob.mp4", "b"])
        for rule, wildcards, expected in (
            ("train_stage", BODY, 100.0),
            ("train_stage", FACE, 50.0),
            ("assemble_video", {"source": "a", "target": "bob"}, None),
        ):
            self.snakemake("job_planned", rule, wildcards, expected_s=expected, output=f"{rule}.x")

    def snakemake(self, event: str, rule: str = "", wildcards: dict | None = None, **more) -> None:
        """A line of Snakemake's."""
        line = stamp(event, rule=rule, wildcards=wildcards or {}) | {"pid": self.pid} | more
        append(self.folder / f"{RUN}.jsonl", line)

    def job(self, event: str, wildcards: dict = BODY, ago: float = 0, **more) -> None:
        """A line of a training's, written some seconds ago."""
        time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
        line = stamp(event, rule="train_stage", wildcards=wildcards) | {"time": time} | more
        append(self.folder / RUN / f"{wildcards['stage']}.jsonl", line)

    def begin(self, wildcards: dict = BODY, ago: float = 0) -> None:
        """A training that was sent and began."""
        self.snakemake("job_submitted", "train_stage", wildcards, log="logs/body.log")
        self.job("job_started", wildcards, ago)

    def progress(self, done: int, seconds: float, ago: float = 0, **more) -> None:
        """A training's word on how far it is."""
        about = {"what": "train body", "done": done, "total": 100, "seconds": seconds}
        self.job("progress", ago=ago, **about, per_second=done / seconds, **more)

    def state(self, wildcards: dict = BODY) -> str:
        """The state of a training."""
        (job,) = [one for one in understand(RUN, self.folder).jobs if one.wildcards == wildcards]
        return job.state


@pytest.fixture
def log(tmp_path) -> Log:
    """A run that has just begun."""
    return Log(tmp_path)


def dead_process() -> int:
    """The number of a process that is gone."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_what_is_planned_is_left_and_takes_as_long_as_it_did_before(log):
    run = understand(RUN, log.folder)
    assert (run.state, run.counts) == ("running", {"left": 3})
    assert run.left_s == 150
    assert run.unknown == ["assemble_video"]


def test_a_training_goes_from_queued_to_running_to_done(log):
    log.snakemake("job_submitted", "train_stage", BODY)
    assert log.state() == "queued"
    log.job("job_started")
    assert log.state() == "running"
    log.job("job_ended", reason="done", seconds=80.0)
    assert log.state() == "done"  # before Snakemake, which asks Slurm now and then, knows of it
    log.snakemake("job_finished", "train_stage", BODY, seconds=90.0)
    assert log.state() == "done"
    run = understand(RUN, log.folder)
    assert run.jobs[0].seconds == 80
    assert run.left_s == 50


def test_the_rate_of_the_last_lines_tells_how_long_it_still_takes(log):
    log.begin(ago=20.5)
    log.progress(10, 10.0, ago=10.5)
    log.progress(30, 20.0, ago=0.5)  # 2 a second of late; 70 left
    job = understand(RUN, log.folder).jobs[0]
    assert job.per_second == 2
    assert 33 < job.left_s < 34.5 + 0.1


def test_a_job_that_failed_shows_its_one_line_and_its_log(log):
    log.begin()
    log.job("job_ended", reason="error", message="bob.mp4: no dancer in it")
    log.snakemake("job_failed", "train_stage", BODY, log="logs/body.log")
    log.snakemake("run_ended", reason="failed")
    run = understand(RUN, log.folder)
    assert (run.state, log.state()) == ("failed", "failed")
    text = "\n".join(show_run(run))
    assert "train_stage bob body\n    bob.mp4: no dancer in it\n    log: logs/body.log" in text


def test_a_job_that_was_sent_again_is_as_it_was_never_failed(log):
    log.begin(ago=5)
    log.job("job_ended", ago=4, reason="error", message="out of luck")
    log.snakemake("job_failed", "train_stage", BODY)
    log.begin()
    assert log.state() == "running"
    log.job("job_ended", reason="done", seconds=1.0)
    log.snakemake("job_finished", "train_stage", BODY, seconds=2.0)
    assert log.state() == "done"


def test_clocks_that_differ_by_a_minute_change_nothing(log):
    log.snakemake("job_submitted", "train_stage", BODY)
    log.job("job_started", ago=60, host="node7")  # by its own clock before it was sent
    assert log.state() == "running"


def test_a_training_that_was_told_to_stop_is_no_failure(log):
    log.begin()
    log.job("job_ended", reason="stopped early", message="its state is saved")
    log.snakemake("job_failed", "train_stage", BODY)
    log.snakemake("run_ended", reason="interrupted")
    assert log.state() == "stopped"
    assert understand(RUN, log.folder).counts["failed"] == 0


def test_a_training_that_saved_its_state_and_waits_for_another_stay_is_queued(log):
    log.begin(ago=5)
    log.job("job_ended", ago=4, reason="stopped early", message="its state is saved")
    assert log.state() == "queued"
    log.job("job_started", ago=3)  # sent again by Slurm; Snakemake heard nothing of it
    assert log.state() == "running"


def test_a_job_whose_process_is_gone_is_lost(log):
    log.begin()
    log.progress(10, 10.0, pid=dead_process())
    assert log.state() == "lost"


def test_a_job_on_another_machine_is_lost_when_it_is_silent(log):
    log.begin()
    log.progress(10, 10.0, ago=30, host="node7")
    assert log.state() == "running"
    log.progress(11, 11.0, ago=3000, host="node8")
    assert log.state() == "lost"


def test_a_run_whose_snakemake_was_killed_says_what_to_do(tmp_path):
    log = Log(tmp_path, dead_process())
    log.snakemake("job_submitted", "train_stage", BODY)
    run = understand(RUN, tmp_path)
    assert (run.state, log.state()) == ("lost", "left")
    assert "snakemake --unlock" in show_run(run)[0]


def test_a_torn_log_is_read_as_far_as_it_goes(log):
    log.begin()
    with open(log.folder / f"{RUN}.jsonl", "a") as stream:
        stream.write('{"time": "2026-01-01T00:00:00.000+00:00", "eve')
    assert log.state() == "running"
    (log.folder / f"{RUN}.jsonl").write_bytes(b"\x00\xff\n[1]\n")
    assert understand(RUN, log.folder).state == "lost"


def test_no_line_is_wider_than_100_columns(log):
    log.begin(ago=100)
    log.progress(10, 10.0)
    log.begin(FACE)
    log.job("job_ended", FACE, reason="error", message="word " * 200)
    log.snakemake("job_failed", "train_stage", FACE, log="logs/" + "x" * 60)
    for number in range(30):
        wildcards = {"target": "a_target_with_quite_a_long_name", "stage": str(number)}
        log.snakemake("job_planned", "train_stage", wildcards)
    lines = show_run(understand(RUN, log.folder))
    assert max(map(len, lines)) <= 100
    assert len(lines) < 30
    assert "  train_stage     30" in lines
    files = [PlannedFile(f"results/{'x' * 120}.h5", "extract_frames", False)]
    assert max(map(len, show_files(files, None))) <= 100


def test_files_are_counted_and_those_not_there_named():
    files = [PlannedFile("a", "one", True), PlannedFile("b", "two", False)]
    assert show_files(files, None) == [
        "1 of 2 files are there and up to date",
        "",
        "left",
        "  b",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5.4, "5 s"),
        (65, "1 min 5 s"),
        (3660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_time_is_told_in_two_units(seconds, words):
    assert duration(seconds) == words


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The command, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "edn_core.status", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_for_people_for_programs_and_the_log_itself(tmp_path):
    Log(tmp_path / "logs" / "runs").begin()
    people = ask(tmp_path)
    assert people.returncode == 0, people.stderr
    assert "0 of 3 jobs done, 1 running, 2 left" in people.stdout
    content = json.loads(ask(tmp_path, "--json").stdout)
    assert (content["state"], content["counts"]) == ("running", {"running": 1, "left": 2})
    assert content["jobs"][0]["log"] == "logs/body.log"
    whole = [json.loads(row) for row in ask(tmp_path, "--log").stdout.splitlines()]
    assert [line["event"] for line in whole][-1] == "job_started"


def test_watching_ends_with_the_run(tmp_path):
    log = Log(tmp_path / "logs" / "runs")
    log.snakemake("run_ended", reason="done")
    done = ask(tmp_path, "--watch", "60")
    assert (done.returncode, done.stdout.count("run of")) == (0, 1)


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    done = ask(tmp_path, "--configfile", "no.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "edn: error: no.yaml: no such file; name a configuration" in done.stderr
