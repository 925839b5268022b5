"""Trainings that are killed, stopped, changed or started twice."""

import errno
import json
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from board import steps as curve_steps
from conftest import REPOSITORY
from tiny import SPLIT, STAGE, TinyTarget, batch_of, run_of, train_tiny

from edn_core.checkpoint import load_state, save_generator, save_state
from edn_core.config import RuntimeConfig
from edn_core.logs import LOGGER
from edn_core.training import STAGES, guard, loop
from edn_core.training.guard import _is_alive, training_lock, watch_for_end
from edn_core.training.loop import StoppedEarly
from edn_core.training.run import Run

TINY = Path(__file__).parent / "tiny.py"
STATE = "training_state.safetensors"


def go_on(run: Run, target: TinyTarget, steps: range) -> None:
    for step in steps:
        run.train_step(batch_of(target, step), 6)
        if step % 2:
            run.keep_if_best(float(step))


@pytest.mark.parametrize("name", STAGES)
def test_a_state_holds_everything_that_is_needed_to_go_on(tiny_target, tiny_starts, tmp_path, name):
    start = tiny_starts[name]
    straight, first = (run_of(tiny_target, name, start) for _ in range(2))
    go_on(straight, tiny_target, range(6))
    go_on(first, tiny_target, range(3))
    save_state(tmp_path / STATE, "key", first.state())
    second = run_of(tiny_target, name, start)
    second.restore(load_state(tmp_path / STATE, "key"))
    go_on(second, tiny_target, range(3, 6))
    assert second.step == straight.step == 6
    for file, run in (("one.pt", straight), ("two.pt", second)):
        save_generator(tmp_path / file, run.trained())
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    for one, other in zip(
        straight.discriminator_weights().values(),
        second.discriminator_weights().values(),
        strict=True,
    ):
        assert torch.equal(one, other)


