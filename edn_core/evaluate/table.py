"""One table per target: baselines, then every stage, on the same held-out frames."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edn_core.evaluate.files import read_metrics
from edn_core.logs import LOGGER
from edn_core.metrics import ALL_COLUMNS, SHORT_COLUMNS, markdown_table
from edn_core.metrics.target import SCHEMA, SCHEMA_VERSION, read_table, short_table
from edn_core.store import write_beside, write_json

BASELINE_TITLES = {"nearest_pose": "nearest pose", "mean_frame": "mean frame"}
TRUTH_TITLE = "(true frames)"
TABLES = {
    "The short of it": SHORT_COLUMNS,
    "Likeness to the truth": tuple(
        name for name in ALL_COLUMNS if name.split("_")[0] in ("ssim", "psnr", "lpips", "l1")
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

    Args:
        baselines_path: what evaluate_baselines wrote.
        stage_paths: what evaluate_model wrote, in the order of the stages.
        markdown_path: table to write, for people.
        json_path: the same as JSON (``edn-table``).
        csv_path: the same as CSV, a row per method, an empty cell for nothing.

    Returns:
        What was written to ``json_path``.

    Raises:
        ValueError: the files are not of one evaluation.
    """
    baselines = read_metrics(baselines_path)
    stages = [read_metrics(path) for path in stage_paths]
    for path, one in zip(stage_paths, stages, strict=True):
        for key in ("video", "n_frames", "n_persons", "n_faces", "n_poses", "torso_px"):
            if one[key] != baselines[key]:
                raise ValueError(
                    f"{path}: {key} is {one[key]}, but {baselines_path} has {baselines[key]}; "
                    "they are not of one evaluation: delete both and run again"
                )
    rows = [
        {"name": name, "title": title, **baselines["methods"][name]}
        for name, title in BASELINE_TITLES.items()
    ]
    rows += [
        {"name": one["stage"], "title": _stage_title(number, one["stage"])}
        | one["methods"]["model"]
        for number, one in enumerate(stages)
    ]
    rows.append({"name": "truth", "title": TRUTH_TITLE, **baselines["methods"]["truth"]})
    table = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "target": baselines["video"],
        **{
            key: baselines[key]
            for key in ("n_frames", "n_persons", "n_faces", "n_poses", "torso_px")
        },
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
    LOGGER.info(f"{table['target']} on {table['n_frames']} held-out frames:")
    for line in short_table(table).splitlines():
        LOGGER.info(line)
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
        f"{table['n_faces']} a face, in {table['n_poses']} a pose found at the size of the canvas. "
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


def compare_tables(folders: Sequence[str | Path]) -> str:
    """Tables of several folders of results side by side: ablations.

    Args:
        folders: folders of results, each with ``evaluation/{target}/table.json``.

    Returns:
        Markdown: for each target that several of them have, a row per folder and method.

    Raises:
        ValueError: two folders of one name, none has a table, or no target is in two of them.
    """
    names = [str(folder) for folder in folders]
    if len(set(names)) < max(2, len(names)):
        raise ValueError(f"expected at least two different folders, got {', '.join(names)}")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in names:
        paths = sorted(Path(name).glob("evaluation/*/table.json"))
        if not paths:
            raise ValueError(
                f"{name}: no evaluation/*/table.json there; run `snakemake evaluation` in its "
                "folder first"
            )
        for path in paths:
            table = read_table(path)
            found.setdefault(table["target"], {})[name] = table
    common = {target: tables for target, tables in found.items() if len(tables) > 1}
    if not common:
        raise ValueError(
            f"no target is in two of {', '.join(names)}; they hold {', '.join(sorted(found))}"
        )
    lines: list[str] = []
    for target, tables in common.items():
        lines += [f"# {target}", ""]
        counts = {name: table["n_frames"] for name, table in tables.items()}
        if len(set(counts.values())) > 1:
            text = ", ".join(f"{name}: {count}" for name, count in counts.items())
            lines += [f"Careful: they hold out different frames ({text}).", ""]
        rows = {
            f"{name}: {row['title']}": row
            for name, table in tables.items()
            for row in table["rows"]
            if row["name"] != "truth"
        }
        measured = [
            name
            for name in SHORT_COLUMNS
            if any(row.get(name) is not None for row in rows.values())
        ]
        lines += [markdown_table(rows, measured), ""]
    return "\n".join(lines)


def _stage_title(number: int, stage: str) -> str:
    return f"+ {stage}" if number else stage


TABLE_TEXTS = {".md": describe_table, ".csv": list_table}
"""What stands in ``table.md`` and ``table.csv``, as functions of the table."""
