"""What needs no training: the nearest pose and the mean frame, on the same frames and columns.

The numbers are the same for every stage of a target, so they are measured once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from edn_core.evaluate.compare import (
    Compared,
    Row,
    TrueFrame,
    Truth,
    compare_frame,
    compare_frames,
    write_metrics,
)
from edn_core.evaluate.files import PICTURES_ALONE, EvaluationFiles, Measures, spread
from edn_core.evaluate.plots import N_EXAMPLES, plot_rows
from edn_core.logs import progress
from edn_core.metrics.poses import nearest_pose
from edn_core.split import Split
from edn_core.threads import in_order

BASELINE_FRAMES = 2000  # enough neighbours; a long video would take hours to search
MEAN_FRAMES = 200  # more change nothing that can be seen


def evaluate_baselines(
    files: EvaluationFiles,
    split: Split,
    device: torch.device,
    metrics_path: str | Path,
    plot_path: str | Path,
    measures: Measures = PICTURES_ALONE,
) -> dict[str, Any]:
    """Measure what a generator has to beat, and what nothing can beat.

    ``nearest_pose``: for every held-out frame the training frame whose pose is nearest (the
    paper's baseline, by d(p, p')). ``mean_frame``: the mean training frame. ``truth``: the flow
    warping error of the true frames themselves, since no optical flow is perfect. Writes JSON
    (``edn-metrics``, stage ""), which is returned, and a PNG as evaluate_model does. ``device`` is
    of LPIPS and of pose backends that know a GPU.

    Raises:
        Refused: too few held-out frames.
    """
    truth = Truth(files, split, measures, device)
    known = spread(split.train_frames, BASELINE_FRAMES)
    mean_frame = _mean_frame(truth, spread(known, MEAN_FRAMES))
    # A picture that is always the same shows whom it shows in the first of them.
    mean_pose = next(truth.find_poses([mean_frame], truth.test[:1]))
    rows: dict[str, list[Row]] = {"nearest_pose": [], "mean_frame": [], "truth": []}
    examples: list[np.ndarray] = []
    shown = set(spread(truth.test, N_EXAMPLES))

    def compare(nearest: Compared) -> tuple[TrueFrame, np.ndarray, Row, Row, Row]:
        true = nearest[0]
        before = None if true.previous is None else mean_frame
        mean = compare_frame(true, mean_frame, before, mean_pose, truth.lpips)
        return *nearest, mean, true.warping_error(true.previous, true.image)

    nearest = compare_frames(truth, _nearest_frames(truth, known))
    compared = in_order(compare, nearest, measures.threads)
    for true, image, *found in progress(compared, "evaluate baselines", len(truth.test)):
        for method, row in zip(rows, found, strict=True):
            rows[method].append(row)
        if true.number in shown:
            examples.append(np.concatenate([true.image, image, mean_frame], axis=1))
    result = write_metrics(metrics_path, truth, "", rows)
    del rows["truth"]
    title = f"{len(truth.test)} held-out frames of {result['video']}, baselines"
    plot_rows(plot_path, truth.test, rows, examples, title, "truth | nearest pose | mean frame")
    return result


def _nearest_frames(truth: Truth, known: list[int]) -> Iterator[np.ndarray]:
    """For each held-out frame the training frame of the nearest pose."""
    people = [truth.keypoints.person(frame) for frame in known]
    nearest = [known[nearest_pose(truth.keypoints.person(frame), people)] for frame in truth.test]
    # Gone through once, forwards; in memory they are compressed.
    kept = {frame: cv2.imencode(".png", truth.frames[frame])[1] for frame in sorted({*nearest})}
    for frame in nearest:
        image = cv2.imdecode(kept[frame], cv2.IMREAD_COLOR)
        assert image is not None
        yield image


def _mean_frame(truth: Truth, frames: list[int]) -> np.ndarray:
    """(H, W, 3) uint8, without holding all of them."""
    total = np.zeros((*truth.frames.size, 3))
    for frame in frames:
        total += truth.frames[frame]
    return np.asarray((total / len(frames)).round().astype(np.uint8))
