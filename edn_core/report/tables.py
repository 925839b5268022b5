"""Metrics as tables for people: the best of each column, and a dash for nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edn_core.metrics.table import ALL_COLUMNS, best_shown, heading, show

FIDELITY = {
    "output": "the result",
    "own_video": "the target's own video",
    "stranger": "the source's dancer",
}
FORENSICS = {
    "n_pairs": "pairs of frames",
    "accuracy": "accuracy",
    "auc": "AUC",
    "auc_own": "AUC, its own dance",
}


@dataclass(frozen=True)
class Table:
    """Numbers by name."""

    title: str
    columns: tuple[str, ...]  # what stands above each
    rows: dict[str, list[tuple[str, bool]]]  # name -> text of each cell, whether it is the best
    is_folded: bool = False  # whether it goes into details that few people ask for


def evaluation_tables(table: Mapping[str, Any]) -> list[Table]:
    """The held-out metrics of a target (``edn-table``): the short ones, then all others."""
    rest = [name for name in ALL_COLUMNS if name not in table["short"]]
    held_out = f"{table['n_frames']} frames held out of training"
    tables = [
        _method_table(held_out, table, table["short"], is_folded=False),
        _method_table("Everything else that was measured", table, rest, is_folded=True),
    ]
    return [one for one in tables if one.columns]


def _method_table(
    title: str, table: Mapping[str, Any], names: Iterable[str], is_folded: bool
) -> Table:
    rows = {row["title"]: row for row in table["rows"]}
    measured = [name for name in names if any(row[name] is not None for row in rows.values())]
    best = {name: best_shown(name, rows) for name in measured}
    cells = {}
    for method, row in rows.items():
        texts = {name: show(name, row[name]) for name in measured}
        is_real = method.startswith("(")
        cells[method] = [(text, text == best[name] and not is_real) for name, text in texts.items()]
    return Table(title, tuple(heading(name) for name in measured), cells, is_folded)


def transfer_tables(content: Mapping[str, Any]) -> list[Table]:
    """What was measured of a transfer (``edn-fidelity``), beside the same of real videos."""
    rows = {}
    for name in content["output"]:
        values = [content[column][name] for column in FIDELITY]
        if not name.endswith("_px") and any(value is not None for value in values):
            title = heading(name) if name in ALL_COLUMNS else name.replace("_", " ")
            rows[title] = [_cell(value) for value in values]
    return [Table("The result beside real videos", tuple(FIDELITY.values()), rows)]


def forensics_tables(content: Mapping[str, Any]) -> list[Table]:
    """What the detector of synthetic frames reached (``edn-forensics``), and on average."""
    entries = [*content["subjects"], {"name": "mean", **content["mean"]}]
    rows = {one["name"]: [_cell(one.get(key)) for key in FORENSICS] for one in entries}
    return [Table("Detector of synthetic frames", tuple(FORENSICS.values()), rows)]


def _cell(value: float | None) -> tuple[str, bool]:
    return ("-" if value is None else f"{value:.4g}", False)
