"""The table of a target as people and as spreadsheets read it."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edn_core.metrics import ALL_COLUMNS, SHORT_COLUMNS
from edn_core.metrics.table import markdown_table
from edn_core.store import write_beside, write_json

TABLES = {
    "The short of it": SHORT_COLUMNS,
    "Likeness to the truth": tuple(
        name
        for name in ALL_COLUMNS
        if name.split("_")[0] in ("ssim", "psnr", "lpips", "l1", "outline")
    ),
    "Steadiness": ("temporal_difference", "flow_warping"),
    "Pose found anew in the output": tuple(
        name for name in ALL_COLUMNS if name.split("_")[0] in ("pose", "missed")
    ),
}


def list_table(table: Mapping[str, Any]) -> str:
    """A table as CSV, a method in each line."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["name", *ALL_COLUMNS], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table["rows"])
    return text.getvalue()


def describe_table(table: Mapping[str, Any]) -> str:
    """A table as Markdown, in parts narrow enough to read."""
    lines = [
        f"# {table['target']} on the frames held out of its training",
        "",
        f"{table['n_frames']} frames; in {table['n_persons']} of them a person, in "
        f"{table['n_faces']} a face, in {table['n_poses']} a pose found anew. "
        f"The torso is {table['torso_px']:.1f} px long. ↑: more is better, ↓: less is better; the "
        "best of each column is bold; true frames: what the measure gives for the real video.",
    ]
    rows = {row["title"]: row for row in table["rows"]}
    for heading, names in TABLES.items():
        measured = [name for name in names if name not in table["absent"]]
        of_part = {
            title: row
            for title, row in rows.items()
            if any(row[name] is not None for name in measured)
        }
        lines += ["", f"## {heading}", "", markdown_table(of_part, names)]
    reasons: dict[str, list[str]] = {}
    for name, reason in table["absent"].items():
        reasons.setdefault(reason, []).append(name)
    if reasons:
        lines += ["", "Not measured:", ""]
        lines += [f"* {', '.join(names)}: {reason}." for reason, names in reasons.items()]
    return "\n".join([*lines, "", "What the columns mean: docs/evaluation.md.", ""])


TABLE_TEXTS = {".md": describe_table, ".csv": list_table}
"""What stands in ``table.md`` and ``table.csv``, as functions of the table."""


def write_table(path: str | Path, table: dict[str, Any]) -> None:
    """Write a table (``edn-table``), and its texts beside it, by their suffixes."""
    write_json(path, table)
    for suffix, text_of in TABLE_TEXTS.items():
        with write_beside(Path(path).with_suffix(suffix)) as partial:
            partial.write_bytes(text_of(table).encode())
