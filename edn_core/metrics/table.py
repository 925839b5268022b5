"""What the columns of an evaluation are, their means over frames, and the table people read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.metrics.images import psnr
from edn_core.metrics.poses import POSE_GROUPS
from edn_core.store import read_json

SCHEMA = "edn-table", 2
REGIONS = {"": "whole frame", "_person": "person", "_face": "face", "_hands": "hands"}
"""Suffixes of the columns that are measured in a region."""
Means = dict[str, float | None]
"""One method's columns; None where there was nothing to measure."""


@dataclass(frozen=True)
class Column:
    """One column of an evaluation."""

    title: str
    unit: str  # "" for none
    better: str  # ``higher`` or ``lower``
    digits: int = 4  # behind the point when it is shown


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
    columns["outline_iou"] = Column("overlap of the outline", "", "higher")
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
SHORT_COLUMNS = (
    *("ssim_person", "ssim_face", "psnr_person", "lpips_person"),
    *("pose_all_percent", "missed_all", "flow_warping", "temporal_difference"),
)
"""The columns of the short table, one for each question."""


def mean_columns(
    rows: Iterable[Mapping[str, float]],
    torso_px: float,
    columns: Iterable[str] = tuple(ALL_COLUMNS),
) -> Means:
    """Means of the frames' numbers, for each of some columns.

    A name that is missing or NaN in a frame does not count there. ``squared_error`` becomes PSNR
    after it is averaged; a pose distance in px is given as percent of the torso too.
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
    return {name: round(means[name], 6) if name in means else None for name in columns}


def show(name: str, value: float | None) -> str:
    """A column's value as the table shows it; "-" for None."""
    return "-" if value is None else f"{value:.{ALL_COLUMNS[name].digits}f}"


def metrics_table(
    methods: Mapping[str, Mapping[str, Any]], columns: Sequence[str] = SHORT_COLUMNS
) -> str:
    """Methods, title -> column -> number or None, as plain text with a line for each."""
    width = max(map(len, methods), default=0)
    lines = ["  ".join([" " * width, *columns])]
    for title, means in methods.items():
        cells = (show(name, means.get(name)).rjust(len(name)) for name in columns)
        lines.append("  ".join([title.ljust(width), *cells]))
    return "\n".join(lines)


def measured_columns(rows: Mapping[str, Mapping[str, Any]], columns: Iterable[str]) -> list[str]:
    """Those columns in which at least one row has a number."""
    return [name for name in columns if any(row[name] is not None for row in rows.values())]


def table_cells(
    rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]
) -> dict[str, list[tuple[str, bool]]]:
    """Of each row the texts of its cells, and whether they are the best of their column.

    A row whose title begins with a bracket competes for nothing.
    """
    best = {}
    for name in columns:
        competing = [row for title, row in rows.items() if not title.startswith("(")]
        values = [row[name] for row in competing if row.get(name) is not None]
        choose = max if ALL_COLUMNS[name].better == "higher" else min
        best[name] = show(name, choose(values)) if values else ""
    cells = {}
    for title, row in rows.items():
        texts = [show(name, row.get(name)) for name in columns]
        bests = best.values() if not title.startswith("(") else [""] * len(texts)
        cells[title] = [(text, text == most) for text, most in zip(texts, bests, strict=True)]
    return cells


def markdown_table(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The same as Markdown, the best value of every column in bold."""
    lines = ["| | " + " | ".join(map(heading, columns)) + " |", "|---|" + "---:|" * len(columns)]
    for title, cells in table_cells(rows, columns).items():
        texts = (f"**{text}**" if is_best else text for text, is_best in cells)
        lines.append(f"| {title} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def heading(name: str) -> str:
    """A column's title, its unit, and an arrow towards what is better."""
    column = ALL_COLUMNS[name]
    arrow = "↑" if column.better == "higher" else "↓"
    return f"{column.title}{f' ({column.unit})' if column.unit else ''} {arrow}"


def read_table(path: str | Path) -> dict[str, Any]:
    """Read an ``edn-table`` file, which evaluate.table writes.

    Raises:
        Refused: not such a file, or another version; says how to remake it.
    """
    return read_json(path, SCHEMA)


def short_table(table: Mapping[str, Any]) -> str:
    """The short columns of a table as plain text, without those that were not measured."""
    columns = [name for name in SHORT_COLUMNS if name not in table["absent"]]
    rows = {row["title"]: row for row in table["rows"] if row["name"] != "truth"}
    return metrics_table(rows, columns)
