"""Metrics as tables for people: the best of each column, and a dash for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edn_core.metrics.table import ALL_COLUMNS, heading, measured_columns, table_cells

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
    rows = {row["title"]: row for row in table["rows"]}
    rest = [name for name in ALL_COLUMNS if name not in table["short"]]
    short, others = (measured_columns(rows, names) for names in (table["short"], rest))
    tables = [
        (f"{table['n_frames']} frames held out of training", short, False),
        ("Everything else that was measured", others, True),
    ]
    return [
        Table(title, tuple(map(heading, names)), table_cells(rows, names), is_folded)
        for title, names, is_folded in tables
        if names
    ]


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
