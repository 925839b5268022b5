"""Trainings that are killed, stopped, changed or started twice."""

import errno
import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from math import inf
from pathlib import Path

import psutil
import pytest
from board import steps as curve_steps
from conftest import REPOSITORY
from tiny import FORKS, STAGE, train_tiny, train_until_stopped

from edn_core.config import RuntimeConfig
from edn_core.errors import ToldToStop
from edn_core.logs import LOGGER
from edn_core.tensors import read_tensors
from edn_core.training import STAGES, guard, loop, pace
from edn_core.training.guard import StoppedEarly, training_lock, watch_for_end

TINY = Path(__file__).parent / "tiny.py"
STATE = "training_state.safetensors"
FIX_COARSE = 0.4  # of the enhance stage; no other stage reads it


def wait_until(is_so, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def steps_done(model: Path) -> int:
    path = model.parent / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def same_files(model: Path, other: Path) -> bool:
    return all(
        (model.parent / name).read_bytes() == (other.parent / name).read_bytes()
        for name in ("generator.safetensors", "discriminator.safetensors")
    )


@pytest.mark.parametrize("name", STAGES)
def test_killed_at_a_random_step_it_goes_on_to_the_same_bytes(
    tiny_target, tiny_starts, tmp_path, log, name
):
    steps, start = 24, tiny_starts[name]
    more = {"config": replace(STAGE, steps=steps), "options": {"fix_coarse": FIX_COARSE}}
    straight = tmp_path / "straight" / "generator.safetensors"
    train_tiny(tiny_target, straight, name, start, **more)
    model = tmp_path / "killed" / "generator.safetensors"
    killed_at = random.randint(2, steps // 2)
    arguments = (tiny_target, model, name, start, steps)
    process = FORKS.Process(
        target=train_until_stopped, args=arguments, kwargs={"options": more["options"]}
    )
    process.start()
    wait_until(lambda: steps_done(model) >= killed_at)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    time.sleep(1)  # TensorBoard reads event files in the order of the second they are from
    assert not model.exists()
    assert (model.parent / STATE).is_file()

    every_step = RuntimeConfig(device="cpu", log_every_s=0)
    train_tiny(tiny_target, model, name, start, runtime=every_step, **more)
    assert f"{name}: goes on from step" in log()
    assert same_files(model, straight), f"killed at step {killed_at}"
    assert not (model.parent / STATE).exists()
    rows = [json.loads(row) for row in (model.parent / "metrics.jsonl").read_text().splitlines()]
    logged = [row["step"] for row in rows if "learning_rate" in row]
    assert logged == list(range(1, steps + 1))
    assert curve_steps(model.parent / "tensorboard", "learning_rate") == logged


class AtTheFirstLine(logging.Handler):
    """Tells this process to stop once the training has begun."""

    def emit(self, record: logging.LogRecord) -> None:
        if "not recorded" in record.getMessage():  # before the first step
            signal.raise_signal(signal.SIGTERM)


def test_told_to_stop_it_saves_its_state_and_the_next_goes_on_to_the_same_bytes(
    tiny_target, tmp_path, log
):
    steps = 60
    config = replace(STAGE, steps=steps)
    straight = train_tiny(
        tiny_target, tmp_path / "straight" / "generator.safetensors", config=config
    )
    model = tmp_path / "told" / "generator.safetensors"
    process = FORKS.Process(
        target=train_until_stopped, args=(tiny_target, model, "body", None, steps)
    )
    process.start()
    wait_until(lambda: steps_done(model) >= 2)
    process.terminate()
    process.join(60)
    said = (model.parent / "said").read_text()
    (step,) = re.findall(r"stopped at step (\d+) of 60: .*told to stop \(SIGTERM\)", said)
    about, _ = read_tensors(model.parent / STATE, ("edn-training-state", 1))
    assert about["step"] == int(step)
    assert not list(model.parent.glob(".*.partial.*"))
    train_tiny(tiny_target, model, config=config)
    assert f"body: goes on from step {step}" in log()
    assert same_files(model, straight)


def test_told_to_stop_before_the_first_step_it_ends_at_once_and_loses_nothing(
    tiny_target, tmp_path
):
    handler, before = AtTheFirstLine(), signal.getsignal(signal.SIGTERM)
    LOGGER.addHandler(handler)
    level = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    try:
        with pytest.raises(ToldToStop, match="SIGTERM"):
            train_tiny(tiny_target, tmp_path / "generator.safetensors")
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
    assert signal.getsignal(signal.SIGTERM) is before
    assert {path.name for path in tmp_path.iterdir()} == {"lock"}


def stopped_before_its_last_line(target, model: Path, monkeypatch, **more) -> Path:
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_generator", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_tiny(target, model, **more)
    assert not model.exists()
    return model


def test_a_training_killed_between_its_last_lines_ends_again_in_the_same_bytes(
    tiny_target, tiny_body, tmp_path, monkeypatch, log
):
    model = tmp_path / "generator.safetensors"
    stopped_before_its_last_line(tiny_target, model, monkeypatch)
    # What changes speed only may be changed meanwhile.
    runtime = RuntimeConfig(device="cpu", frame_cache_mb=0, checkpoint_every_s=5, loader_workers=1)
    train_tiny(tiny_target, model, runtime=runtime)
    assert "body: goes on from step 4" in log()
    assert same_files(model, tiny_body)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 3},
        {"with_matte": False},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_setting_never_continues_an_old_run(
    tiny_target, tmp_path, monkeypatch, log, changed
):
    model = tmp_path / "old" / "generator.safetensors"
    stopped_before_its_last_line(tiny_target, model, monkeypatch)
    train_tiny(tiny_target, model, **changed)
    assert "goes on from" not in log()
    fresh = train_tiny(tiny_target, tmp_path / "fresh" / "generator.safetensors", **changed)
    assert same_files(model, fresh)


# Out of time


def test_a_job_that_ends_soon_is_stopped_the_margin_and_its_slowest_step_before(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + 1000))
    with watch_for_end(margin_s=60) as watch:
        assert watch.reason() is None
        watch._asked -= 950  # so long took a step
        assert "has used up its time" in watch.reason()
        assert watch.is_out_of_time
    monkeypatch.setenv("EDN_JOB_END", str(time.time() + 30))  # counts before Slurm's
    with watch_for_end(margin_s=60) as watch:
        assert re.search(r"\((29|30) s are left", watch.reason())
    monkeypatch.setenv("EDN_JOB_END", "noon")
    with pytest.raises(ValueError, match="EDN_JOB_END: is 'noon', expected .*seconds since 1970"):
        guard.Watch(0)
    monkeypatch.delenv("EDN_JOB_END")
    monkeypatch.delenv("SLURM_JOB_END_TIME")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    squeue = tmp_path / "squeue"
    for says, end in (("2026-07-01T12:00:00", datetime(2026, 7, 1, 12).timestamp()), ("N/A", inf)):
        squeue.write_text(f"#!/bin/sh\necho {says}\n")
        squeue.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert guard.Watch(0)._end == end
    monkeypatch.delenv("SLURM_JOB_ID")
    assert guard.Watch(0)._end == inf


