"""JSON that the workflow writes for itself, from a stranger's folder of results."""

import dataclasses
import json
import tempfile
import typing
from collections.abc import Callable
from pathlib import Path

from engine import Target
from mutate import spoiled_json
from text_targets import in_file

from edn_core.config import StatisticsConfig
from edn_core.normalize.statistics import VideoStatistics, read_statistics, write_statistics
from edn_core.report.gather import gather, read_training
from edn_core.store import read_json


def made(write: Callable[[Path], object]) -> list[bytes]:
    """A JSON file without its digest, which whoever changes the file could make anew."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.json"
        write(path)
        content = json.loads(path.read_text())
    content.pop("content_sha256", None)
    return [json.dumps(content).encode()]


def any_json() -> Target:
    seeds = [b'{"schema": "edn-table", "rows": [1.5, null, "a"], "b": {"c": [true]}}', b"[]", b"{}"]
    return Target(in_file("any.json", read_json), seeds, 100_000)


def statistics() -> Target:
    """What is read has the types that it says."""
    hints = typing.get_type_hints(VideoStatistics)

    def read(path: Path) -> None:
        found = read_statistics(path)
        for name, hint in hints.items():
            kind = typing.get_origin(hint) or hint
            assert isinstance(getattr(found, name), kind), name
        assert all(isinstance(one, str) for one in found.steps)

    seeds = made(_write_statistics)
    return Target(in_file("statistics.json", read), seeds, 50_000, spoil=spoiled_json)


def _write_statistics(path: Path) -> None:
    write_statistics(
        path,
        VideoStatistics(
            ankle_close=90.0,
            ankle_far=80.0,
            height_close=60.0,
            height_far=50.0,
            video="dance",
            width=64,
            height=96,
            n_frames=30,
            n_used=20,
            steps=("far level widened twice",),
            config=dataclasses.asdict(StatisticsConfig()),
        ),
    )


def job() -> Target:
    from test_job import JOB

    from edn_core.training.job import read_job, write_job

    seeds = made(lambda path: write_job(path, JOB))
    return Target(in_file("job.json", read_job), seeds, 20_000, spoil=spoiled_json)


def training_log() -> Target:
    """Lines of metrics.jsonl, which a killed training may have cut off."""
    seeds = [
        b'{"step": 1, "gan": 0.5, "validation_ssim": 0.9}\n{"step": 2, "gan": 0.4}\n',
        b'{"step": 3, "wall_s": 1e3}\n{"step',
    ]
    read = in_file("metrics.jsonl", lambda path: read_training(path.parent))
    return Target(read, seeds, 50_000)


def report() -> Target:
    """Everything the report page gathers, each file with the same content."""
    row = {"name": "body", "title": "body", "ssim": 0.9, "psnr": None}
    seeds = [
        json.dumps(
            {
                "schema": "edn-table",
                "schema_version": 1,
                "target": "me",
                "n_frames": 9,
                "held_out": [90, 99],
                "absent": ["lpips"],
                "columns": {"ssim": {"title": "SSIM", "unit": "", "better": "higher"}},
                "rows": [row, {**row, "name": "truth"}],
                "methods": {"body": {"ssim": 0.9}, "mean_frame": {"ssim": 0.1}},
                "per_frame": {"ssim": [0.1, None]},
            }
        ).encode()
    ]
    folders = ("evaluation/me", "evaluation/me/body", "transfer/a_to_me", "videos/me", "forensics")

    def read(path: Path) -> object:
        results = path.parent / "results"
        for folder in folders:
            (results / folder).mkdir(parents=True, exist_ok=True)
            for name in ("table.json", "metrics.json", "preflight.json"):
                (results / folder / name).write_bytes(path.read_bytes())
        return gather(results, [("a", "me")])

    return Target(in_file("content.json", read), seeds, 5_000, spoil=spoiled_json)


TARGETS = {
    "any JSON, bytes": any_json,
    "statistics": statistics,
    "job of a training": job,
    "log of a training": training_log,
    "tables of the report": report,
}
