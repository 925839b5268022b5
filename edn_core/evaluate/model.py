"""How good is a target's generator? Measured on frames nobody trained on (paper, section 5)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edn_core.checkpoint import load_generator
from edn_core.evaluate.compare import Row, Truth, compare_frames
from edn_core.evaluate.files import (
    EvaluationFiles,
    Measures,
    absent_columns,
    metrics_file,
    torso_of,
)
from edn_core.frames import FrameReader
from edn_core.logs import LOGGER, progress
from edn_core.metrics import SHORT_COLUMNS, mean_columns, metrics_table
from edn_core.out_of_memory import Work, explain_out_of_memory
from edn_core.render import find_style
from edn_core.split import Split
from edn_core.store import write_beside, write_json
from edn_core.synthesize import check_labels, load_networks, synthesize

N_EXAMPLES = 5
ERROR_GAIN = 3  # small differences are hard to see


def _describe(
    files: EvaluationFiles,
    split: Split,
    device: torch.device,
    metrics_path: str | Path,
    plot_path: str | Path,
    measures: Measures | None = None,
) -> Work:
    """What evaluate_model was doing when memory ran out."""
    size = FrameReader(files.labels).info.size
    return Work(f"{metrics_path}: evaluating {files.generator}", size)


@explain_out_of_memory(_describe)
def evaluate_model(
    files: EvaluationFiles,
    split: Split,
    device: torch.device,
    metrics_path: str | Path,
    plot_path: str | Path,
    measures: Measures | None = None,
) -> dict[str, Any]:
    """Measure a generator on the held-out frames of its target.

    The frames are synthesized from their own labels, one after the other, and compared with the
    truth. Memory does not grow with the length of the video but by a few numbers a frame.

    Args:
        files: what to read; without ``truth``, poses are not compared.
        split: the target's frames, divided as in training.
        device: CPU or CUDA.
        metrics_path: JSON to write (``edn-metrics``): the mean of each column.
        plot_path: PNG to write: columns over time, and example frames.
        measures: pose backend, LPIPS; none: neither.

    Returns:
        What was written to ``metrics_path``.

    Raises:
        ValueError: no held-out frames, or labels of another canvas.
    """
    measures = measures or Measures()
    truth = Truth(files, split)
    trained = load_generator(files.generator)
    labels = FrameReader(files.labels)
    check_labels(trained, labels, files.generator)
    networks = load_networks(trained, device)
    style = find_style(trained.label_style, f"{files.generator}: the label style")
    test = list(split.test)
    outputs = synthesize(
        networks, (labels[frame] for frame in test), truth.boxes[test], device, style
    )
    rows: list[Row] = []
    examples: list[np.ndarray] = []
    shown = set(spread(test, N_EXAMPLES))
    compared = compare_frames(truth, outputs, measures, device)
    for true, output, row in progress(compared, f"evaluate {trained.stage}", len(test)):
        rows.append(row)
        if true.number in shown:
            label = style.to_picture(labels[true.number])
            error = np.abs(output.astype(np.int16) - true.image) * ERROR_GAIN
            error_shown = 255 - error.clip(0, 255).astype(np.uint8)
            examples.append(np.concatenate([label, true.image, output, error_shown], axis=1))
    torso = torso_of(truth.poses or truth.keypoints, split)
    absent = absent_columns(measures, truth.poses is not None)
    methods = {"model": mean_columns(rows, torso)}
    result = metrics_file(truth.frames, trained.stage, truth.counts(), torso, absent, methods)
    write_json(metrics_path, result)
    plot_rows(
        plot_path,
        test,
        {trained.stage: rows},
        examples,
        f"{result['video']}, stage {trained.stage}: {len(test)} held-out frames",
        "label | truth | model | 3 x difference, white is none",
    )
    LOGGER.info(f"{trained.stage} on {len(test)} held-out frames of {result['video']}:")
    for line in metrics_table(result, SHORT_COLUMNS).splitlines():
        LOGGER.info(line)
    return result


def spread(items: list[int], most: int) -> list[int]:
    """At most so many of the items, evenly spread."""
    if not items:
        return []
    chosen = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[i] for i in chosen]


def plot_rows(
    path: str | Path,
    frames: list[int],
    rows: dict[str, list[Row]],
    examples: list[np.ndarray],
    title: str,
    subtitle: str,
) -> None:
    """Plot the likeness and, where it was measured, the pose over time, above example frames.

    Args:
        path: PNG to write.
        frames: their numbers.
        rows: per method, one row per frame.
        examples: pictures of one size.
        title: of the plot.
        subtitle: what the examples show from left to right.
    """
    curves = {"ssim_person": "SSIM, person", "pose_all_px": "pose distance, px"}
    seen = [name for name in curves if any(name in row for one in rows.values() for row in one)]
    ratio = examples[0].shape[0] / examples[0].shape[1] if examples else 0.0
    heights = [1.8] * len(seen) + [min(10 * ratio, 1.9)] * len(examples)
    figure = Figure(figsize=(10, sum(heights) + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, name in zip(axes, seen, strict=False):
        for method, values in rows.items():
            axis.plot(
                frames,
                [row.get(name, np.nan) for row in values],
                label=method.replace("_", " "),
                marker="." if len(frames) < 50 else None,
            )
        # All alike: where no pose was found, a curve of its own would stretch what is left of it.
        axis.set(ylabel=curves[name], xlabel="frame" if name == seen[-1] else "")
        axis.set_xlim(min(frames) - 0.5, max(frames) + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    if seen:
        axes[0].set_title(title)
        axes[0].legend(ncols=4, fontsize=8)
    for axis, example in zip(axes[len(seen) :], examples, strict=True):
        axis.imshow(example)
        axis.set_axis_off()
    if examples:
        axes[len(seen)].set_title(subtitle, fontsize=9)
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110)
