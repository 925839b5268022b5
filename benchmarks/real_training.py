"""What `benchmarks.gpu_real` trains: stages within so many seconds, each with a clock beside it."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
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


@dataclass
class Clock:
    """Seconds of one stage's parts, by what the training loop calls."""

    device: torch.device
    steps: list[float] = field(default_factory=list)  # the first are waited for
    parts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    first_at: float = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time the calls made meanwhile."""
        with ExitStack() as stack:
            for part, owner, name in WATCHED:
                timed = self._timed(part, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, timed))
            yield

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **more: Any) -> Any:
            # Later steps are not waited for: launched ahead, as in any training.
            waits = part != "step" or len(self.steps) < FIRST
            began = self._now(waits)
            self.first_at = self.first_at or began
            result = call(*given, **more)
            seconds = self._now(waits) - began
            self.parts[part] += seconds
            if part == "step":
                self.steps.append(seconds)
            return result

        return timed

    def _now(self, waits: bool = True) -> float:
        if waits and self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def train_stage(
    stage: str, files: TrainingFiles, settings: TrainingSettings, runtime: RuntimeConfig
) -> dict[str, Any]:
    """Train a stage; returns the row of the table that says where its seconds went."""
    device = torch.device("cuda" if runtime.device == "cuda" else "cpu")
    clock, is_cuda = Clock(device), device.type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    began = time.perf_counter()
    with clock.watching():
        train(STAGES[stage], files, settings, runtime, device)
    ended, n = time.perf_counter(), len(clock.steps)
    row: dict[str, Any] = {"stage": stage, "steps": n, "wall": ended - began}
    row |= {part: clock.parts[part] for part in ("validation", "saving")}
    row["setup"] = (clock.first_at or ended) - began
    rest = row["wall"] - row["setup"] - row["validation"] - row["saving"]
    first = sum(clock.steps[:FIRST])
    if n > 2 * FIRST:
        step_s = (rest - first) / (n - FIRST)
    else:
        step_s = statistics.median(clock.steps) if n else 0.0
    row["compiling"] = max(0.0, first - min(n, FIRST) * step_s)
    row["stepping"] = rest - row["compiling"]
    row["pairs_per_s"] = settings.stage.batch_size / step_s if n else 0.0
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
    stages = config.training.stages
    shares = [_length(config, stage) * COST[stage] for stage in stages]
    for number, stage in enumerate(stages):
        mine = (end - time.monotonic()) * shares[number] / sum(shares[number:])
        began, own = time.monotonic(), getattr(config.training, stage)
        names = ("frames.zip", "labels.zip", "keypoints.h5", "window.json")
        frames, labels, keypoints, window = (stores / name for name in names)
        generator = out / stage / "generator.safetensors"
        files = TrainingFiles(frames, labels, keypoints, window, start, generator)
        wanted = replace(own, steps=2, epochs=None, validations=1)
        settings = TrainingSettings(wanted, config.network, split, config.training)
        if not is_quick:
            is_cpu = config.runtime.device == "cpu"
            probe = replace(settings, stage=replace(wanted, steps=3 if is_cpu else 3 * FIRST))
            tried = replace(files, generator=out / "tried" / stage / "generator.safetensors")
            row = train_stage(stage, tried, probe, replace(config.runtime, compile="never"))
            left = 0.85 * (mine - (time.monotonic() - began) - row["setup"])
            steps = max(2, int(left * max(row["pairs_per_s"], 1e-3) / own.batch_size))
            settings = replace(settings, stage=replace(own, steps=steps, epochs=None))
        rows.append(train_stage(stage, files, settings, config.runtime))
        start = generator
    assert start
    return rows, start


def _length(config: Config, stage: str) -> int:
    own = getattr(config.training, stage)
    return int(own.epochs or own.steps)


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
