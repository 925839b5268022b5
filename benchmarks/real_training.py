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
    ("step", Run, "train_step"),
    ("validation", Validation, "score"),
    *(("saving", loop, f"save_{what}") for what in ("state", "discriminator", "generator")),
)
FIRST = 8
"""Steps in which everything is compiled and recorded."""
COST = {"body": 1, "temporal": 2, "enhance": 5, "face": 1}
"""Of a step, roughly: for the stages' shares of the time, which then is measured."""


def train_stage(
    stage: str, files: TrainingFiles, settings: TrainingSettings, runtime: RuntimeConfig
) -> dict[str, Any]:
    """Train a stage; returns the row of the table that says where its seconds went."""
    device, is_cuda = torch.device(runtime.device), runtime.device == "cuda"
    steps: list[float] = []
    spent = dict.fromkeys(("setup", "step", "validation", "saving"), 0.0)

    def now(waits: bool = True) -> float:
        if waits and is_cuda:
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **more: Any) -> Any:
            # Later steps are not waited for: launched ahead, as in any training.
            waits = part != "step" or len(steps) < FIRST
            began = now(waits)
            spent["setup"] = spent["setup"] or began - started
            result = call(*given, **more)
            spent[part] += now(waits) - began
            if part == "step":
                steps.append(now(waits) - began)
            return result

        return run

    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    started = now()
    with ExitStack() as stack:
        for part, owner, name in WATCHED:
            stack.enter_context(patch.object(owner, name, timed(part, getattr(owner, name))))
        train(STAGES[stage], files, settings, runtime, device)
    wall, n, first = now() - started, len(steps), sum(steps[:FIRST])
    rest = wall - spent["setup"] - spent["validation"] - spent["saving"]
    step_s = (rest - first) / (n - FIRST) if n > 2 * FIRST else float(np.median(steps or [0.0]))
    compiling = max(0.0, first - min(n, FIRST) * step_s)
    row = {"stage": stage, "steps": n, "wall": wall, **spent, "compiling": compiling}
    row |= {"step": rest - compiling, "pairs_per_s": settings.stage.batch_size / max(step_s, 1e-9)}
    for kind in ("allocated", "reserved") if is_cuda else ():
        row[f"{kind}_gb"] = getattr(torch.cuda, f"max_memory_{kind}")(device) / 1e9
    return row


def train_stages(
    stores: Path, out: Path, config: Config, split: Split, seconds: float, is_quick: bool
) -> tuple[list[dict[str, Any]], Path]:
    """Train all stages of a configuration, which share the seconds as its epochs do.

    Rows of the table, and the last generator. How many steps that is, is told by a few before.
    """
    end, start, rows = time.monotonic() + seconds, None, []
    owns = {stage: getattr(config.training, stage) for stage in config.training.stages}
    shares = [(own.epochs or own.steps) * COST[stage] for stage, own in owns.items()]
    for number, (stage, own) in enumerate(owns.items()):
        began = time.monotonic()
        mine = (end - began) * shares[number] / sum(shares[number:])
        generator = out / stage / "generator.safetensors"
        of_clip = {name: stores / f"{name}.zip" for name in ("frames", "labels")}
        of_clip |= {"keypoints": stores / "keypoints.h5", "window": stores / "window.json"}
        files = TrainingFiles(**of_clip, start=start, generator=generator)
        few = 3 if config.runtime.device == "cpu" else 3 * FIRST
        wanted = replace(own, steps=2 if is_quick else few, epochs=None, validations=1)
        settings = TrainingSettings(wanted, config.network, split, config.training)
        if not is_quick:
            tried = replace(files, generator=out / "tried" / stage / "generator.safetensors")
            plain = replace(config.runtime, compile="never")
            row = train_stage(stage, tried, settings, plain)
            left = 0.85 * (mine - (time.monotonic() - began) - row["setup"])
            steps = max(2, int(left * row["pairs_per_s"] / own.batch_size))
            settings = replace(settings, stage=replace(own, steps=steps, epochs=None))
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
