"""Memory that runs out: one line with the next smaller setting. The allocations do fail."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from tiny import SIZE, train_tiny

from edn_core.config import PRESETS
from edn_core.out_of_memory import OutOfMemory, Work, explain_out_of_memory, next_smaller

WORK = Work("x/generator.safetensors: training body", (512, 1024))


@pytest.mark.parametrize("allocate", [torch.empty, lambda n: np.empty(n, np.uint8)])
def test_an_allocation_that_fails_is_explained_in_one_line(allocate):
    function = explain_out_of_memory(lambda size: WORK)(allocate)
    with pytest.raises(OutOfMemory) as caught:
        function(2**60)
    said = str(caught.value)
    assert said.startswith(
        "x/generator.safetensors: training body: main memory is full (asked for "
    )
    assert "at a canvas of 1024 x 512 (canvas.pixels 524288); " in said
    assert "set preset: 12gb (canvas.pixels 294912), or canvas.pixels: 262144" in said
    assert "\n" not in said


def test_what_costs_nothing_is_named_first():
    work = Work("x", (256, 512), "lower training.body.batch_size (now 4)")
    with pytest.raises(OutOfMemory, match=r"; lower training.body.batch_size \(now 4\), or lower "):
        explain_out_of_memory(lambda size: work)(torch.empty)(2**60)


def test_other_failures_and_results_pass_through():
    def divide(a, b):
        return a / b

    explained = explain_out_of_memory(lambda a, b: WORK)(divide)
    assert explained(6, b=2) == 3
    with pytest.raises(ZeroDivisionError):
        explained(1, 0)
    with pytest.raises(RuntimeError, match="size of tensor"):
        explain_out_of_memory(lambda: WORK)(lambda: torch.zeros(2) + torch.zeros(3))()


@pytest.mark.parametrize(
    ("pixels", "name"),
    [
        (2_097_152, "24gb"),
        (2_088_960, "24gb"),
        (524_288, "12gb"),
        (294_912, "8gb"),
        (147_456, "cpu"),
    ],
)
def test_the_next_smaller_preset_is_named(pixels, name):
    assert next_smaller(pixels).startswith(f"set preset: {name} (canvas.pixels ")


def test_below_the_smallest_preset_numbers_are_named():
    assert PRESETS["cpu"]["canvas"]["pixels"] == 12_288
    assert next_smaller(12_288) == (
        "set canvas.pixels: 6144, or network.generator_channels to half of what it is"
    )


PROGRAM = """
import resource, sys
sys.path[:0] = ["tests"]
from dataclasses import replace
from pathlib import Path
import tiny, torch
from edn_core.logs import log_to
from edn_core.training import run_training  # everything is imported before memory is limited
folder, model = map(Path, sys.argv[1:])
log_to(model.parent / "log")
tiny.NETWORK = replace(tiny.NETWORK, generator_channels=512, residual_blocks=9)
torch.set_num_threads(1)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, hard))
config = replace(tiny.STAGE, batch_size=8)
try:
    tiny.train_tiny(tiny.TinyTarget(folder, tiny.tiny_dancer()), model, config=config)
finally:  # what torch does at the end of a process needs some, too
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
"""


def test_a_training_without_memory_ends_in_one_line_and_keeps_the_state(tiny_target, tmp_path):
    model = tmp_path / "model" / "generator.safetensors"
    train_tiny(tiny_target, model)
    state = model.parent / "training_state.safetensors"
    state.write_bytes(model.read_bytes())  # of other settings: neither used nor lost
    before = state.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny_target.folder), str(model)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert line.startswith(f"edn: error: {model}: training body: main memory is full")
    assert f"a canvas of {SIZE} x {SIZE} (canvas.pixels 4096), 512 channels" in line
    assert "lower training.body.batch_size (now 8)" in line
    assert state.read_bytes() == before
