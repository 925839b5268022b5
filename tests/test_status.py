"""How far the jobs are, by their logs."""

import os
import time

import pytest

from edn_core.status import DONE, RUNS, STOPPED, describe_jobs, last_words, main, read_jobs


@pytest.fixture
def folder(tmp_path):
    """One job that is done, one that runs, one that failed, one that began a moment ago."""

    def write(name, text, ago_s):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (time.time() - ago_s,) * 2)

    stamp = "2026-01-01 00:00:00,000"
    write("logs/videos/bob/find_matte.log", f"{stamp} INFO matte: 4/4\n", 90)
    write("results/benchmarks/videos/bob/find_matte.tsv", "s\n1\n", 89)
    write("logs/videos/bob/estimate_pose.log", f"{stamp} ERROR bob.mp4: cut off\nTraceback\n", 80)
    write("results/benchmarks/models/bob/body.tsv", "s\n1\n", 300)  # of the run before
    write("logs/models/bob/body.log", f"{stamp} INFO a\n{stamp} INFO train body: 12/100\n", 5)
    for process in ("", ".1"):
        write(f"logs/models/ann/body{process}.log", f"{stamp} INFO train body: 9/9\n", 200)
    write("results/benchmarks/models/ann/body.tsv", "s\n1\n", 200)
    write("logs/transfer/ann_to_bob/assemble_video.webm.log", f"{stamp} INFO film: 4/4\n", 190)
    write("results/benchmarks/transfer/ann_to_bob/assemble_video.webm.tsv", "s\n1\n", 189)
    write("logs/write_report.log", "", 1)
    return tmp_path


def test_a_job_is_done_when_its_benchmark_is_and_says_its_last_line_else(folder):
    jobs = [(job.name, job.state, job.said) for job in read_jobs(folder)]
    assert {state for name, state, _ in jobs if "ann" in name} == {DONE}
    assert [one for one in jobs if "ann" not in one[0]] == [
        ("videos/bob/find_matte", DONE, "matte: 4/4"),
        ("videos/bob/estimate_pose", STOPPED, "bob.mp4: cut off"),
        ("models/bob/body", RUNS, "train body: 12/100"),
        ("write_report", RUNS, ""),
    ]


def test_people_read_what_runs_how_far_it_is_and_what_stopped(folder):
    lines = describe_jobs(read_jobs(folder)).splitlines()
    assert lines[0] == "4 of 7 jobs that began are done; the last:"
    assert lines[2:4] == ["  transfer/ann_to_bob/assemble_video.webm", "  videos/bob/find_matte"]
    assert "  models/bob/body, 5 s ago: train body: 12/100" in lines
    assert "  videos/bob/estimate_pose, 80 s ago: bob.mp4: cut off" in lines


def test_the_last_words_of_a_run_are_of_the_jobs_that_it_stopped(folder):
    failed = ["bob.mp4: cut off (details: logs/videos/bob/estimate_pose.log)"]
    assert last_words(time.time() - 85, folder) == failed
    killed = "ended without a reason; was it killed? (details: logs/models/bob/body.log)"
    assert last_words(time.time() - 7, folder)[0] == killed
    assert last_words(time.time() + 9, folder) == []


def test_the_command_says_where_nothing_was_run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["status", str(folder)])
    main()
    assert "4 of 7 jobs" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["status", str(tmp_path / "logs" / "models")])
    with pytest.raises(SystemExit, match="no job left a log; run snakemake there"):
        main()
