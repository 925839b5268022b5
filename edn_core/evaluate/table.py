"""One table per target: baselines, then every stage, on the same held-out frames."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edn_core.evaluate import compare
from edn_core.logs import LOGGER
from edn_core.metrics import ALL_COLUMNS, SHORT_COLUMNS, short_table
from edn_core.metrics.table import SCHEMA, markdown_table
from edn_core.store import read_json, write_beside, write_json

BASELINES = {"nearest_pose": "nearest pose", "mean_frame": "mean frame"}
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


def evaluate_target(
    baselines_path: str | Path,
    stage_paths: Sequence[str | Path],
    markdown_path: str | Path,
    json_path: str | Path,
    csv_path: str | Path,
) -> dict[str, Any]:
    """Put the baselines and every stage of one target into one table.

    Reads what evaluate_baselines wrote, and evaluate_model in the order of the stages. Writes the
    table for people, as JSON (``edn-table``), and as CSV with a row per method and an empty cell
    for nothing.

    Returns:
        What was written to ``json_path``.
    """
    baselines, *stages = (
        read_json(path, compare.SCHEMA) for path in (baselines_path, *stage_paths)
    )
    methods = baselines["methods"]
    rows = [{"name": name, "title": title, **methods[name]} for name, title in BASELINES.items()]
    for number, one in enumerate(stages):
        title = f"+ {one['stage']}" if number else one["stage"]
        rows.append({"name": one["stage"], "title": title, **one["methods"]["model"]})
    rows.append({"name": "truth", "title": "(true frames)", **methods["truth"]})
    table = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "target": baselines["video"],
        **{key: baselines[key] for key in (*compare.COUNTS, "torso_px")},
        "columns": [
            {"name": name, "title": one.title, "unit": one.unit, "better": one.better}
            for name, one in ALL_COLUMNS.items()
        ],
        "short": list(SHORT_COLUMNS),
        "absent": baselines["absent"],
        "rows": rows,
    }
    write_json(json_path, table)
    for path, text_of in ((markdown_path, describe_table), (csv_path, list_table)):
        with write_beside(path) as partial:
            partial.write_bytes(text_of(table).encode())
    LOGGER.info(f"{table['target']} on {table['n_frames']} held-out frames:\n{short_table(table)}")
    return table


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
