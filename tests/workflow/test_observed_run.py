"""A real run's log, its status while it works, and its last two lines."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checkout import COMMAND, ENVIRONMENT, plan, snakemake
from test_contracts import check_schema_heading, check_types, documented

from edn_core.run_log import list_runs, read_lines, read_run
from edn_core.status import planned_files, show_run, understand

pytestmark = pytest.mark.workflow

TINY = ("--configfile", "config/test.yaml")
VIDEO = "results/transfer/demo_source_to_demo_target.mp4"
LONG = """
training: {body: {steps: 100000, validations: 1}}
runtime: {checkpoint_every_s: 5, log_every_s: 1.0}
"""


@pytest.fixture
def checkout(finished_demo, tmp_path) -> Path:
    """A finished demo of one's own."""
    folder = tmp_path / "checkout"
    shutil.copytree(finished_demo, folder, symlinks=True)
    return folder


def test_every_job_of_a_run_is_in_its_log_from_plan_to_end(finished_demo):
    runs = finished_demo / "logs" / "runs"
    first = list_runs(runs)[0]
    assert not (runs / first).exists()  # the jobs' own files are in the run's by now
    lines = read_lines(runs / f"{first}.jsonl")
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert (lines[0]["event"], lines[-1]["event"]) == ("run_started", "run_ended")
    assert lines[0]["schema"] == "edn-log"
    assert lines[0]["targets"][0] == VIDEO
    assert lines[-1]["reason"] == "done"

    def jobs(event: str) -> list[str]:
        return sorted(
            f"{line['rule']} {line['wildcards']}"
            for line in lines
            if line["event"] == event and line["rule"] not in ("demo", "fetch_pose_models")
        )

    planned = jobs("job_planned")
    assert len(planned) > 20
    for event in ("job_submitted", "job_started", "job_ended", "job_finished"):
        assert jobs(event) == planned, event
    assert all(one["reason"] == "done" for one in lines if one["event"] == "job_ended")
    trained = [one for one in lines if one["event"] == "progress" and one["rule"] == "train_stage"]
    assert {(one["done"], one["total"]) for one in trained} == {(6, 6)}

    run = understand(first, runs)
    assert (run.state, dict(run.counts)) == ("done", {"done": len(run.jobs)})
    assert run.left_s == 0


def test_the_lines_are_as_documented(finished_demo):
    runs = finished_demo / "logs" / "runs"
    lines = read_lines(runs / f"{list_runs(runs)[0]}.jsonl")
    always = documented("The log of a run", "Key of every line")
    check_types(always, *({name: line[name] for name in always} for line in lines))
    further = documented("The log of a run", "Event", "further keys")
    for line in lines:
        told = re.sub(r"\(.*?\)|:.*?;", "", further[line["event"]])
        assert set(line) == {*always, *re.findall(r"`(\w+)`", told)}, line["event"]
    assert {line["event"] for line in lines} == {*further} - {"job_failed"}
    check_schema_heading("The log of a run", lines[0])


def test_the_last_lines_of_a_run_say_where_the_result_is(finished_demo):
    said = [
        line
        for line in (finished_demo / "output.txt").read_text().splitlines()
        if line.startswith(("edn: done: ", "edn: log of the run"))
    ]
    assert said == [f"edn: done: {VIDEO} and 5 more", "edn: log of the run: logs/run.jsonl"]


def test_a_log_makes_nothing_run_again_and_a_plan_writes_none(finished_demo):
    before = list_runs(finished_demo / "logs" / "runs")
    assert plan(finished_demo, *TINY, "--", "demo") == {}
    assert "Nothing to be done" in snakemake(finished_demo, *TINY, "--", "demo").output
    assert list_runs(finished_demo / "logs" / "runs") == before


def test_a_run_that_fails_ends_with_the_reason_and_where_its_log_is(checkout, monkeypatch):
    (checkout / "results/demo/demo_source.mp4").write_bytes(b"no video")
    frames = checkout / "results/videos/demo_source/frames.zip"
    frames.unlink()
    ran = snakemake(checkout, *TINY, "--", str(frames.relative_to(checkout)))
    assert ran.status == 1
    said = [line for line in ran.output.splitlines() if line.startswith("edn: ")]
    failed, log = said[-2:]
    assert failed.startswith("edn: failed: extract_frames: results/demo/demo_source.mp4: ")
    assert log == (
        "edn: log: logs/videos/demo_source/extract_frames.log; log of the run: logs/run.jsonl"
    )
    assert (checkout / "logs/videos/demo_source/extract_frames.log").is_file()
    run = understand(list_runs(checkout / "logs/runs")[-1], checkout / "logs/runs")
    assert (run.state, dict(run.counts)) == ("failed", {"failed": 1})
    assert run.jobs[0].message == failed.removeprefix("edn: failed: extract_frames: ")
    last = (checkout / "logs/run.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["reason"] == "failed"

    monkeypatch.chdir(checkout)
    files = {one.path: one.is_done for one in planned_files([VIDEO], ["config/test.yaml"])}
    assert files["results/videos/demo_source/frames.zip"] is False
    assert files["results/videos/demo_target/keypoints.h5"] is True


def test_a_run_is_watched_while_it_trains_and_interrupted(checkout):
    (checkout / "long.yaml").write_text(LONG)
    runs = checkout / "logs" / "runs"
    before = list_runs(runs)
    with open(checkout / "output.txt", "w") as output:
        running = subprocess.Popen(
            [*COMMAND, *TINY, "long.yaml", "--", "body"],
            cwd=checkout,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def state() -> str:
        return next((job.state for job in understand(list_runs(runs)[-1], runs).jobs), "")

    end = time.monotonic() + 120
    while list_runs(runs) == before or state() != "running":
        assert time.monotonic() < end and running.poll() is None, "no training began"
        time.sleep(0.2)
    while "s a step: about" not in (checkout / "logs/models/demo_target/body.log").read_text():
        assert time.monotonic() < end and running.poll() is None, "no step was made"
        time.sleep(0.2)

    # The lock is Snakemake's; the status needs none.
    asked = subprocess.run(
        [sys.executable, "-m", "edn_core.status"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "0 of 1 jobs done, 1 running" in asked
    assert "  train_stage demo_target body" in asked

    os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
    assert running.wait(60) == 1
    run = understand(list_runs(runs)[-1], runs)
    assert (run.state, dict(run.counts)) == ("interrupted", {"stopped": 1})
    assert "interrupted; the same command goes on" in show_run(run)[0]
    ended = [one for one in read_run(run.name, runs) if one["event"] == "job_ended"]
    assert [one["reason"] for one in ended] == ["stopped early"]
    said = [row for row in (checkout / "output.txt").read_text().splitlines() if "edn: " in row]
    assert said[-2:] == [
        "edn: stopped by you or by the system; log of the run: logs/run.jsonl",
        "edn: the same command goes on; `python -m edn_core.status` says what is left",
    ]