def start_program(
    target: TinyTarget,
    model: Path,
    stage: str,
    steps: int,
    *before: str,
    more: tuple[str, ...] = (),
):
    """Start a training in a process of its own."""
    arguments = [sys.executable, str(TINY), str(target.folder), str(model), stage, str(steps)]
    arguments += more
    return subprocess.Popen(
        [*before, *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(is_so, process: subprocess.Popen | None = None, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended too early: {process.stderr.read()}")
        time.sleep(0.005)


def steps_done(model: Path) -> int:
    path = model.parent / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def test_a_training_killed_at_a_random_step_goes_on_to_the_same_bytes(
    tiny_target, tiny_body, tmp_path
):
    steps = 40
    straight = train_tiny(
        tiny_target,
        tmp_path / "straight" / "generator.safetensors",
        "temporal",
        tiny_body,
        replace(STAGE, steps=steps),
    )
    shutil.copytree(tiny_body.parent, tmp_path / "start")
    model = tmp_path / "killed" / "generator.safetensors"
    killed_at = random.randint(2, steps // 2)
    process = start_program(tiny_target, model, "temporal", steps)
    wait_until(lambda: steps_done(model) >= killed_at, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not model.exists()
    assert (model.parent / STATE).is_file()

    process = start_program(tiny_target, model, "temporal", steps)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert model.read_bytes() == straight.read_bytes(), f"killed at step {killed_at}"
    name = "discriminator.safetensors"
    assert (model.parent / name).read_bytes() == (straight.parent / name).read_bytes()
    assert not (model.parent / STATE).exists()
    rows = [json.loads(row) for row in (model.parent / "metrics.jsonl").read_text().splitlines()]
    logged = [row["step"] for row in rows if "learning_rate" in row]
    assert logged == list(range(1, steps + 1))
    assert curve_steps(model.parent / "tensorboard", "learning_rate") == logged


def test_a_training_that_is_told_to_stop_saves_its_state_first(tiny_target, tmp_path, log):
    model = tmp_path / "generator.safetensors"
    config = replace(STAGE, steps=8)
    straight = train_tiny(
        tiny_target, tmp_path / "straight" / "generator.safetensors", config=config
    )

    class StopAfter(logging.Handler):
        """Tells this process to stop once the training has begun."""

        def emit(self, record: logging.LogRecord) -> None:
            if "steps on" in record.getMessage():
                os.kill(os.getpid(), signal.SIGTERM)

    handler = StopAfter()
    LOGGER.addHandler(handler)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(
            StoppedEarly,
            match=r"generator.safetensors: stopped at step 3 of 8: .*was told to stop \(SIGTERM",
        ):
            train_tiny(tiny_target, model, config=config)
    finally:
        LOGGER.removeHandler(handler)
    assert signal.getsignal(signal.SIGTERM) is before
    assert (tmp_path / STATE).is_file()
    assert not model.exists()
    train_tiny(tiny_target, model, config=config)
    assert "body: goes on from step 3" in log()
    assert model.read_bytes() == straight.read_bytes()


def test_a_process_that_gets_sigterm_saves_its_state_and_the_next_goes_on_to_the_same_bytes(
    tiny_target, tmp_path
):
    steps = 60
    config = replace(STAGE, steps=steps)
    straight = train_tiny(
        tiny_target, tmp_path / "straight" / "generator.safetensors", config=config
    )
    model = tmp_path / "told" / "generator.safetensors"
    process = start_program(tiny_target, model, "body", steps)
    wait_until(lambda: steps_done(model) >= 2, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    (step,) = re.findall(r"stopped at step (\d+) of 60: .*told to stop \(SIGTERM\)", said)
    state = torch.load(model.parent / STATE, weights_only=True)
    assert state["step"] == int(step)
    assert not list(model.parent.glob(".*.partial.*"))
    train_tiny(tiny_target, model, config=config)
    assert model.read_bytes() == straight.read_bytes()


def test_told_to_stop_before_the_first_step_it_ends_at_once_and_loses_nothing(
    tiny_target, tmp_path, monkeypatch
):
    def told_meanwhile(*arguments, **settings):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("not at once")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "FrameSequences", told_meanwhile)
        with pytest.raises(StoppedEarly, match="before its first step; nothing is lost"):
            train_tiny(tiny_target, tmp_path / "generator.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"lock"}


def test_a_training_killed_between_its_last_lines_ends_again_in_the_same_bytes(
    tiny_target, tmp_path, monkeypatch
):
    straight = train_tiny(tiny_target, tmp_path / "straight" / "generator.safetensors")
    model = tmp_path / "generator.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_generator", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_tiny(tiny_target, model)
    assert not model.exists()
    train_tiny(tiny_target, model)
    assert model.read_bytes() == straight.read_bytes()


def state_of(target: TinyTarget, folder: Path, monkeypatch, config=STAGE, **more) -> Path:
    """Leave the state of a training whose last line was not reached."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_generator", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_tiny(target, folder / "generator.safetensors", config=config, **more)
    return folder / "generator.safetensors"


@pytest.mark.parametrize(
    "changed",
    [
        {"config": replace(STAGE, learning_rate=2e-3)},
        {"config": replace(STAGE, l1=1.0)},
        {"config": replace(STAGE, steps=5)},
        {"seed": 3},
        {"split": replace(SPLIT, validation=range(15, 16))},
        {"with_plate": False},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_setting_never_continues_an_old_run(
    tiny_target, tmp_path, monkeypatch, log, changed
):
    model = state_of(tiny_target, tmp_path / "old", monkeypatch)
    train_tiny(tiny_target, model, **changed)
    assert "goes on from" not in log()
    fresh = train_tiny(tiny_target, tmp_path / "fresh" / "generator.safetensors", **changed)
    assert model.read_bytes() == fresh.read_bytes()


def test_speed_may_be_changed_while_a_run_is_interrupted(tiny_target, tmp_path, monkeypatch, log):
    model = state_of(tiny_target, tmp_path, monkeypatch)
    runtime = RuntimeConfig(device="cpu", frame_cache_mb=0, checkpoint_every_s=5, loader_workers=1)
    train_tiny(tiny_target, model, runtime=runtime)
    assert "body: goes on from step 4" in log()


def test_where_frames_are_decoded_and_how_often_it_saves_change_no_byte(
    tiny_target, tiny_body, tmp_path
):
    runtime = RuntimeConfig(
        device="cpu", frame_cache_mb=0, checkpoint_every_s=0, log_every_s=0, loader_workers=2
    )
    model = train_tiny(tiny_target, tmp_path / "generator.safetensors", runtime=runtime)
    assert model.read_bytes() == tiny_body.read_bytes()


# Who may train


def test_a_second_trainer_in_a_folder_is_refused_and_told_who_holds_it(tiny_target, tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from edn_core.training.guard import training_lock\n"
        "with training_lock(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(REPOSITORY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):
            with pytest.raises(ValueError, match=rf"another training \(pid {holder.pid}\) is at"):
                train_tiny(tiny_target, tmp_path / "generator.safetensors")
    finally:
        holder.kill()
        holder.communicate()
    with training_lock(tmp_path):  # the dead hold nothing
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_what_a_killed_trainer_left_behind_is_waited_for(tmp_path):
    # Its loader processes share its lock and end a moment later.
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from edn_core.training.guard import training_lock\n"
        "with training_lock(Path(sys.argv[1])):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(1)\n"
        "        os._exit(0)\n"
        "    os._exit(0)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    begin = time.monotonic()
    with training_lock(tmp_path):
        assert 0.1 < time.monotonic() - begin < 10


def test_what_a_trainer_killed_while_saving_left_half_written_is_removed(tiny_target, tmp_path):
    half = tmp_path / ".training_state.4194305.partial.pt"  # no process has so high a number
    half.write_bytes(b"half")
    train_tiny(tiny_target, tmp_path / "generator.safetensors")
    assert not half.exists()


def test_where_the_file_system_knows_no_locks_it_warns_and_trains(tmp_path, monkeypatch, log):
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(guard.fcntl, "flock", no_locks)
    with training_lock(tmp_path):
        assert "knows no locks (No locks available)" in log()


def test_a_signal_in_the_first_moment_is_told_like_one_later(monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: None)  # what came before it was asked to watch
    try:
        with pytest.raises(StoppedEarly, match="before its first step"), watch_for_end("x"):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_lock_is_let_go_of_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError, match="half way"), training_lock(tmp_path):
        raise RuntimeError("half way")
    with training_lock(tmp_path):
        pass


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
    process = start_program(tiny_target, model, "body", 100_000, sys.executable, str(workflow))
    trainer = int(process.stderr.readline())
    try:
        wait_until(lambda: steps_done(model) >= 1, process)
        process.kill()  # nobody waits for it yet, as in a container whose first process does not
        wait_until(lambda: has_ended(trainer), seconds=30)
    finally:
        process.kill()
        process.wait()
        if not has_ended(trainer):
            os.kill(trainer, signal.SIGKILL)
    said = process.stderr.read()
    process.stderr.close()
    assert "the Snakemake that started it has ended" in said
    assert (model.parent / STATE).is_file()
    assert not model.exists()


def test_dead_is_dead_whether_or_not_somebody_has_waited_for_it():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = psutil.Process(sleeper.pid)
    assert _is_alive(process)
    sleeper.kill()
    wait_until(lambda: not _is_alive(process), seconds=10)
    sleeper.wait()
    assert not _is_alive(process)


def test_a_trainer_started_by_hand_watches_nobody(monkeypatch):
    monkeypatch.setattr(guard, "SECONDS_BETWEEN_LOOKS", 0.0)
    with watch_for_end() as reason:
        assert reason() is None


def test_a_folder_that_is_called_after_the_workflow_is_not_the_workflow(tmp_path):
    # A shell in such a folder may end while the training goes on.
    script = tmp_path / "my-snakemake-videos" / "start.py"
    script.parent.mkdir()
    look = f"import runpy; print(runpy.run_path({guard.__file__!r})['_snakemakes']())"
    script.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {look!r}])\n")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stdout == "[]\n"
