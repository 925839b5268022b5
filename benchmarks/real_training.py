"""What `benchmarks.gpu_real` trains: stages within so many seconds, each with a clock beside it."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch

from edn_core.compose import halved_affine
from edn_core.config import Config, RuntimeConfig
from edn_core.frames import FrameWriter
from edn_core.keypoints import read_keypoints
from edn_core.normalize import read_statistics
from edn_core.render import render_labels
from edn_core.split import Split
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, loop, train
from edn_core.training.run import Run
from edn_core.training.validation import Validation
from edn_core.window import frames_info, plan_window, write_window

WATCHED: tuple[tuple[str, Any, str], ...] = (
    ("pace", loop, "settle_steps"),
    ("step", Run, "train_step"),
    ("validation", Validation, "score"),
    *(("saving", loop, f"save_{what}") for what in ("state", "discriminator", "generator")),
)
"""What the training loop calls, by what it is counted as."""
COST = {"body": 1, "temporal": 2, "enhance": 5, "face": 1}
"""Of a step, roughly: for the stages' shares of the time."""


def train_stage(
    stage: str, files: TrainingFiles, settings: TrainingSettings, runtime: RuntimeConfig
) -> dict[str, Any]:
    """Train a stage; returns the row of the table that says where its seconds went."""
    device, is_cuda = torch.device(runtime.device), runtime.device == "cuda"
    spent = dict.fromkeys(("setup", "pace", "step", "validation", "saving"), 0.0)
    steps, within = 0, False

    def now(waits: bool = True) -> float:
        if waits and is_cuda:
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **more: Any) -> Any:
            nonlocal steps, within
            if within:  # the steps by which the pace is measured
                return call(*given, **more)
            steps, within = steps + (part == "step"), True
            began = now(part != "step")  # steps are launched ahead, as in any training
            spent["setup"] = spent["setup"] or began - started
            try:
                return call(*given, **more)
            finally:
                within = False
                spent[part] += now(part != "step") - began

        return run

    started = now()
    with ExitStack() as stack:
        for part, owner, name in WATCHED:
            stack.enter_context(patch.object(owner, name, timed(part, getattr(owner, name))))
        train(STAGES[stage], files, settings, runtime, device)
    wall = now() - started
    spent["step"] = wall - sum(seconds for part, seconds in spent.items() if part != "step")
    row = {"stage": stage, "steps": steps, "wall": wall, **spent}
    row |= {"pairs_per_s": steps * settings.stage.batch_size / spent["step"]}
    for kind in ("allocated", "reserved") if is_cuda else ():  # the loop resets the peaks
        row[f"{kind}_gb"] = getattr(torch.cuda, f"max_memory_{kind}")(device) / 1e9
    return row


def train_stages(
    stores: Path, out: Path, config: Config, split: Split, seconds: float, is_quick: bool
) -> tuple[list[dict[str, Any]], Path]:
    """Train all stages, which share the seconds as their epochs do; rows and last generator."""
    end, start, rows = time.monotonic() + seconds, None, []
    owns = {stage: getattr(config.training, stage) for stage in config.training.stages}
    shares = [(own.epochs or own.steps) * COST[stage] for stage, own in owns.items()]
    for number, (stage, own) in enumerate(owns.items()):
        mine = (end - time.monotonic()) * shares[number] / sum(shares[number:])
        training = replace(config.training, minutes=max(mine, 1.0) / 60)
        if is_quick:
            training = replace(training, minutes=None)
            own = replace(own, steps=2, epochs=None, validations=1)
        generator = out / stage / "generator.safetensors"
        of_clip = {name: stores / f"{name}.zip" for name in ("frames", "labels")}
        of_clip |= {"keypoints": stores / "keypoints.h5", "window": stores / "window.json"}
        files = TrainingFiles(**of_clip, start=start, generator=generator)
        settings = TrainingSettings(own, config.network, split, training)
        rows.append(train_stage(stage, files, settings, config.runtime))
        start = generator
    assert start
    return rows, start


def paint_stores(stores: Path, truth: Any, config: Config, split: Split, out: Path) -> Path:
    """Stores of the same clip as the paper's way has them: the whole picture, of as many pixels."""
    keypoints = read_keypoints(stores / "keypoints.h5")
    statistics_of = read_statistics(stores / "statistics.json")
    pixels = config.canvas.pixels
    window = plan_window(keypoints, statistics_of, split.train_frames, pixels, is_whole=True)
    info = frames_info(window, keypoints, statistics_of)
    out.mkdir(parents=True, exist_ok=True)
    write_window(out / "window.json", window)
    (out / "keypoints.h5").write_bytes((stores / "keypoints.h5").read_bytes())
    how = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    with FrameWriter(out / "frames.zip", info) as writer:
        for number, affine in enumerate(halved_affine(info.to_video, truth.halvings)):
            image = np.asarray(truth[number])
            writer.append(cv2.warpAffine(image, affine, info.size[::-1], flags=how))
    render_labels(keypoints, config.labels, out / "labels.zip", info)
    return out
