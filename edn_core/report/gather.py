"""What a run left in its folder of results, for the report to show; nothing of it has to be there.

Reads the workflow's files by the places they are written to, so a page can be made of a finished
run, of one that is half done, and of one made by an older release.
"""

import csv
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edn_core.config import STAGES
from edn_core.intake import NAME
from edn_core.report.tables import (
    Table,
    evaluation_tables,
    forensics_tables,
    is_number,
    transfer_tables,
)
from edn_core.store import read_json

Pair = tuple[str, str]
Row = dict[str, float]


@dataclass(frozen=True)
class Training:
    """How one stage of one target was trained.

    Attributes:
        stage: its name.
        rows: of ``metrics.jsonl``, in order of their steps; finite numbers only.
        samples: (step, picture) of label, output and truth, in order.
        kept_step: the step whose weights were kept: the best on the validation slice; None where
            the run did not write that down.
    """

    stage: str
    rows: tuple[Row, ...]
    samples: tuple[tuple[int, Path], ...]
    kept_step: int | None


@dataclass(frozen=True)
class Target:
    """A target: its training and how good its generator is.

    Attributes:
        name: of its video.
        training: of every stage there is anything of, in order.
        unrecorded: stages that left a generator and nothing about its training.
        tables: of the evaluation, methods beside baselines.
        picture: held-out frames beside the truth, of the last stage; None where there is none.
    """

    name: str
    training: tuple[Training, ...]
    unrecorded: tuple[str, ...]
    tables: tuple[Table, ...]
    picture: Path | None


@dataclass(frozen=True)
class Transfer:
    """One transfer; paths are None where nothing is there.

    Attributes:
        source: video of the dance.
        target: video of the looks.
        video: the finished video.
        comparison: source, skeleton and result side by side.
        normalization: plot of how the source was moved.
        preflight: what the pair's ``preflight.json`` says; None without one.
        sheet: its picture.
        tables: of ``metrics.json``, where the transfer was measured.
        plot: its measures over time.
    """

    source: str
    target: str
    video: Path | None
    comparison: Path | None
    normalization: Path | None
    preflight: dict[str, Any] | None
    sheet: Path | None
    tables: tuple[Table, ...]
    plot: Path | None

    @property
    def name(self) -> str:
        """As in the file names."""
        return f"{self.source}_to_{self.target}"


@dataclass(frozen=True)
class Video:
    """One input video.

    Attributes:
        name: of the video.
        preflight: what its ``preflight.json`` says; None without one.
        sheet: its picture; None without one.
        preview: the video with the skeleton found in it; None without one.
    """

    name: str
    preflight: dict[str, Any] | None
    sheet: Path | None
    preview: Path | None


@dataclass(frozen=True)
class Cost:
    """What one kind of job took, all jobs of that kind together.

    Attributes:
        name: of the work.
        jobs: how many.
        seconds: their wall time together.
        memory_mb: the most that one of them held (resident); None where it was not measured.
    """

    name: str
    jobs: int
    seconds: float
    memory_mb: float | None


@dataclass(frozen=True)
class Run:
    """Everything a page shows of a run.

    Attributes:
        transfers: as asked for.
        targets: their targets, each once.
        videos: their sources and targets, each once.
        forensics: what the detector of synthetic frames reached.
        suspects: picture of what it took for synthetic and for real; None where there is none.
        costs: time and memory by kind of work.
    """

    transfers: tuple[Transfer, ...]
    targets: tuple[Target, ...]
    videos: tuple[Video, ...]
    forensics: tuple[Table, ...]
    suspects: Path | None
    costs: tuple[Cost, ...]


def find_pairs(results: str | Path) -> list[Pair]:
    """The (source, target) of every finished video in a folder of results, by name."""
    pattern = re.compile(f"({NAME})_to_({NAME})")
    found = (
        pattern.fullmatch(path.stem) for path in sorted((Path(results) / "transfer").glob("*.mp4"))
    )
    return [(one[1], one[2]) for one in found if one]


def gather(results: str | Path, pairs: list[Pair]) -> Run:
    """Read what a run left of these transfers.

    Args:
        results: the workflow's folder of results.
        pairs: (source, target) of each transfer to show.

    Returns:
        What is there; the videos and targets are those of the pairs, each once.
    """
    results = Path(results)
    targets = list(dict.fromkeys(target for _, target in pairs))
    videos = list(dict.fromkeys(name for pair in pairs for name in pair))
    return Run(
        transfers=tuple(_transfer(results, *pair) for pair in pairs),
        targets=tuple(_target(results, name) for name in targets),
        videos=tuple(_video(results, name) for name in videos),
        forensics=forensics_tables(_json(results / "forensics/metrics.json")),
        suspects=_there(results / "forensics/examples.png"),
        costs=_costs(results / "benchmarks", pairs, videos),
    )


