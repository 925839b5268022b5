"""A real clip on this machine, in one command: trained, synthesized, evaluated, and one table.

    python -m benchmarks.gpu_real STORES --out OUT [--seconds 500] [--preset 8gb] [--against paint]
    python -m benchmarks.gpu_real STORES --out OUT --quick --device cpu    # does it run?
    python -m benchmarks.gpu_real STORES --pack VIDEO                      # where PyAV is

STORES is a target's folder, as the workflow leaves it in results/videos. The GPU machine needs
neither PyAV nor Snakemake: the true frames come from STORES/truth.zip, which ``--pack`` writes;
without it the dancer of frames.zip in his room stands for them. ``--seconds`` are those of
training, which the stages share; ``--against paint`` gives half of them to the paper's way.
OUT/gpu_real.json and OUT/sheet.jpg are to be taken home.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.real_training import paint_stores, train_stages
from benchmarks.speed import TINY
from benchmarks.step_profile import describe, profile_step
from edn_core import __version__
from edn_core.accelerate import choose_acceleration
from edn_core.compose import Composer, read_background
from edn_core.config import PRESETS, Config, read_config
from edn_core.evaluate import EvaluationFiles, Measures, evaluate_target
from edn_core.evaluate.files import finished_footage, finished_halvings, spread
from edn_core.footage import Footage
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.metrics.table import markdown_table
from edn_core.split import split_frames
from edn_core.synthesize import synthesize_frames
from edn_core.weights import settle_weights
from edn_core.window import read_window

NEEDED = ("frames.zip", "labels.zip", "keypoints.h5", "statistics.json", "window.json")
STAGE_COLUMNS = {
    "steps": "steps",
    "pairs_per_s": "pairs/s",
    "wall": "wall, s",
    "setup": "before the first step",
    "pace": "timing, compiling, recording",
    "step": "steps, s",
    "validation": "validation",
    "saving": "saving",
    "allocated_gb": "peak, GB",
    "reserved_gb": "reserved, GB",
}
METHOD_COLUMNS = ("ssim_person", "ssim_face", "ssim", "flow_warping")
N_SHOWN, SHOWN_PX = 6, 480


def main(arguments: Sequence[str] | None = None) -> None:
    """Do all of it, print the table, and leave JSON and contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("stores", type=Path)
    parser.add_argument("--out", type=Path, default=Path("gpu_real"))
    parser.add_argument("--seconds", type=float, default=500.0, help="of training")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--preset", choices=list(PRESETS), help="8gb, or cpu on a CPU")
    parser.add_argument("--against", choices=["paint"], help="the paper's way, for equal time")
    parser.add_argument("--quick", action="store_true", help="tiny networks: does it run?")
    parser.add_argument("--pack", type=Path, metavar="VIDEO", help="write STORES/truth.zip")
    options = parser.parse_args(arguments)
    if missing := [name for name in NEEDED if not (options.stores / name).is_file()]:
        raise ValueError(
            f"{options.stores}: no {', '.join(missing)} there; make the folder with `snakemake "
            "--config preset=8gb -- labels`, of a target among the transfers"
        )
    if options.pack:
        packed = finished_footage(options.pack, options.stores / "keypoints.h5")[0]
        _write_truth(options.stores / "truth.zip", options.stores, packed)
        return
    log_to(options.out / "log")
    found = measure(options, _configuration(options))
    (options.out / "gpu_real.json").write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


def _configuration(options: argparse.Namespace) -> Config:
    """The preset's, at the size of the stores; weight files where they lie."""
    window = read_window(options.stores / "window.json")
    preset = options.preset or ("cpu" if options.device == "cpu" else "8gb")
    values = {
        "preset": preset,
        "canvas": {"pixels": window.width * window.height},
        "runtime": {"device": options.device},
    }
    config, _ = settle_weights(read_config(values, preset), {}, otherwise=False)
    return replace(config, network=TINY) if options.quick else config


