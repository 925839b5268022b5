"""Metrics as tables for people: titles, which way is better, and the best of each column."""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

# Title, decimals and which way is better (1: more, -1: less, 0: neither), in the order of columns;
# what is not known is shown under its own name.
METRICS = {
    "ssim": ("SSIM", 3, 1),
    "psnr": ("PSNR / dB", 2, 1),
    "lpips": ("LPIPS", 3, -1),
    "l1": ("L1", 4, -1),
    "temporal_difference": ("temporal difference", 4, -1),
    "flow_warping": ("flow warping error", 4, -1),
    "background_flicker": ("background flicker", 4, -1),
    "colour_intersection": ("colours in common", 3, 1),
    "colour_distance": ("colour distance", 3, -1),
    "accuracy": ("accuracy", 3, 0),
    "auc": ("AUC", 3, 0),
    "auc_own": ("AUC, its own dance", 3, 0),
    "n_pairs": ("pairs of frames", 0, 0),
}
REGIONS = ("person", "face")
BASELINES = ("nearest_pose", "mean_frame")
OF_TRUTH = "truth"
# The same quantity in another measure hides what counts.
LEFT_OUT = ("l1", "l1_person", "l1_face", "n_own_pairs")
DASH = "–"


@dataclass(frozen=True)
class Metric:
    """One column: its key in the files, title, decimals, and sign (1: more is better, -1: less)."""

    key: str
    title: str
    decimals: int
    sign: int


@dataclass(frozen=True)
class Cell:
    """One number as people read it; the best of its column is marked."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class Line:
    """A row: its name, whether it is of a baseline or a reference, and a cell for each column."""

    name: str
    is_baseline: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Numbers by name.

    Attributes:
        title: what they are of.
        columns: what stands above each column.
        lines: of the same number of cells each.
        is_folded: whether it goes into details that few people ask for.
    """

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    is_folded: bool = False


def describe_metric(key: str) -> Metric:
    """Title, decimals and direction of a metric by its key, ``ssim_person`` or ``pose_all_px``."""
    if key in METRICS:
        return Metric(key, *METRICS[key])
    base, _, last = key.rpartition("_")
    if base in METRICS and last in REGIONS:
        title, decimals, sign = METRICS[base]
        return Metric(key, f"{title}, {last}", decimals, sign)
    if key.startswith("pose_") and last in ("px", "percent"):
        unit = "px" if last == "px" else "% of torso"
        return Metric(key, f"pose distance, {base[5:].replace('_', ' ')} / {unit}", 1, -1)
    if base == "missed":
        return Metric(key, f"keypoints missed per frame, {last}", 1, -1)
    return Metric(key, key.replace("_", " "), 4, 0)


def make_table(
    title: str,
    methods: Mapping[str, Mapping[str, Any]],
    keys: Iterable[str] | None = None,
    is_folded: bool = False,
) -> Table:
    """A table of methods (rows) by metrics (columns); absent numbers are dashes.

    Args:
        title: what it is of.
        methods: method -> metric -> number; anything that is no number is left out.
        keys: the metrics to show, in this order; none: all but those that say the same again.
        is_folded: see Table.

    Returns:
        The table; columns without any number are left out. The best is marked where several
        methods compare; the true frames do not compete.
    """
    found = dict.fromkeys(key for means in methods.values() for key in means)
    if keys is None:
        keys = sorted((key for key in found if key not in LEFT_OUT), key=_place)
    columns = [
        describe_metric(key)
        for key in keys
        if any(is_number(means.get(key)) for means in methods.values())
    ]
    best = {}
    for one in columns:
        shown = [
            one.sign * round(float(means[one.key]), one.decimals)
            for name, means in methods.items()
            if name != OF_TRUTH and is_number(means.get(one.key))
        ]
        if one.sign and len(shown) > 1:
            best[one.key] = max(shown)
    lines = []
    for name, means in methods.items():
        cells = []
        for one in columns:
            value = means.get(one.key)
            rounded = one.sign * round(float(value), one.decimals) if is_number(value) else None
            is_best = name != OF_TRUTH and one.sign != 0 and rounded == best.get(one.key, math.nan)
            cells.append(Cell(show(value, one), is_best))
        lines.append(Line(_title_of(name), name in BASELINES or name == OF_TRUTH, tuple(cells)))
    headings = tuple(one.title + {1: " ↑", -1: " ↓"}.get(one.sign, "") for one in columns)
    return Table(title, headings, tuple(lines), is_folded)


