"""What a run left in its folder of results, for the report to show; nothing of it has to be there.

Reads the workflow's files by the places they are written to, so a page can be made of a finished
run and of one that is half done.
"""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edn_core.config import STAGES
from edn_core.intake import NAME
from edn_core.metrics import read_table
from edn_core.report.tables import evaluation_tables, forensics_tables, transfer_tables
from edn_core.room import read_room_report
from edn_core.store import read_json
from edn_core.video.encoding import CODINGS

Pair = tuple[str, str]


@dataclass(frozen=True)
class Training:
    """How one stage of one target was trained."""

    stage: str
    rows: tuple[dict[str, float], ...]  # of ``metrics.jsonl``, in order of their steps
    samples: tuple[tuple[int, Path], ...]  # (step, picture) of label, output and truth, in order
    kept_step: int | None  # the best on the validation slice; None where nothing was measured
    peak_mb: dict[str, float]  # the most memory of the process, and allocated, reserved of a GPU


@dataclass(frozen=True)
class Cost:
    """What one kind of job took, all jobs of that kind together."""

    name: str
    jobs: int
    seconds: float  # their wall time together
    memory_mb: float  # the most that one of them held (resident)


def find_pairs(results: str | Path) -> list[Pair]:
    """The (source, target) of every finished video in a folder of results, by name."""
    paths = sorted((Path(results) / "transfer").glob("*"))
    films = dict.fromkeys(path.stem for path in paths if path.suffix in CODINGS)
    found = (re.fullmatch(f"({NAME})_to_({NAME})", name) for name in films)
    return [(one[1], one[2]) for one in found if one]


def gather(results: Path, pairs: list[Pair]) -> dict[str, Any]:
    """Read what a run left of these transfers, each (source, target), in its folder of results.

    Returns:
        What the page's template names: ``transfers``, ``targets`` and ``videos`` by name, each a
        dict of paths, tables and contents, None or empty where nothing is there; ``forensics``,
        ``suspects``, ``costs``.
    """
    videos = list(dict.fromkeys(name for pair in pairs for name in pair))
    examined = _json(results / "forensics/metrics.json")
    return {
        "transfers": {"_to_".join(pair): _transfer(results, *pair) for pair in pairs},
        "targets": {name: _target(results, name) for _, name in pairs},
        "videos": {name: _preflight(results / "videos" / name) for name in videos},
        "forensics": forensics_tables(examined) if examined else [],
        "suspects": _there(results / "forensics/examples.png"),
        "costs": _costs(results / "benchmarks", {*videos, *map("_to_".join, pairs)}),
    }


def _transfer(results: Path, source: str, target: str) -> dict[str, Any]:
    folder = results / "transfer" / f"{source}_to_{target}"
    measured = _json(folder / "metrics.json")
    films = (_there(folder.with_name(f"{folder.name}{suffix}")) for suffix in CODINGS)
    return _preflight(folder) | {
        "source": source,
        "target": target,
        "video": next(filter(None, films), None),
        "comparison": _there(folder / "comparison.mp4"),
        "normalization": _there(folder / "normalization.png"),
        "tables": transfer_tables(measured) if measured else [],
        "plot": _there(folder / "metrics.png"),
    }


def _preflight(folder: Path) -> dict[str, Any]:
    return {
        "preflight": _json(folder / "preflight.json"),
        "sheet": _there(folder / "preflight.png"),
        "preview": _there(folder / "preview.mp4"),
    }


def _target(results: Path, name: str) -> dict[str, Any]:
    evaluation, models = results / "evaluation" / name, results / "models" / name
    table, videos = evaluation / "table.json", results / "videos" / name
    measured = videos / "room.json"
    training = [read_training(models / stage) for stage in STAGES if (models / stage).is_dir()]
    return {
        "tables": evaluation_tables(read_table(table)) if table.is_file() else [],
        "room": _there(videos / "room.png"),
        "measured": read_room_report(measured) if measured.is_file() else None,
        "picture": _there(evaluation / "comparison.png"),
        "training": training,
    }


def read_training(folder: Path) -> Training:
    """What a stage's training wrote beside its weights (``results/models/{target}/{stage}``).

    A training that was interrupted and went on has written some steps twice: the later line of a
    step counts. A line that was cut off is left out.
    """
    rows: dict[int, dict[str, float]] = {}
    path = folder / "metrics.jsonl"
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["step"]] = rows.get(row["step"], {}) | row
    in_order = tuple(rows[step] for step in sorted(rows))
    measured = [row for row in in_order if "validation_score" in row]
    # The first of the best: training keeps another checkpoint only if it is better.
    kept = max(measured, key=lambda row: row["validation_score"], default=None)
    samples = tuple((int(one.stem), one) for one in sorted((folder / "samples").glob("*.jpg")))
    peak_mb = {k[7:-3]: v for row in in_order for k, v in row.items() if k.startswith("memory/")}
    return Training(folder.name, in_order, samples, int(kept["step"]) if kept else None, peak_mb)


def _costs(folder: Path, concerned: set[str]) -> list[Cost]:
    """Time and memory by kind of work, of these videos and transfers, the longest first."""
    jobs: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        kind, *subjects, name = path.relative_to(folder).with_suffix("").parts
        name = name.partition(".")[0]  # of a film without its container
        if kind == "report" or (not concerned & {*subjects, name} and kind != "forensics"):
            continue
        work = {"models": f"train {name}", "evaluation": f"evaluate {name}"}.get(kind, name)
        if kind == "demo":
            work = "film demo"
        with open(path, newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                taken = _number(row["s"]), _number(row["max_rss"])
                jobs.setdefault(work.replace("_", " "), []).append(taken)
    costs = [
        Cost(work, len(taken), sum(one for one, _ in taken), max(one for _, one in taken))
        for work, taken in jobs.items()
    ]
    return sorted(costs, key=lambda cost: (-cost.seconds, cost.name))


def _number(text: str) -> float:
    """Of a benchmark file, which has - or NA where nothing was measured."""
    return 0.0 if text in ("-", "NA") else float(text)


def _there(path: Path) -> Path | None:
    return path if path.is_file() and path.stat().st_size else None


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is none yet; Refused where it is damaged."""
    return read_json(path) if path.is_file() else None
