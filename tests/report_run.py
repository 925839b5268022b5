"""A small folder of results as a run leaves it, for the report to show."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edn_core.video import Metadata, Sound, encode

PAIR = ("dance", "me")
FPS = 25
SETTINGS: dict[str, Any] = {"preset": "cpu", "report": {"max_video_mb": 30.0}, "transfers": ()}
MEANS = {"ssim": 0.9, "psnr": 25.0, "temporal_difference": 0.01}


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
    encode(
        path,
        (frame.astype(np.uint8) for frame in frames),
        Fraction(FPS),
        Sound(tone, 48_000),
        Metadata({"comment": "Synthetic video"}),
    )


def write_picture(path: Path, size: tuple[int, int] = (90, 120)) -> None:
    """A picture of noise, (H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(noise).save(path)


def write_text(path: Path, text: str) -> None:
    """A file with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """A JSON file with its folder."""
    write_text(path, json.dumps(content))


def finding(verdict: str, advice: str = "") -> dict[str, Any]:
    """One finding of a preflight."""
    return {
        "name": "length",
        "title": "length",
        "value": 10.0,
        "unit": "s",
        "good": 120.0,
        "fair": 10.0,
        "verdict": verdict,
        "roles": ["target"],
        "says": "10 s of the video show the dancer",
        "advice": advice,
    }


def preflight(verdict: str, advice: str = "") -> dict[str, Any]:
    """What a preflight.json says."""
    reasons = "nothing stands against it"
    return {"verdict": verdict, "reasons": reasons, "findings": [finding(verdict, advice)]}


def make_run(results: Path) -> Path:
    """Everything a run of one transfer leaves that a report shows."""
    source, target = PAIR
    transfer = results / "transfer" / f"{source}_to_{target}"
    write_video(transfer.with_name(f"{transfer.name}.mp4"), size=(64, 64))
    write_video(transfer / "comparison.mp4")
    write_picture(transfer / "normalization.png")
    write_picture(transfer / "preflight.png")
    write_json(transfer / "preflight.json", preflight("fair", "film for longer"))
    write_json(
        transfer / "metrics.json",
        {"output": {"pose_body_percent": 5.12}, "own_video": {"pose_body_percent": 3.0}},
    )
    for video in PAIR:
        write_json(results / "videos" / video / "preflight.json", preflight("good"))
        write_picture(results / "videos" / video / "preflight.png")
        write_video(results / "videos" / video / "preview.mp4")
    for number, stage in enumerate(("body", "temporal", "face"), start=1):
        model = results / "models" / target / stage
        rows = [{"step": step, "G/gan": 0.5, "D/real": 1 / step, "learning_rate": 1e-3}
                for step in (10, 20, 30)]  # fmt: skip
        rows += [{"step": step, "validation_ssim": score}
                 for step, score in ((10, 0.5), (20, 0.75), (30, 0.75))]  # fmt: skip
        write_text(model / "metrics.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
        for step in (10, 20, 30):
            write_picture(model / "samples" / f"{step:07d}.jpg", (40, 120))
        evaluation = results / "evaluation" / target / stage
        means = MEANS | {"ssim": 0.8 + number / 100}
        methods = {"model": means, "nearest_pose": MEANS | {"ssim": 0.6}}
        write_json(evaluation / "metrics.json", {"n_frames": 5, "methods": methods})
        write_picture(evaluation / "comparison.png")
        write_text(
            results / "benchmarks" / "models" / target / f"{stage}.tsv",
            f"s\th:m:s\tmax_rss\n{30 * number}\t0:00:30\t{500 * number}\n",
        )
    subjects = [{"name": "me", "n_pairs": 100, "accuracy": 0.75, "auc": 0.875}]
    write_json(
        results / "forensics" / "metrics.json",
        {"mean": {"accuracy": 0.75, "auc": 0.875}, "subjects": subjects},
    )
    return results