def show(value: Any, metric: Metric) -> str:
    """A number as people read it; a dash for none."""
    if not is_number(value):
        return DASH
    return str(value) if isinstance(value, int) else f"{value:.{metric.decimals}f}"


def evaluation_tables(
    table: Mapping[str, Any] | None, measured: Mapping[str, Mapping[str, Any] | None]
) -> tuple[Table, ...]:
    """The held-out metrics of a target: of the whole table if there is one, else of each stage.

    Args:
        table: content of ``evaluation/{target}/table.json``; None without one.
        measured: content of each stage's ``metrics.json``, in order; None without one.
    """
    if table and _rows(table.get("rows")):
        methods = _rows(table["rows"])
        title = _held_out(table)
        short = [key for key in table.get("short") or () if isinstance(key, str)]
        if not short:
            return (make_table(title, methods),)
        rest = [key for key in next(iter(methods.values())) if key not in short]
        tables = (
            make_table(title, methods, short),
            make_table("Everything else that was measured", methods, rest, is_folded=True),
        )
        return tuple(one for one in tables if one.columns)
    there = {
        stage: one["methods"]
        for stage, one in measured.items()
        if one and isinstance(one.get("methods"), dict) and "model" in one["methods"]
    }
    if not there:
        return ()
    methods = {stage: one["model"] for stage, one in there.items()}
    methods |= {
        name: means for name, means in list(there.values())[-1].items() if name in BASELINES
    }
    return (make_table(_held_out(measured[list(there)[-1]] or {}), methods),)


def transfer_tables(content: Mapping[str, Any] | None) -> tuple[Table, ...]:
    """What was measured of a transfer without a truth, beside what the same is of real videos."""
    columns = {
        "output": "the result",
        "own_video": "the target's own video",
        "stranger": "the source's dancer",
    }
    sections = {
        key: content[key] for key in columns if content and isinstance(content.get(key), dict)
    }
    if not sections:
        return ()
    keys = dict.fromkeys(key for means in sections.values() for key in means)
    lines = []
    for metric in (describe_metric(key) for key in keys if not key.endswith("_px")):
        values = [means.get(metric.key) for means in sections.values()]
        if any(is_number(value) for value in values):
            arrow = {1: " ↑", -1: " ↓"}.get(metric.sign, "")
            cells = tuple(Cell(show(value, metric)) for value in values)
            lines.append(Line(metric.title + arrow, False, cells))
    headings = tuple(columns[key] for key in sections)
    return (Table("The result beside real videos", headings, tuple(lines)),) if lines else ()


def forensics_tables(content: Mapping[str, Any] | None) -> tuple[Table, ...]:
    """What the detector of synthetic frames reached: per subject, and on average."""
    if not content:
        return ()
    subjects = content.get("subjects", content.get("per_subject"))
    methods = dict(subjects) if isinstance(subjects, dict) else _rows(subjects)
    mean = content.get("mean", content)
    if isinstance(mean, dict) and any(is_number(mean.get(key)) for key in ("accuracy", "auc")):
        methods["mean"] = {key: mean.get(key) for key in ("accuracy", "auc")}
    table = make_table("Detector of synthetic frames", methods)
    return (table,) if table.columns else ()


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value of a JSON file is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Compared, not converted: an integer may have more digits than any float.
    return abs(value) <= sys.float_info.max


def _place(key: str) -> int:
    """Where a metric's column stands: its regions beside it, what is not known last."""
    known = list(METRICS)
    base, _, last = key.rpartition("_")
    name = base if last in REGIONS else key
    return known.index(name) if name in known else len(known)


def _held_out(content: Mapping[str, Any]) -> str:
    number = content.get("n_frames")
    return f"{number if is_number(number) else 'The'} frames held out of training"


def _rows(rows: Any) -> dict[str, dict[str, Any]]:
    """Rows of a file by their names."""
    if not isinstance(rows, list):
        return {}
    return {str(row["name"]): row for row in rows if isinstance(row, dict) and "name" in row}


def _title_of(name: str) -> str:
    if name == OF_TRUTH:
        return "the true frames"
    return name.replace("_", " ") + (" (baseline)" if name in BASELINES else "")