def _transfer(results: Path, source: str, target: str) -> Transfer:
    folder = results / "transfer" / f"{source}_to_{target}"
    return Transfer(
        source=source,
        target=target,
        video=_there(folder.with_name(f"{folder.name}.mp4")),
        comparison=_there(folder / "comparison.mp4"),
        normalization=_there(folder / "normalization.png"),
        preflight=_json(folder / "preflight.json"),
        sheet=_there(folder / "preflight.png"),
        tables=transfer_tables(_json(folder / "metrics.json")),
        plot=_there(folder / "metrics.png"),
    )


def _video(results: Path, name: str) -> Video:
    folder = results / "videos" / name
    return Video(
        name=name,
        preflight=_json(folder / "preflight.json"),
        sheet=_there(folder / "preflight.png"),
        preview=_there(folder / "preview.mp4"),
    )


def _target(results: Path, name: str) -> Target:
    evaluation = results / "evaluation" / name
    measured = {stage: _json(evaluation / stage / "metrics.json") for stage in STAGES}
    pictures = [_there(evaluation / stage / "comparison.png") for stage in reversed(STAGES)]
    models = results / "models" / name
    training = [read_training(models / stage) for stage in STAGES]
    recorded = [one for one in training if one.rows or one.samples]
    trained = [stage for stage in STAGES if (models / stage / "generator.safetensors").is_file()]
    return Target(
        name=name,
        training=tuple(recorded),
        unrecorded=tuple(one for one in trained if one not in {each.stage for each in recorded}),
        tables=evaluation_tables(_json(evaluation / "table.json"), measured),
        picture=next((one for one in pictures if one), None),
    )


def read_training(folder: Path) -> Training:
    """What a stage's training wrote beside its weights.

    A training that was interrupted and went on has written some steps twice: the later line of a
    step counts. A line that was cut off is left out.

    Args:
        folder: ``results/models/{target}/{stage}``.
    """
    rows: dict[int, Row] = {}
    path = folder / "metrics.jsonl"
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        step = content.get("step") if isinstance(content, dict) else None
        if is_number(step) and isinstance(step, int):
            rows[step] = rows.get(step, {}) | {k: v for k, v in content.items() if is_number(v)}
    scores = {
        step: row["validation_ssim"] for step, row in rows.items() if "validation_ssim" in row
    }
    samples = ((one.stem, one) for one in sorted((folder / "samples").glob("*.jpg")))
    return Training(
        stage=folder.name,
        rows=tuple(rows[step] for step in sorted(rows)),
        samples=tuple((int(stem), one) for stem, one in samples if stem.isdigit()),
        # The first of the best: training keeps another checkpoint only if it is better.
        kept_step=min(scores, key=lambda step: (-scores[step], step), default=None),
    )


def _costs(folder: Path, pairs: list[Pair], videos: list[str]) -> tuple[Cost, ...]:
    """Time and memory by kind of work, of what these transfers needed, the longest first."""
    concerned = {*videos, *(f"{source}_to_{target}" for source, target in pairs)}
    jobs: dict[str, list[tuple[float, float | None]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        kind, *subjects, name = path.relative_to(folder).with_suffix("").parts
        if kind == "report":
            continue  # what the page before this one took
        if kind in ("demo", "transfer", "videos", "models", "evaluation"):
            if not concerned & {*subjects, name}:
                continue
            name = {
                "demo": "film_demo",
                "models": f"train {name}",
                "evaluation": "evaluation" if name in concerned else f"evaluate {name}",
            }.get(kind, name)
        with open(path, newline="", errors="replace") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                seconds = _number(row.get("s"))
                if seconds is not None:
                    jobs.setdefault(name.replace("_", " "), []).append(
                        (seconds, _number(row.get("max_rss")))
                    )
    costs = [
        Cost(
            name=name,
            jobs=len(taken),
            seconds=sum(seconds for seconds, _ in taken),
            memory_mb=max((memory for _, memory in taken if memory is not None), default=None),
        )
        for name, taken in jobs.items()
    ]
    return tuple(sorted(costs, key=lambda cost: (-cost.seconds, cost.name)))


def _there(path: Path) -> Path | None:
    return path if path.is_file() and path.stat().st_size else None


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is none yet.

    Raises:
        ValueError: it is damaged; a page without what it says would look whole.
    """
    return read_json(path) if path.is_file() else None


def _number(text: str | None) -> float | None:
    """A number of a benchmark file; it has - or NA where nothing was measured."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