def test_out_of_time_on_slurm_it_is_queued_again_and_goes_on_to_the_same_bytes(
    tiny_target, tiny_body, tmp_path, monkeypatch, log
):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    # As Slurm does: the job that is put back into the queue is ended.
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nkill -TERM $PPID\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    model = tmp_path / "model" / "generator.safetensors"
    steps_of_a_stay, stays = iter([2, 1, 9]), 0
    was_asked = guard.Watch.reason

    def after_some_steps(watch):
        watch.left = getattr(watch, "left", None) or next(steps_of_a_stay)
        watch.left -= 1
        if watch.left == 0:
            watch._end = 0
        return was_asked(watch)

    monkeypatch.setattr(guard.Watch, "reason", after_some_steps)
    while not model.exists():
        stays += 1
        try:
            train_tiny(tiny_target, model)
        except StoppedEarly as stopped:
            assert "has used up its time (0 s are left to the job)" in str(stopped)
    assert stays == 3
    # A stay of one step only would be repeated for ever: it is left to the profile's retries.
    assert (tmp_path / "asked").read_text() == "requeue 17\n"
    assert same_files(model, tiny_body)


# So many minutes


def test_minutes_become_steps_once_and_the_training_that_goes_on_keeps_them(
    tiny_target, tmp_path, monkeypatch, log
):
    assert pace.steps_within(100, 0.5, validating=5) == 180  # 95 s, 5 % of them spare
    assert pace.steps_within(100, 0.5, validating=90) == 95  # half of the time
    assert pace.steps_within(-3, 0.5, validating=5) == 1
    model, straight = (tmp_path / name / "generator.safetensors" for name in ("some", "steps"))
    was_asked, asked = guard.Watch.reason, []

    def after_three_steps(watch):
        asked.append(watch)
        return "has to stop" if len(asked) == 3 else was_asked(watch)

    monkeypatch.setattr(guard.Watch, "reason", after_three_steps)
    options = {"minutes": 5.0}
    monkeypatch.setattr(pace, "steps_within", lambda *_: 7)
    with pytest.raises(StoppedEarly, match="stopped at step 3 of 7"):
        train_tiny(tiny_target, model, options=options)
    monkeypatch.setattr(pace, "steps_within", lambda *_: 99)  # on a busier machine
    train_tiny(tiny_target, model, options=options)
    assert "training.minutes gives it 5 minutes: 7 steps of" in log()
    assert same_files(model, train_tiny(tiny_target, straight, config=replace(STAGE, steps=7)))


