"""What the sheets of videos and pairs have in common: head, findings, timelines, pictures."""

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure

from edn_core.keypoints import Keypoints
from edn_core.preflight.finding import Finding
from edn_core.store import write_beside

COLORS = {"good": "#2b9348", "fair": "#e09f00", "poor": "#c8322b"}
GREY = "#666666"
HEAD = 0.9  # inches
ROW = 0.27  # inches of one finding
TIMES = {"left": 0.12, "right": 0.98, "bottom": 0.13, "top": 0.93}
"""Where in its figure a timeline lies."""
THUMBNAILS = 6
WIDTH = 14.0  # inches
COLUMNS = 600  # of a timeline


def page(heights: Sequence[float]) -> tuple[Figure, list[SubFigure]]:
    """An empty sheet, and its parts from top to bottom of these heights (inches)."""
    figure = Figure(figsize=(WIDTH, sum(heights)))
    FigureCanvasAgg(figure)
    parts = np.ravel(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights)))
    return figure, parts.tolist()


def write_head(
    figure: SubFigure, title: str, about: str, verdicts: Sequence[tuple[str, str]]
) -> None:
    """Title, a line about it, and at the right each (what, verdict) in its colour."""
    axes = _bare_axes(figure)
    axes.text(0.02, 0.66, title, fontsize=22, weight="bold", va="center")
    axes.text(0.02, 0.2, about, fontsize=10, color=GREY, va="center")
    for number, (what, verdict) in enumerate(reversed(verdicts)):
        x = 0.98 - 0.125 * number
        axes.text(
            x - 0.065,
            0.6,
            verdict.upper(),
            fontsize=20,
            weight="bold",
            color="white",
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.35", "facecolor": COLORS[verdict], "edgecolor": "none"},
        )
        axes.text(x - 0.065, 0.08, what, fontsize=9, color=GREY, ha="center", va="center")


def write_findings(figure: SubFigure, findings: Sequence[Finding], lines: int = 1) -> None:
    """A row for each: mark, title, value, what good is; what was found and what to do."""
    axes = _bare_axes(figure)
    n_rows = len(findings) + 1
    axes.set_ylim(n_rows, 0)
    for x, heading in ((0.05, "measure"), (0.3, "found"), (0.32, "good"), (0.38, "what to do")):
        axes.text(x, 0.6, heading, fontsize=8, color=GREY, ha="right" if x == 0.3 else "left")
    for row, one in enumerate(findings, start=1):
        y = row + 0.5
        if row % 2:
            axes.axhspan(row, row + 1, 0.015, 0.985, color="0.965", zorder=0)
        axes.text(
            0.035,
            y,
            {"good": "✔", "fair": "!", "poor": "✘"}[one.verdict],
            fontsize=11,
            weight="bold",
            color="white",
            ha="center",
            va="center_baseline",
            fontfamily="DejaVu Sans",
            bbox={
                "boxstyle": "circle,pad=0.18",
                "facecolor": COLORS[one.verdict],
                "edgecolor": "none",
            },
        )
        strong: dict[str, Any] = (
            {"weight": "bold", "color": COLORS[one.verdict]} if one.advice else {}
        )
        axes.text(0.055, y, one.title, fontsize=10, va="center_baseline", **strong)
        axes.text(0.3, y, one.shown(), fontsize=10, va="center_baseline", ha="right", **strong)
        sign = "≥" if one.good > one.fair else "≤"
        axes.text(0.32, y, f"{sign} {one.good:g}", fontsize=8, color=GREY, va="center_baseline")
        text = textwrap.wrap(one.advice, 128, max_lines=lines, placeholder=" …")
        axes.text(0.38, y + 0.06, "\n".join(text), fontsize=8.5, va="center")


def draw_raster(
    axes: Axes, values: np.ndarray, names: Sequence[str], seconds: float, worst: float = 0.0
) -> None:
    """Rows of values over time; 1 is green and 0 red, or, with ``worst``, 0 green and it red."""
    edges = np.linspace(0, values.shape[1], min(COLUMNS, values.shape[1]) + 1).astype(int)
    columns = [values[:, first:last] for first, last in itertools.pairwise(edges)]
    known = [np.ma.masked_invalid(column).mean(axis=1) for column in columns]
    raster = np.ma.stack(known, axis=1)
    if worst:
        raster = 1 - raster / worst
    stops = [COLORS["poor"], COLORS["fair"], "#d7e8c8", "#b7dcae"]
    colors = LinearSegmentedColormap.from_list("", stops).with_extremes(bad="0.85")
    axes.imshow(
        raster,
        aspect="auto",
        cmap=colors,
        vmin=0,
        vmax=1,
        interpolation="nearest",
        extent=(0, seconds, len(names), 0),
    )
    axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=8)
    for line in range(1, len(names)):
        axes.axhline(line, color="white", lw=0.8)
    axes.tick_params(length=0)
    axes.set_xlabel("time / s", fontsize=9)


def show(axes: Axes, picture: np.ndarray, caption: str, color: str = "black") -> None:
    """A picture (H, W, 3) uint8 RGB under its caption."""
    axes.imshow(picture)
    axes.set_axis_off()
    axes.set_title(caption, fontsize=8.5, color=color)


def when(frame: int, keypoints: Keypoints) -> str:
    """Second and number of a frame, for people."""
    return f"{frame / float(keypoints.fps):.1f} s, frame {frame}"


def _bare_axes(figure: SubFigure) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    return axes


def save(figure: Figure, path: str | Path) -> None:
    """Write the sheet as a PNG; the same sheet gives the same bytes."""
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=100, metadata={"Software": None})
