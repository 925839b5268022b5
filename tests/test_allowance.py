"""Trainings whose job ends before they do. A real Slurm has its turn in tests/cluster."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from conftest import REPOSITORY
from tiny import STAGE, train_tiny

from edn_core import batch_job
from edn_core.batch_job import read_duration, seconds_left_by_hand, seconds_left_on_slurm
from edn_core.config import RuntimeConfig
from edn_core.training.allowance import Allowance
from edn_core.training.guard import OutOfTime, StoppedEarly
from edn_core.training.loop import _stopped
from edn_core.training.validation import Validation

STATE = "training_state.safetensors"


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    """These tests may themselves run in a job."""
    for name in ("EDN_JOB_END", "SLURM_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A function that puts a shell script of a name first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    return put


# When a job ends


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("1:30", 90),
        ("2:00:01", 7201),
        ("1-00:00:00", 86400),
        ("2-03:00:10\n", 183610),
        ("UNLIMITED", math.inf),
        ("NOT_SET", None),
        ("INVALID", None),
        ("", None),
        ("-1:00", None),
        ("1:2:3:4:5", None),
    ],
)
def test_slurms_durations_are_read(text, seconds):
    assert read_duration(text) == seconds


def test_without_a_scheduler_no_end_is_known():
    assert seconds_left_by_hand() is None
    assert seconds_left_on_slurm() is None
    assert Allowance(RuntimeConfig()).reason() is None


def test_the_end_is_given_by_hand_for_other_schedulers(monkeypatch):
    monkeypatch.setenv("EDN_JOB_END", str(time.time() + 100))
    assert 90 < seconds_left_by_hand() <= 100


def test_an_end_that_is_no_time_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("EDN_JOB_END", "tomorrow")
    with pytest.raises(ValueError, match=r"EDN_JOB_END is 'tomorrow'; expected .* since 1970"):
        Allowance(RuntimeConfig())


def test_slurms_own_variable_is_believed_and_squeue_asked_without_it(monkeypatch, commands):
    commands("squeue", '[ "$3" = 77 ] && echo 2:00')
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert seconds_left_on_slurm() == 120
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 1000))
    assert 990 < seconds_left_on_slurm() <= 1000


def test_a_squeue_that_fails_or_says_nothing_knows_no_end(monkeypatch, commands):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    for text in ("exit 1", "true", "echo slurm_load_jobs error", "echo UNLIMITED"):
        commands("squeue", text)
        assert Allowance(RuntimeConfig(stop_margin_s=10)).reason() is None


# How much of it is kept free


def test_the_margin_is_twice_the_slowest_saving_and_the_longest_wait_but_not_less_than_set():
    allowance = Allowance(RuntimeConfig(stop_margin_s=10))
    assert allowance.margin_s == 10
    allowance.expect_state(3_000_000_000)  # a minute at 50 MB/s
    assert allowance.margin_s == 120
    allowance.note_saving(40)  # measured now
    allowance.note_saving(20)
    assert allowance.margin_s == 80


def test_the_longest_time_between_two_questions_counts_but_not_that_of_the_first_steps():
    allowance = Allowance(RuntimeConfig(stop_margin_s=0, time_limit_s=1000))
    time.sleep(0.3)  # compiles
    allowance.reason()
    assert allowance.margin_s == 0
    allowance.start_timing()
    for seconds in (0.1, 0.2, 0.1):
        time.sleep(seconds)
        allowance.reason()
    assert allowance.margin_s >= 0.2


def test_a_limit_counts_from_the_beginning_and_stays_over():
    allowance = Allowance(RuntimeConfig(time_limit_s=60.1, stop_margin_s=60))
    assert allowance.reason() is None
    time.sleep(0.2)
    assert "has used up its time (60 s are left to the job)" in allowance.reason()
    assert allowance.reason() is not None
    assert allowance.is_over
    assert not allowance.is_worth_another  # 60 s are kept free, 0.2 s were used


def test_a_clock_that_is_set_does_not_move_the_end(monkeypatch):
    monkeypatch.setenv("EDN_JOB_END", str(time.time() + 1000))
    allowance = Allowance(RuntimeConfig(stop_margin_s=10))
    now = time.time()
    for jump in (86400, -86400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        assert allowance.reason() is None


def test_slurm_is_asked_again_before_time_is_over_for_the_limit_may_have_been_raised(
    monkeypatch, commands
):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 5))
    commands("squeue", "echo 1-00:00:00")
    allowance = Allowance(RuntimeConfig(stop_margin_s=60))
    assert allowance.reason() is None
    commands("squeue", "echo 0:30")
    assert allowance.reason() is None  # a day is left, so nobody is asked
    again = Allowance(RuntimeConfig(stop_margin_s=60))
    assert "30 s are left" in again.reason()
    commands("squeue", "exit 1")
    assert "s are left" in Allowance(RuntimeConfig(stop_margin_s=60)).reason()


# What a training does


def test_a_training_in_five_stays_ends_in_the_same_bytes(tiny_target, tmp_path):
    config = replace(STAGE, steps=30, validations=3)
    straight = train_tiny(
        tiny_target, tmp_path / "straight" / "generator.safetensors", config=config
    )
    model = tmp_path / "stays" / "generator.safetensors"
    for seconds in (0, 0, 0.01, 0):  # no time is time for one step
        runtime = RuntimeConfig(device="cpu", time_limit_s=seconds, stop_margin_s=0)
        with pytest.raises(StoppedEarly, match="has used up its time"):
            train_tiny(tiny_target, model, config=config, runtime=runtime)
        assert (model.parent / STATE).is_file()
    train_tiny(tiny_target, model, config=config)
    assert model.read_bytes() == straight.read_bytes()
    rows = [json.loads(row) for row in (model.parent / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "validation_ssim" in row] == [10, 20, 30]


def test_a_job_too_short_to_save_in_is_told_so_and_not_queued_again(tiny_target, tmp_path):
    runtime = RuntimeConfig(device="cpu", time_limit_s=30, stop_margin_s=60)
    with pytest.raises(
        StoppedEarly, match=r"stopped at step 1 of 4: .*the job is too short: 60 s of it are kept"
    ) as stopped:
        train_tiny(tiny_target, tmp_path / "generator.safetensors", runtime=runtime)
    assert not isinstance(stopped.value, OutOfTime)


def test_a_stay_that_made_no_step_is_not_repeated_for_ever():
    allowance = Allowance(RuntimeConfig(device="cpu", time_limit_s=1e-3, stop_margin_s=0))
    time.sleep(0.01)
    assert allowance.reason() is not None
    assert isinstance(_stopped("x", allowance, has_moved=True), OutOfTime)
    assert not isinstance(_stopped("x", allowance, has_moved=False), OutOfTime)


def test_a_signal_in_the_middle_of_a_validation_waits_for_one_frame_and_it_is_made_up_for(
    tiny_target, tmp_path, monkeypatch
):
    straight = train_tiny(tiny_target, tmp_path / "straight" / "generator.safetensors")
    model = tmp_path / "generator.safetensors"
    score = Validation.score

    def told_meanwhile(self, *arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return score(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Validation, "score", told_meanwhile)
        with pytest.raises(StoppedEarly, match="stopped at step 2 of 4"):
            train_tiny(tiny_target, model)
        assert torch.load(tmp_path / STATE)["needs_validation"]
        with pytest.raises(StoppedEarly, match=r"told to stop \(SIGTERM\) before its first"):
            train_tiny(tiny_target, model)
    train_tiny(tiny_target, model)
    assert model.read_bytes() == straight.read_bytes()
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "validation_ssim" in row] == [2, 4]


PROGRAM = """
import sys
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, sys.argv[1])
from tiny import NETWORK, SPLIT, STAGE, TinyTarget, tiny_dancer
from edn_core.config import RuntimeConfig, TrainingConfig
from edn_core.logs import log_to
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, run_training
target, model = TinyTarget(Path(sys.argv[2]), tiny_dancer()), Path(sys.argv[3])
log_to(model.parent / "log")
files = TrainingFiles(target.frames, target.labels, target.keypoints, None, None, model)
config = replace(STAGE, steps=100_000, batch_size=2)
settings = TrainingSettings(config, NETWORK, SPLIT, TrainingConfig())
runtime = RuntimeConfig(device="cpu", time_limit_s=0.1, stop_margin_s=0,
                        gpus_per_training=int(sys.argv[4]), requeue=sys.argv[5])
