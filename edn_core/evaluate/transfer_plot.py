"""The picture of a transfer's evaluation: poses, colours, flicker, each beside its reference."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from edn_core.keypoints import Person
from edn_core.skeleton import Skeleton, part_skeleton
from edn_core.store import write_beside

OUTPUT, TARGET, SOURCE = "tab:red", "tab:green", "tab:gray"
ASKED_COLOUR, FOUND_COLOUR = (60, 200, 60), (230, 50, 50)
EXAMPLE_WIDTH = 640  # px; a small canvas is enlarged so that the lines can be told apart


@dataclass(frozen=True)
class TransferSeries:
    """What the plot shows beyond the means.

    Attributes:
        poses: per frame the pose errors; empty where poses were not compared.
        steady: per frame but the first the flicker.
        colours: histogram of the output's dancer, see lab_histogram.
        trained: of the target's training frames.
        stranger: of the source's dancer.
        examples: picture (H, W, 3) uint8, pose asked for, pose found or None.
        skeleton: of the bodies.
    """

    poses: list[dict[str, float]]
    steady: list[dict[str, float]]
    colours: np.ndarray
    trained: np.ndarray
    stranger: np.ndarray
    examples: list[tuple[np.ndarray, Person, Person | None]]
    skeleton: Skeleton


def plot_transfer(path: str | Path, result: dict[str, Any], series: TransferSeries) -> None:
    """Plot a transfer's measures over time with their references, above example frames.

    Args:
        path: PNG to write.
        result: content of the ``edn-fidelity`` file.
        series: what it was made of.
    """
    figure = Figure(figsize=(12, 9), layout="constrained")
    FigureCanvasAgg(figure)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=[1, 1, 1.25], squeeze=False)[:, 0]
    upper.suptitle(
        f"{result['source']} to {result['target']}: red the output, green the target's own video, "
        "grey the source's dancer"
    )
    top = upper.subplots(1, 2)
    _curve(top[0], result, series.poses, "pose_all_px", "pose asked for and found, px", 0)
    _curve(top[1], result, series.poses, "missed_all", "keypoints missed", 0)
    axes = middle.subplots(1, 4)
    _curve(axes[0], result, series.steady, "flow_warping", "flow warping error", 1)
    for axis, channel, name in zip(axes[1:], range(3), ("L", "a", "b"), strict=True):
        _colours(axis, series, channel, name)
    shares = (result[one]["colour_intersection"] for one in ("output", "own_video", "stranger"))
    texts = ["-" if share is None else f"{share:.2f}" for share in shares]
    axes[1].set_title(
        f"dancer's colours; in common with training: output {texts[0]}, target {texts[1]}, "
        f"source {texts[2]}",
        fontsize=9,
        loc="left",
    )
    bottom = lower.subplots(1, max(1, len(series.examples)), squeeze=False)[0]
    for axis in bottom:
        axis.set_axis_off()
    for axis, (image, asked, found) in zip(bottom, series.examples, strict=False):
        axis.imshow(_with_poses(image, asked, found, series.skeleton))
    lower.suptitle("green: the pose asked for; red: the pose found in the output", fontsize=9)
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110)


def _curve(
    axis: Axes,
    result: dict[str, Any],
    rows: list[dict[str, float]],
    name: str,
    title: str,
    first: int,
) -> None:
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("frame", fontsize=8)
    axis.grid(alpha=0.3)
    axis.plot(range(first, first + len(rows)), [row[name] for row in rows], color=OUTPUT, lw=0.8)
    for column, colour in (("output", OUTPUT), ("own_video", TARGET)):
        if result[column][name] is not None:
            axis.axhline(result[column][name], color=colour, ls="--", lw=1.2)
    axis.set_ylim(bottom=0)


def _colours(axis: Axes, series: TransferSeries, channel: int, name: str) -> None:
    """Shares of one Lab channel: output, target and source."""
    rest = tuple(one for one in range(3) if one != channel)
    for histogram, colour in (
        (series.trained, TARGET),
        (series.stranger, SOURCE),
        (series.colours, OUTPUT),
    ):
        shares = histogram.sum(axis=rest) / max(1.0, histogram.sum())
        low = 0 if channel == 0 else -128
        step = (100 if channel == 0 else 256) / len(shares)
        places = low + step * (np.arange(len(shares)) + 0.5)
        axis.step(places, shares, where="mid", color=colour, lw=1.1)
    axis.set_xlabel(name, fontsize=8)
    if channel:
        axis.set_xlim(-60, 80)
    axis.set_yticks([])


def _with_poses(
    image: np.ndarray, asked: Person, found: Person | None, skeleton: Skeleton
) -> np.ndarray:
    """The picture, enlarged, with both skeletons."""
    zoom = max(1, round(EXAMPLE_WIDTH / image.shape[1]))
    picture = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    for person, colour in ((asked, ASKED_COLOUR), (found, FOUND_COLOUR)):
        for part, points in (person or {}).items():
            if part == "face":
                continue  # seventy dots would hide it
            body = part_skeleton(part, skeleton)
            limit = 8 * max(picture.shape)  # cv2's fixed-point coordinates would overflow
            places = np.nan_to_num((points[:, :2] + 0.5) * zoom - 0.5).clip(-limit, limit)
            places = places.round().astype(int)
            for first, second in body.limbs:
                a, b = body.index(first), body.index(second)
                if points[a, 2] > 0 and points[b, 2] > 0:
                    start, end = (tuple(places[one].tolist()) for one in (a, b))
                    width = 2 if part == "body" else 1
                    cv2.line(picture, start, end, colour, width, cv2.LINE_AA)
    return picture
