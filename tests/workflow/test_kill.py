"""kill -9 in the middle of a training, and the same command again: nothing is lost, not a bit."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from checkout import COMMAND, ENVIRONMENT, plan, snakemake, snakemake_here

pytestmark = pytest.mark.workflow

# The tiny demo again, with a body stage long enough to be killed in, saved every few steps.
SETTINGS = """
training: {body: {steps: 240, validations: 3}}
runtime: {checkpoint_every_s: 0.2, log_every_s: 1.0}
"""
TARGET = ("--configfile", "config/test.yaml", "killed.yaml", "--", "body")
WHOLE = (*TARGET[:-1], "demo")
FOLDER = Path("results/models/demo_target/body")


@pytest.fixture
def checkout(finished_demo, tmp_path) -> Path:
    """A finished demo whose body stage has to be trained anew."""
    folder = tmp_path / "checkout"
    shutil.copytree(finished_demo, folder)
    (folder / "killed.yaml").write_text(SETTINGS)
    return folder


def wait_for(what: Callable[[], object], seconds: float) -> object:
    """Look until there is something; fail when it takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing after {seconds} s")


def start(
    folder: Path, target: tuple[str, ...] = TARGET
) -> tuple[subprocess.Popen, psutil.Process]:
    """Start Snakemake and return it and its trainer, somewhere in the middle of the stage."""
    state = folder / FOLDER / "training_state.safetensors"
    before = state.stat().st_mtime_ns if state.exists() else 0
    with open(folder / "output.txt", "w") as output:
        running = subprocess.Popen(
            [*COMMAND, *target],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def trainer() -> psutil.Process | None:
        for child in psutil.Process(running.pid).children(recursive=True):
            if "python" in child.name() and "train_stage" in " ".join(child.cmdline()):
                return child
        return None

    found = wait_for(trainer, 60)
    wait_for(lambda: state.exists() and state.stat().st_mtime_ns > before, 60)
    time.sleep(random.uniform(0, 0.4))
    assert isinstance(found, psutil.Process)
    return running, found


def kill(process: subprocess.Popen | psutil.Process) -> None:
    """SIGKILL: no chance to tidy up."""
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def test_a_training_killed_three_times_ends_with_the_same_bytes(checkout, tmp_path):
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(checkout, undisturbed)
    assert snakemake(undisturbed, *TARGET).status == 0
    log = checkout / "logs/models/demo_target/body.log"

    # The trainer, in a run of everything: Snakemake sees it fail; the same command goes on.
    running, trainer = start(checkout, WHOLE)
    kill(trainer)
    assert running.wait(60) != 0
    assert not (checkout / FOLDER / "generator.safetensors").exists()

    # Snakemake: its trainer saves and ends by itself, so that no two ever meet.
    running, trainer = start(checkout)
    assert "body: goes on from step" in log.read_text()
    kill(running)
    trainer.wait(20)
    assert "what started it has ended; its state is saved" in log.read_text()
    refused = snakemake_here(checkout, *TARGET)
    assert refused.status != 0
    assert "--unlock" in refused.output

    # Both at once.
    assert snakemake_here(checkout, "--unlock", *TARGET[:-2]).status == 0
    running, trainer = start(checkout)
    assert "body: goes on from step" in log.read_text()
    kill(running)
    kill(trainer)

    assert snakemake_here(checkout, "--unlock", *TARGET[:-2]).status == 0
    # What followed from it is not taken for up to date; the video stays until there is another.
    planned = plan(checkout, *WHOLE)
    assert planned["train_stage"] == 3
    assert planned["synthesize_frames"] == planned["assemble_video"] == 1
    assert (checkout / "results/transfer/demo_source_to_demo_target.mp4").is_file()
    assert snakemake(checkout, *TARGET).status == 0
    assert "body: goes on from step" in log.read_text()
    same = [folder / FOLDER / "generator.safetensors" for folder in (checkout, undisturbed)]
    assert same[0].read_bytes() == same[1].read_bytes()
    assert not (checkout / FOLDER / "training_state.safetensors").exists()
