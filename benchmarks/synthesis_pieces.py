"""How many warm-up frames do pieces of a video need, and how fast are they?

    OMP_NUM_THREADS=1 python -m benchmarks.synthesis_pieces demo_target face

after ``snakemake demo``, in the folder that holds its results. Prints two tables.

Warm-up: every held-out frame of the target is once the first of a piece, after so many frames of
warm-up; its temporal-difference error against the frame before, synthesized in order, over that of
the sequence in order. Whole picture and person.

Speed: frames per second of process time, networks and labels, without writing.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edn_core.band import BAND, dancer_band
from edn_core.checkpoint import load_generator
from edn_core.config import EvaluationConfig
from edn_core.face import face_boxes
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.metrics import region_mean
from edn_core.render import find_style
from edn_core.split import split_frames
from edn_core.synthesize import (
    Piece,
    check_labels,
    cut_into_pieces,
    load_networks,
    synthesize,
    synthesize_pieces,
)
from edn_core.window import in_window

WARM_UPS = (0, 1, 2, 4, 8, 16)
CHUNKS = (1, 2, 4, 8)
LEAD_IN = 20  # frames before the held-out ones, so that the sequence has settled
TIMED_FRAMES = 240


def change_error(pair: tuple, truth: tuple) -> np.ndarray:
    """(H, W): how far the change from one frame to the next is from the true one, 0 to 2."""
    change, true_change = (np.subtract(b, a, dtype=np.int16) for a, b in (pair, truth))
    return np.abs(change - true_change).mean(axis=2) / 255


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target")
    parser.add_argument("stage")
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    generator = given.results / "models" / given.target / given.stage / "generator.safetensors"
    folder = given.results / "videos" / given.target
    trained, device = load_generator(generator), torch.device("cpu")
    labels, frames = FrameReader(folder / "labels.zip"), FrameReader(folder / "frames.zip")
    check_labels(trained, labels, generator)
    keypoints = in_window(read_keypoints(folder / "keypoints.h5"), labels.info)
    boxes = face_boxes(keypoints, trained.face_side)
    networks, style = load_networks(trained, device), find_style(trained.label_style)

    seams = list(split_frames(len(frames), EvaluationConfig()).test)
    run = range(seams[0] - LEAD_IN, seams[-1] + 1)
    images = synthesize(networks, (labels[i] for i in run), boxes[run.start :], device, style)
    in_order = dict(zip(run, images, strict=True))
    width = BAND * frames.info.height
    masks = {
        frame: dancer_band(keypoints.person(frame), keypoints.skeleton, frames.info.size, width)
        for frame in seams
    }

    def errors(made: Mapping[int, Any]) -> np.ndarray:
        rows = []
        for frame in seams:
            pair, truth = (in_order[frame - 1], made[frame]), (frames[frame - 1], frames[frame])
            error = change_error(pair, truth)
            rows.append((error.mean(), region_mean(error, masks[frame])))
        return np.nanmean(rows, axis=0)

    plain = errors(in_order)
    print("| warm-up frames | seam error, whole | person | mean difference, levels | largest |")
    print("|---|---|---|---|---|")
    for warm_up in WARM_UPS:
        pieces = [Piece(frame - warm_up, frame, frame + 1) for frame in seams]
        made: dict[int, Any] = dict(
            synthesize_pieces(networks, labels.__getitem__, boxes, pieces, device, style)
        )
        whole, person = errors(made) / plain
        off = [np.abs(made[frame].astype(int) - in_order[frame]) for frame in seams]
        print(f"| {warm_up} | {whole:.4f} | {person:.4f} | {np.mean(off):.4f} | {np.max(off)} |")

    n_frames = min(TIMED_FRAMES, len(labels))
    print("\n| chunks | frames/s | counting warm-up frames |\n|---|---|---|")
    for chunks in CHUNKS:
        pieces = cut_into_pieces(n_frames, chunks, 8)
        begin = time.process_time()
        read = labels.__getitem__
        n_made = sum(1 for _ in synthesize_pieces(networks, read, boxes, pieces, device, style))
        seconds = time.process_time() - begin
        steps = sum(piece.stop - piece.begin for piece in pieces)
        print(f"| {len(pieces)} | {n_made / seconds:.1f} | {steps / seconds:.1f} |")


if __name__ == "__main__":
    main()
