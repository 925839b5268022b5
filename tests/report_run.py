"""A small folder of results as a run leaves it, for the report to show."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edn_core.metrics import ALL_COLUMNS, SHORT_COLUMNS
from edn_core.store import write_json
from edn_core.video import Metadata, Sound, encode

PAIR = ("dance", "me")
FPS = 25
SETTINGS: dict[str, Any] = {"preset": "cpu", "report": {"max_video_mb": 30.0}, "transfers": ()}


def write_video(path: Path, n_frames: int = 25, size: tuple[int, int] = (64, 160)) -> None:
    """An mp4 of a moving gradient with a tone, which says that it is synthetic."""
    height, width = size
    ramp = np.add.outer(np.arange(height), np.arange(width))
    frames = (
        np.stack([(ramp + 3 * i) % 256, (2 * ramp) % 256, np.full_like(ramp, 5 * i % 256)], axis=2)
        for i in range(n_frames)
    )
    time = np.arange(n_frames * 48_000 // FPS) / 48_000
    tone = (3000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)[:, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = (frame.astype(np.uint8) for frame in frames)
    about = Metadata({"comment": "Synthetic video"})
    encode(path, pictures, Fraction(FPS), Sound(tone, 48_000), about)


def write_picture(path: Path, size: tuple[int, int] = (90, 120)) -> None:
    """A picture of noise, (H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)


def preflight(verdict: str, advice: str = "") -> dict[str, Any]:
    """What a preflight.json says, as far as the page shows it."""
    says = "10 s of the video show the dancer"
    finding = {"title": "length", "verdict": verdict, "says": says, "advice": advice}
    return {"verdict": verdict, "reasons": "nothing stands against it", "findings": [finding]}


def write_table(path: Path) -> None:
    """A table of a baseline, two stages and the truth: everything is a half but one SSIM."""
    half = {name: None if name.startswith("lpips") else 0.5 for name in ALL_COLUMNS}
    rows = [
        {"name": name, "title": title, **half, "ssim_person": ssim}
        for name, title, ssim in (
            ("nearest_pose", "nearest pose", 0.4),
            ("body", "body", 0.8758),
            ("face", "+ face", 0.9),
            ("truth", "(true frames)", None),
        )
    ]
    absent = {name: "no weights" for name in ALL_COLUMNS if name.startswith("lpips")}
    about = {"schema": "edn-table", "schema_version": 2, "target": path.parent.name, "n_frames": 96}
    write_json(path, {**about, "short": SHORT_COLUMNS, "absent": absent, "rows": rows})


def make_run(results: Path) -> Path:
    """Everything a run of one transfer leaves that a report shows."""
    source, target = PAIR
    transfer = results / "transfer" / f"{source}_to_{target}"
    write_video(transfer.with_name(f"{transfer.name}.mp4"), size=(64, 64))
    write_video(transfer / "comparison.mp4")
    write_picture(transfer / "normalization.png")
    write_json(transfer / "preflight.json", preflight("fair", "film for longer"))
    measures = {"pose_body_percent": 5.12, "pose_body_px": 1.0, "background_flicker": None}
    columns = dict.fromkeys(("output", "own_video", "stranger"), measures)
    write_json(transfer / "metrics.json", columns)
    for video in PAIR:
        write_json(results / "videos" / video / "preflight.json", preflight("good"))
        write_picture(results / "videos" / video / "preflight.png")
        write_video(results / "videos" / video / "preview.mp4")
    write_picture(results / "videos" / target / "room.png")
    parts = {"never_bare": 0.125, "moving": 0.03}
    about = {"schema": "edn-room", "schema_version": 2}
    write_json(results / "videos" / target / "room.json", about | parts)
    for seconds, stage in ((30, "body"), (180, "face")):
        model = results / "models" / target / stage
        rows = [
            {"step": step, "G/gan": 0.5, "D/real": 1 / step, "learning_rate": 1e-3}
            | {"validation_score": score}
            for step, score in ((10, 0.5), (20, 0.75), (30, 0.75))
        ]
        rows[-1]["memory/process_mb"] = 679.6
        for row in rows:
            write_picture(model / "samples" / f"{row['step']:07d}.jpg", (40, 120))
        (model / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        benchmark = results / "benchmarks" / "models" / target / f"{stage}.tsv"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:30\t1500\n")
    write_table(results / "evaluation" / target / "table.json")
    write_picture(results / "evaluation" / target / "comparison.png")
    mean = {"accuracy": 0.75, "auc": 0.875}
    subjects = [{"name": "me", "n_pairs": 100, **mean, "auc_own": None}]
    write_json(results / "forensics" / "metrics.json", {"mean": mean, "subjects": subjects})
    return results
