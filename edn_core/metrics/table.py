"""What the columns of an evaluation are, their means over frames, and the table people read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edn_core.metrics.images import psnr
from edn_core.metrics.poses import POSE_GROUPS

REGIONS = {"": "whole frame", "_person": "person", "_face": "face"}
"""Suffixes of the columns that are measured in a region."""
Means = dict[str, float | None]
"""One method's columns; None where there was nothing to measure."""


@dataclass(frozen=True)
class Column:
    """One column of an evaluation.

    Attributes:
        title: in words.
        unit: of its numbers, "" for none.
        better: ``higher`` or ``lower``.
        digits: behind the point when it is shown.
    """

    title: str
    unit: str
    better: str
    digits: int = 4


def _columns() -> dict[str, Column]:
    columns = {}
    for name, title, unit, better, digits in (
        ("ssim", "SSIM", "", "higher", 4),
        ("psnr", "PSNR", "dB", "higher", 2),
        ("lpips", "LPIPS", "", "lower", 4),
        ("l1", "mean absolute difference", "", "lower", 4),
    ):
        for suffix, region in REGIONS.items():
            columns[name + suffix] = Column(f"{title}, {region}", unit, better, digits)
    columns["temporal_difference"] = Column("temporal difference error", "", "lower")
    columns["flow_warping"] = Column("flow warping error", "", "lower")
    for unit, words in (("px", "px"), ("percent", "% of the torso")):
        for group in POSE_GROUPS:
            columns[f"pose_{group}_{unit}"] = Column(
                f"pose distance, {group}", words, "lower", 2 if unit == "px" else 1
            )
    for group in POSE_GROUPS:
        columns[f"missed_{group}"] = Column(f"missed detections, {group}", "per frame", "lower", 2)
    return columns


ALL_COLUMNS = _columns()
"""Every column of an evaluation, by name, in the order in which they are shown."""
COLUMNS = ("ssim", "psnr", "ssim_person", "ssim_face", "temporal_difference")
"""The columns that an evaluation has wherever somebody's face is seen."""
SHORT_COLUMNS = (
    *("ssim_person", "ssim_face", "psnr_person", "lpips_person"),
    *("pose_all_percent", "missed_all", "flow_warping", "temporal_difference"),
)
"""The columns of the short table, one for each question."""


def mean_columns(rows: Iterable[Mapping[str, float]], torso_px: float) -> Means:
    """Means of the frames' numbers.

    Args:
        rows: per frame the numbers it has; a name that is missing or NaN in a frame does not count
            there. ``squared_error`` becomes PSNR after it is averaged; a pose distance in px is
            given as percent of the torso too.
        torso_px: length of the torso, px.

    Returns:
        Every name of ALL_COLUMNS.
    """
    gathered: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if np.isfinite(value):
                gathered.setdefault(name, []).append(value)
    means = {name: float(np.mean(values)) for name, values in gathered.items()}
    for suffix in REGIONS:
        if f"squared_error{suffix}" in means:
            means[f"psnr{suffix}"] = psnr(means[f"squared_error{suffix}"])
    for group in POSE_GROUPS:
        if f"pose_{group}_px" in means:
            means[f"pose_{group}_percent"] = 100 * means[f"pose_{group}_px"] / torso_px
    return {name: round(means[name], 6) if name in means else None for name in ALL_COLUMNS}


def show(name: str, value: float | None) -> str:
    """A column's value as the table shows it; "-" for None."""
    return "-" if value is None else f"{value:.{ALL_COLUMNS[name].digits}f}"


def metrics_table(result: Mapping[str, Any], columns: Iterable[str] = COLUMNS) -> str:
    """The metrics as a table people can read: a line per method, a column per metric.

    Args:
        result: ``methods``: name -> column -> number or None.
        columns: which, of ALL_COLUMNS.
    """
    cells = [["", *columns]]
    for method, means in result["methods"].items():
        cells.append([method, *(show(name, means.get(name)) for name in cells[0][1:])])
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def markdown_table(rows: Mapping[str, Mapping[str, Any]], columns: Iterable[str]) -> str:
    """The same as Markdown, the best value of every column in bold.

    Args:
        rows: title -> column -> number or None; a row whose title begins with a bracket
            competes for nothing.
        columns: which, of ALL_COLUMNS.
    """
    names = list(columns)
    lines = ["| | " + " | ".join(_heading(name) for name in names) + " |"]
    lines.append("|---|" + "---:|" * len(names))
    best = {name: _best(name, rows) for name in names}
    for title, means in rows.items():
        cells = []
        for name in names:
            text = show(name, means.get(name))
            is_best = text != "-" and text == best[name] and not title.startswith("(")
            cells.append(f"**{text}**" if is_best else text)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _heading(name: str) -> str:
    column = ALL_COLUMNS[name]
    arrow = "↑" if column.better == "higher" else "↓"
    return f"{column.title}{f' ({column.unit})' if column.unit else ''} {arrow}"


def _best(name: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    values = [
        means[name]
        for title, means in rows.items()
        if means.get(name) is not None and not title.startswith("(")
    ]
    choose = max if ALL_COLUMNS[name].better == "higher" else min
    return show(name, choose(values)) if values else "-"
