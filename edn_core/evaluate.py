"""How good is a target's generator? Measured on frames nobody trained on (paper, section 5).

The held-out part of the target video is synthesized from its own labels and compared with the
truth, beside two baselines: the training frame of the nearest pose, and the mean training frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch

from edn_core.artefact import write_beside, write_json
from edn_core.checkpoint import load_generator
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.metrics import (
    METRICS,
    metrics_table,
    nearest_pose,
    person_mask,
    psnr,
    region_mean,
    temporal_difference_error,
)
from edn_core.render import find_style
from edn_core.split import Split
from edn_core.synthesize import check_labels, synthesize

matplotlib.use("Agg")

SCHEMA = "edn-metrics"
SCHEMA_VERSION = 1
BASELINE_FRAMES = 2000  # enough neighbours; a long video would take hours to search


@dataclass(frozen=True)
class EvaluationFiles:
    """What an evaluation reads: a generator, and the target's frames, labels and keypoints."""

    generator: Path
    frames: Path
    labels: Path
    keypoints: Path


def evaluate_model(
    files: EvaluationFiles,
    split: Split,
    device: torch.device,
    metrics_path: str | Path,
    plot_path: str | Path,
) -> dict[str, Any]:
    """Measure a generator on the held-out frames of its target.

    Args:
        files: what to read.
        split: the target's frames, divided as in training.
        device: CPU or CUDA.
        metrics_path: JSON to write (``edn-metrics``): per method, the mean of each column.
        plot_path: PNG to write: person SSIM over time, and example frames.

    Returns:
        What was written to ``metrics_path``.

    Raises:
        ValueError: no held-out frames, or labels of another canvas.
    """
    if len(split.test) < 2:
        raise ValueError(
            f"{files.frames}: {len(split.test)} held-out frames, expected at least 2; "
            "raise evaluation.test_fraction"
        )
    trained = load_generator(files.generator)
    frames, labels = FrameReader(files.frames), FrameReader(files.labels)
    check_labels(trained, labels, files.generator)
    keypoints = read_keypoints(files.keypoints)
    boxes = face_boxes(keypoints, face_box_size(trained.height))
    networks = {
        name: network.to(device).eval().requires_grad_(False)
        for name, network in trained.build().items()
    }
    known = _spread(split.train_frames, BASELINE_FRAMES)
    mean_frame = np.mean([frames[i] for i in _spread(known, 200)], axis=0).round().astype(np.uint8)
    known_people = [keypoints.person(frame) for frame in known]

    test = list(split.test)
    rows: dict[str, list[dict[str, float]]] = {"model": [], "nearest_pose": [], "mean_frame": []}
    before: dict[str, np.ndarray] = {}
    examples: list[np.ndarray] = []
    style = find_style(trained.label_style, f"{files.generator}: the label style")
    outputs = synthesize(networks, (labels[i] for i in test), boxes[test], device, style)
    shown = set(_spread(test, 5))
    for frame, output in zip(
        test, progress(outputs, f"evaluate {trained.stage}", len(test)), strict=True
    ):
        truth, person = frames[frame], keypoints.person(frame)
        images = {
            "model": output,
            "nearest_pose": frames[known[nearest_pose(person, known_people)]],
            "mean_frame": mean_frame,
        }
        regions = {
            "": np.ones(frames.info.size, bool),
            "_person": person_mask(person, keypoints.skeleton, frames.info.size),
            "_face": _box_mask(boxes[frame], frames.info.size),
        }
        for method, image in images.items():
            row = {"psnr": psnr(image, truth)}
            for name, compare in METRICS.items():
                values = compare(image, truth)
                row |= {
                    name + region: region_mean(values, mask) for region, mask in regions.items()
                }
            row["temporal_difference"] = (
                temporal_difference_error(before[method], image, before["truth"], truth)
                if before
                else float("nan")
            )
            rows[method].append(row)
        before = images | {"truth": truth}
        if frame in shown:
            label = style.to_picture(labels[frame])
            examples.append(np.concatenate([label, truth, *images.values()], axis=1))
    result = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "video": frames.info.video,
        "stage": trained.stage,
        "n_frames": len(test),
        "n_faces": int((boxes[test][:, 0] >= 0).sum()),
        "methods": {method: _means(values) for method, values in rows.items()},
    }
    write_json(metrics_path, result)
    _plot(plot_path, test, rows, examples, result)
    LOGGER.info(f"{trained.stage} on {len(test)} held-out frames of {frames.info.video}:")
    for line in metrics_table(result).splitlines():
        LOGGER.info(line)
    return result


def _spread(items: Sequence[int], most: int) -> list[int]:
    """At most so many of the items, evenly spread."""
    chosen = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[i] for i in chosen]


def _box_mask(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    if box[0] >= 0:
        x0, y0, x1, y1 = box
        mask[y0:y1, x0:x1] = True
    return mask


def _means(rows: list[dict[str, float]]) -> dict[str, float | None]:
    """Mean of each column over the frames that have it; None where none has."""
    means: dict[str, float | None] = {}
    for name in rows[0]:
        values = [row[name] for row in rows if np.isfinite(row[name])]
        means[name] = round(float(np.mean(values)), 6) if values else None
    return means


def _plot(
    path: str | Path,
    frames: list[int],
    rows: dict[str, list[dict[str, float]]],
    examples: list[np.ndarray],
    result: dict[str, Any],
) -> None:
    figure, axes = plt.subplots(
        1 + len(examples),
        1,
        figsize=(10, 3.2 + 2.2 * len(examples)),
        height_ratios=[1.4] + [1] * len(examples),
        layout="constrained",
    )
    for method, values in rows.items():
        axes[0].plot(frames, [row["ssim_person"] for row in values], label=method.replace("_", " "))
    axes[0].set(
        xlabel="frame",
        ylabel="SSIM, person",
        title=f"{result['video']}, stage {result['stage']}: {result['n_frames']} held-out frames",
    )
    axes[0].legend()
    for axis, example in zip(axes[1:], examples, strict=True):
        axis.imshow(example)
        axis.set_axis_off()
    if len(examples):
        axes[1].set_title("label | truth | model | nearest pose | mean frame", fontsize=9)
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)
