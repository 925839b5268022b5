"""The pictures of an evaluation: columns over time, each beside its reference, above examples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edn_core.keypoints import Person
from edn_core.skeleton import Skeleton, part_skeleton
from edn_core.store import write_beside

N_EXAMPLES = 5
CURVES = {"ssim_person": "SSIM, person", "pose_all_px": "pose distance, px"}
COLUMNS = {
    "output": ("output", "tab:red"),
    "own_video": ("target's video", "tab:green"),
    "stranger": ("source's dancer", "tab:gray"),
}
"""The output; the target's own video, what is to be had; another person. Words and colour."""


def plot_rows(
    path: str | Path,
    frames: range,
    rows: Mapping[str, list[dict[str, float]]],
    examples: list[np.ndarray],
    title: str,
    subtitle: str,
) -> None:
    """Plot the likeness and, where it was measured, the pose over time, above example frames.

    ``rows`` hold per method one row per frame, ``examples`` at least one picture, all of one size;
    ``subtitle`` says what these show from left to right. Writes a PNG.
    """
    seen = [name for name in CURVES if any(name in row for one in rows.values() for row in one)]
    height, width = examples[0].shape[:2]
    heights = [1.8] * len(seen) + [min(10 * height / width, 1.9)] * len(examples)
    figure = Figure(figsize=(10, sum(heights) + 0.8), layout="constrained")
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
        axis.set(ylabel=CURVES[name], xlabel="frame" if name == seen[-1] else "")
        axis.set_xlim(frames[0] - 0.5, frames[-1] + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    axes[0].set_title(title)
    axes[0].legend(ncols=4, fontsize=8)
    for axis, example in zip(axes[len(seen) :], examples, strict=True):
        axis.imshow(example)
        axis.set_axis_off()
    axes[len(seen)].set_title(subtitle, fontsize=9)
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110)


def plot_transfer(
    path: str | Path,
    result: Mapping[str, Any],
    rows: Mapping[str, list[float]],
    examples: Sequence[tuple[np.ndarray, Person, Person | None]],
    skeleton: Skeleton,
) -> None:
    """Plot a transfer's measures over time with their references, above example frames.

    ``result`` is the content of the ``edn-fidelity`` file, ``rows`` the numbers of each measure up
    to the output's last frame, an example (H, W, 3) uint8, the pose asked for and the one found.
    Writes a PNG.
    """
    figure = Figure(figsize=(13, 7), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
    shares = (
        f"{words} {result[column]['colour_intersection'] or 0:.2f}"
        for column, (words, _) in COLUMNS.items()
    )
    upper.suptitle(
        f"{result['source']} to {result['target']}; red: the output, green: the target's own video"
        f"\ndancer's colours in common with training: {', '.join(shares)}"
    )
    for axis, name in zip(upper.subplots(1, len(rows)), rows, strict=True):
        numbers = range(result["n_frames"] - len(rows[name]), result["n_frames"])
        axis.plot(numbers, rows[name], color=COLUMNS["output"][1], lw=0.8)
        for column in ("output", "own_video"):
            if result[column][name] is not None:
                axis.axhline(result[column][name], color=COLUMNS[column][1], ls="--", lw=1.2)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set_xlabel("frame", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    bottom = lower.subplots(1, len(examples), squeeze=False)[0]
    for axis, (image, asked, found) in zip(bottom, examples, strict=True):
        axis.imshow(image)
        axis.set_axis_off()
        axis.autoscale(False)
        _draw_pose(axis, asked, skeleton, COLUMNS["own_video"][1])
        _draw_pose(axis, found or {}, skeleton, COLUMNS["output"][1])
    lower.suptitle("green: the pose asked for; red: the pose found in the output", fontsize=9)
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110)


def _draw_pose(axis: Axes, person: Person, skeleton: Skeleton, colour: str) -> None:
    """The limbs of body and hands; the seventy dots of a face would hide it."""
    for part, points in person.items():
        part_of = part_skeleton(part, skeleton)
        for limb in part_of.limbs if part != "face" else ():
            ends = points[[part_of.index(name) for name in limb]]
            if (ends[:, 2] > 0).all():
                axis.plot(*ends[:, :2].T, color=colour, lw=1.5 if part == "body" else 0.7)