def measure(options: argparse.Namespace, config: Config) -> dict[str, Any]:
    """All figures: of the machine, the stages and the methods of each way, synthesis, a profile."""
    stores, out, device = options.stores, options.out, torch.device(options.device)
    keypoints = read_keypoints(stores / "keypoints.h5")
    split = split_frames(len(keypoints), config.evaluation)
    if options.quick:
        split = replace(split, test=split.test[:N_SHOWN], validation=split.validation[:2])
    truth = stores / "truth.zip"
    found: dict[str, Any] = {
        "card": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "release": __version__,
        "torch": torch.__version__,
        "clip": keypoints.video,
        "preset": config.preset,
        "perceptual": "VGG19" if config.training.vgg19 else "L1 in place of VGG19",
        "truth": "the video's frames",
    }
    if not truth.is_file():
        truth, halvings = out / "truth.zip", finished_halvings(keypoints)
        _write_truth(truth, stores, _composer(stores, stores, halvings))
        found["truth"] = "the dancer of frames.zip in his room: whole-frame figures flatter"
    footage = finished_footage(truth, stores / "keypoints.h5")[0]
    files = EvaluationFiles(
        truth, stores / "keypoints.h5", stores / "labels.zip", masks=_there(stores, "masks.zip")
    )
    measures = Measures(evaluation=config.evaluation, threads=torch.get_num_threads())
    found["methods"] = {}
    shown, ways = spread(split.test, N_SHOWN), ["room", *filter(None, [options.against])]
    columns = [[footage[number] for number in shown]]
    for way in ways:
        own, room = stores, stores
        if way == "paint":
            own, room = paint_stores(stores, footage, config, split, out / "stores"), out
        seconds = options.seconds / len(ways)
        rows, last = train_stages(own, out / way, config, split, seconds, options.quick)
        found[f"stages, {way}"] = rows
        files = replace(files, labels=own / "labels.zip", room=_there(room, "room.png"))
        files = replace(files, room_report=_there(room, "room.json"))
        generators = [out / way / row["stage"] / "generator.safetensors" for row in rows]
        began, written = time.perf_counter(), (out / way / "table.json", out / way / "plot.png")
        made = evaluate_target(files, generators, split, device, *written, measures)["rows"]
        compared = (len(made) - 1) * len(split.test)  # all rows but the true frames'
        found[f"evaluation, {way}"] = [compared / (time.perf_counter() - began)]
        named = {row["stage"]: f"{way}: {row['stage']}" for row in rows}
        found["methods"] |= {named.get(one["name"], one["title"]): one for one in made}
        found[f"synthesis, {way}"] = _synthesize(last, own, out / way, files.room_report, config)
        finished = _composer(out / way, room, footage.halvings)
        columns.append([finished[number] for number in shown])
    size = (32, 64) if options.quick else read_window(stores / "window.json").size
    found["profile"] = profile_step(size, config.network, device)
    _write_sheet(out / "sheet.jpg", columns)
    return found


def _there(folder: Path, name: str) -> Path | None:
    return folder / name if (folder / name).is_file() else None


def _composer(folder: Path, room: Path, halvings: int) -> Composer:
    frames = FrameReader(folder / "frames.zip")
    background = read_background("room", _there(room, "room.png"), frames.info.clip.size)
    return Composer(frames, background, halvings)


def _write_truth(path: Path, stores: Path, frames: Footage | Composer) -> None:
    """A store of whole frames, halved as they are compared."""
    about, times = FrameReader(stores / "frames.zip").info, 2**frames.halvings
    affine = [[times, 0, (times - 1) / 2], [0, times, (times - 1) / 2]]
    changes = {"to_video": np.tile(affine, (len(frames), 1, 1)), "figure_px": 0.0, "channels": 3}
    about = about.replaced(height=frames.size[0], width=frames.size[1], **changes)
    with FrameWriter(path, about, quality=90) as writer:
        for number in range(len(frames)):
            writer.append(frames[number])


def _synthesize(
    generator: Path, stores: Path, out: Path, shadow: Path | None, config: Config
) -> list[float]:
    """Frames/s from store to store, the whole clip: the first time and once more."""
    device, rates = torch.device(config.runtime.device), []
    for _ in range(2):
        began = time.perf_counter()
        synthesize_frames(
            generator,
            *(stores / "labels.zip", stores / "keypoints.h5", out / "frames.zip"),
            *(device, config.synthesis),
            choose_acceleration(config.runtime, device, "synthesis"),
            shadow,
            threads=torch.get_num_threads(),
        )
        n_frames = len(FrameReader(out / "frames.zip"))
        rates.append(n_frames / (time.perf_counter() - began))
    return rates


def _write_sheet(path: Path, columns: Sequence[Sequence[np.ndarray]]) -> None:
    """Truth and each way side by side, a held-out frame in each row."""
    sheet = np.hstack([np.vstack(column) for column in columns])
    width = min(sheet.shape[1], SHOWN_PX * len(columns))
    size = width, sheet.shape[0] * width // sheet.shape[1]
    sheet = cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def table(found: dict[str, Any]) -> str:
    """Everything that was measured, as Markdown."""
    about = ("card", "release", "torch", "clip", "preset", "perceptual", "truth")
    lines = ["; ".join(f"{name}: {found[name]}" for name in about), ""]
    for name, rows in found.items():
        if name.startswith("stages"):
            there = [key for key in STAGE_COLUMNS if key in rows[0]]
            cells = [[row["stage"], *(f"{row[key]:.4g}" for key in there)] for row in rows]
            head = [[name, *(STAGE_COLUMNS[key] for key in there)], ["---"] * (1 + len(there))]
            lines += [*(f"| {' | '.join(row)} |" for row in head + cells), ""]
    lines += [markdown_table(found["methods"], METHOD_COLUMNS), ""]
    for name, rates in found.items():
        if name.startswith(("synthesis", "evaluation")):
            lines += [f"{name}, frames/s: {', once more '.join(f'{one:.1f}' for one in rates)}", ""]
    return "\n".join([*lines, describe(found["profile"])])


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