# Who may train


def hold(folder: Path, is_held) -> None:
    with training_lock(folder):
        is_held.set()
        time.sleep(600)


def test_a_second_trainer_in_a_folder_is_refused_and_told_who_holds_it(tiny_target, tmp_path):
    is_held = FORKS.Event()
    holder = FORKS.Process(target=hold, args=(tmp_path, is_held))
    holder.start()
    try:
        assert is_held.wait(60)
        for _ in range(2):
            with pytest.raises(ValueError, match=rf"another training \(pid {holder.pid}\) is at"):
                train_tiny(tiny_target, tmp_path / "generator.safetensors")
    finally:
        holder.kill()
        holder.join()
    with training_lock(tmp_path):  # the dead hold nothing
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    with training_lock(tmp_path):
        pass


def test_where_the_file_system_knows_no_locks_it_warns_and_trains(tmp_path, monkeypatch, log):
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(guard.fcntl, "flock", no_locks)
    with training_lock(tmp_path):
        assert "knows no locks (No locks available)" in log()


def has_ended(pid: int) -> bool:
    """Also of a process that nobody has waited for yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_trainer_ends_with_the_workflow_that_started_it(tiny_target, tmp_path):
    workflow = tmp_path / "bin" / "snakemake"
    workflow.parent.mkdir()
    workflow.write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:])\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "child.wait()\n"
    )
    model = tmp_path / "model" / "generator.safetensors"
    process = subprocess.Popen(
        [sys.executable, workflow, sys.executable, TINY, tiny_target.folder, model],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )
    trainer = int(process.stderr.readline())
    try:
        wait_until(lambda: steps_done(model) >= 1)
        process.kill()  # nobody waits for it yet, as in a container whose first process does not
        wait_until(lambda: has_ended(trainer))
    finally:
        process.kill()
        process.wait()
        if not has_ended(trainer):
            os.kill(trainer, signal.SIGKILL)
    process.stderr.close()
    said = (model.parent / "said").read_text()
    assert "was left behind: what started it has ended" in said
    assert (model.parent / STATE).is_file()
    assert not model.exists()