run_training(STAGES["body"], files, settings, runtime)
"""


def train_for_a_moment(target, model, processes: int = 1, requeue: str = "auto"):
    """A training in a process of its own; returns how it ended and its lines on the terminal."""
    tests = str(REPOSITORY / "tests")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tests, target.folder, model, str(processes), requeue],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("processes", [1, 2])
def test_out_of_time_in_slurm_it_asks_for_another_stay_and_waits_to_be_ended(
    tiny_target, tmp_path, monkeypatch, commands, processes
):
    # As Slurm does: the request is granted, then the job's processes are told to end.
    commands("scontrol", f'echo "$@" > {tmp_path}/asked; (sleep 1; kill $PPID) & exit 0')
    commands("squeue", "echo UNLIMITED")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    model = tmp_path / "model" / "generator.safetensors"
    status, lines = train_for_a_moment(tiny_target, model, processes)
    assert (tmp_path / "asked").read_text() == "requeue 77\n", lines
    assert status == 1
    (line,) = [line for line in lines if line.startswith("edn: error:")]
    assert "has used up its time" in line
    assert (model.parent / STATE).is_file()


def test_a_slurm_that_refuses_is_quoted_and_the_training_ends(
    tiny_target, tmp_path, monkeypatch, commands
):
    commands("scontrol", "echo 'Requested operation is presently disabled' >&2; exit 1")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    status, lines = train_for_a_moment(tiny_target, tmp_path / "model" / "generator.safetensors")
    assert status == 1
    assert any("no other stay (Requested operation is presently disabled)" in one for one in lines)


def test_slurm_is_not_asked_where_the_settings_say_so(tiny_target, tmp_path, monkeypatch, commands):
    commands("scontrol", f"touch {tmp_path}/asked")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    model = tmp_path / "model" / "generator.safetensors"
    status, lines = train_for_a_moment(tiny_target, model, requeue="never")
    assert status == 1
    assert "the same command goes on from there" in lines[-1]
    assert not (tmp_path / "asked").exists()


def test_a_scheduler_that_never_answers_is_given_up_on(monkeypatch, commands):
    commands("squeue", "exec sleep 60")
    monkeypatch.setattr(batch_job, "SECONDS_FOR_AN_ANSWER", 0.3)
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert seconds_left_on_slurm() is None


def test_a_state_of_the_release_before_is_gone_on_from(tiny_target, tmp_path):
    runtime = RuntimeConfig(device="cpu", time_limit_s=0, stop_margin_s=0)
    model = tmp_path / "generator.safetensors"
    with pytest.raises(StoppedEarly, match="stopped at step 1 of 4"):
        train_tiny(tiny_target, model, runtime=runtime)
    state = torch.load(tmp_path / STATE)
    del state["needs_validation"]
    torch.save(state, tmp_path / STATE)
    train_tiny(tiny_target, model)
    straight = train_tiny(tiny_target, tmp_path / "straight" / "generator.safetensors")
    assert model.read_bytes() == straight.read_bytes()
