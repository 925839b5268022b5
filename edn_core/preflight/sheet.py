"""The sheet of a video or a pair: verdicts, findings, how it runs over time, frames to look at."""

import itertools
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure

from edn_core.preflight.finding import Finding
from edn_core.store import write_beside

COLORS = {"good": "#2b9348", "fair": "#e09f00", "poor": "#c8322b"}
MARKS = {"good": "✔", "fair": "!", "poor": "✘"}
GREY = "#666666"
MARGINS = {"left": 0.12, "right": 0.98}
THUMBNAILS = 6
# Inches.
WIDTH, HEAD, ROW, THUMBNAIL = 14.0, 0.9, 0.27, 2.6
COLUMNS = 600  # of a timeline


@dataclass(frozen=True)
class Picture:
    """A frame to look at: (H, W, 3) uint8 RGB under its caption."""

    image: np.ndarray
    caption: str = ""
    color: str = "black"


def write_sheet(
    path: str | Path,
    title: str,
    about: str,
    verdicts: Sequence[tuple[str, str]],
    findings: Sequence[Finding],
    draw_times: Callable[[SubFigure], None],
    thumbnails: dict[str, Sequence[Picture | None]],
) -> None:
    """Write a sheet as a PNG; the same sheet gives the same bytes.

    At its head the title, a line about it and the verdicts, each (of what, verdict); then a row for
    each finding, what ``draw_times`` draws, and rows of up to six pictures by their names.
    """
    heights = [HEAD, 0.45 + ROW * len(findings), 3.8, 0.4 + THUMBNAIL * len(thumbnails)]
    figure = Figure(figsize=(WIDTH, sum(heights)))
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    head, middle, times, below = parts
    _write_head(head, title, about, verdicts)
    _write_findings(middle, findings)
    draw_times(times)
    panels = below.subplots(
        len(thumbnails),
        THUMBNAILS,
        squeeze=False,
        gridspec_kw=MARGINS | {"bottom": 0.02, "top": 0.9, "wspace": 0.06, "hspace": 0.2},
    )
    for row, (name, pictures) in zip(panels, thumbnails.items(), strict=True):
        row[0].text(-0.12, 0.5, name, ha="right", va="center", transform=row[0].transAxes)
        for panel, one in itertools.zip_longest(row, pictures):
            panel.set_axis_off()
            if one is not None:
                panel.imshow(one.image)
                panel.set_title(one.caption, fontsize=8.5, color=one.color)
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=100, metadata={"Software": None})


def _write_head(
    figure: SubFigure, title: str, about: str, verdicts: Sequence[tuple[str, str]]
) -> None:
    axes = _bare_axes(figure)
    axes.text(0.02, 0.66, title, fontsize=22, weight="bold", va="center")
    axes.text(0.02, 0.2, about, fontsize=10, color=GREY, va="center")
    for number, (what, verdict) in enumerate(reversed(verdicts)):
        x = 0.915 - 0.125 * number
        strong: dict[str, Any] = {"fontsize": 20, "weight": "bold", "color": "white"}
        box = {"boxstyle": "round,pad=0.35", "facecolor": COLORS[verdict], "edgecolor": "none"}
        axes.text(x, 0.6, verdict.upper(), ha="center", va="center", bbox=box, **strong)
        axes.text(x, 0.08, what, fontsize=9, color=GREY, ha="center", va="center")


def _write_findings(figure: SubFigure, findings: Sequence[Finding]) -> None:
    """A row for each: mark, title, value, what good is, and what to do."""
    axes = _bare_axes(figure)
    axes.set_ylim(len(findings) + 1, 0)
    for x, heading in ((0.055, "measure"), (0.25, "found"), (0.32, "good"), (0.38, "what to do")):
        axes.text(x, 0.6, heading, fontsize=8, color=GREY)
    for row, one in enumerate(findings, start=1):
        y, color = row + 0.55, COLORS[one.verdict]
        if row % 2:
            axes.axhspan(row, row + 1, 0.015, 0.985, color="0.965", zorder=0)
        axes.text(0.03, y, MARKS[one.verdict], color=color, va="center", fontfamily="DejaVu Sans")
        strong: dict[str, Any] = {"weight": "bold", "color": color} if one.advice else {}
        axes.text(0.055, y, one.measure.title, fontsize=10, va="center", **strong)
        number = f"{one.value:.{one.measure.digits}f} {one.measure.unit}"
        shown = number.strip() if math.isfinite(one.value) else "–"
        axes.text(0.3, y, shown, fontsize=10, va="center", ha="right", **strong)
        good = f"{one.measure.sign} {one.measure.good:g}"
        axes.text(0.32, y, good, fontsize=8, color=GREY, va="center")
        text = textwrap.shorten(one.advice, 128, placeholder=" …")
        axes.text(0.38, y, text, fontsize=8.5, va="center")


def _bare_axes(figure: SubFigure) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    return axes


def draw_raster(
    axes: Axes, rows: dict[str, np.ndarray], seconds: float, title: str, worst: float = 0.0
) -> None:
    """Rows of values over time; 1 is green and 0 red, or, with ``worst``, 0 green and it red."""
    values = np.array(list(rows.values()), float)
    edges = np.linspace(0, values.shape[1], min(COLUMNS, values.shape[1]) + 1).astype(int)
    columns = [values[:, first:last] for first, last in itertools.pairwise(edges)]
    raster = np.ma.stack([np.ma.masked_invalid(one).mean(axis=1) for one in columns], axis=1)
    if worst:
        raster = 1 - raster / worst
    stops = [COLORS["poor"], COLORS["fair"], "#d7e8c8", "#b7dcae"]
    colors = LinearSegmentedColormap.from_list("", stops).with_extremes(bad="0.85")
    extent = (0, seconds, len(rows), 0)
    axes.imshow(
        raster, aspect="auto", cmap=colors, vmin=0, vmax=1, interpolation="nearest", extent=extent
    )
    axes.set_yticks(np.arange(len(rows)) + 0.5, list(rows), fontsize=8)
    for line in range(1, len(rows)):
        axes.axhline(line, color="white", lw=0.8)
    axes.tick_params(length=0)
    axes.set_xlabel("time / s", fontsize=9)
    axes.set_title(title, fontsize=9, loc="left")
