"""Does the preflight's coverage tell where a generator will err? Rank correlation, frame by frame.

    python -m benchmarks.preflight_coverage demo_target

Needs a trained and evaluated target (`make demo` makes demo_target). For every held-out frame: for
how long the training frames show about its pose, and how far the nearest of them is, against the
generator's error on that frame, 1 - SSIM of the person. "beside the size" is the partial
correlation that takes away the size of the region the error is averaged over: the fewer pixels of
the still room it holds, the larger the mean error, whatever the pose.

Neighbouring frames are alike, so a few seconds are few observations. For more: a configuration with
`demo: {target_s: 64}` and `videos: {demo_target: {held_out: [480, 1920]}}`, `snakemake demo` with
it, and here `--held-out 480 1920`.

A frame also has an error of its own (arms before the body, keypoints that are wrong), whatever was
seen. With

    python -m benchmarks.preflight_coverage demo_target --starve 400

two body stages of 400 steps are trained on the first half of the video: one on all of it, one only
on the frames with both hands below the shoulders. What the second errs more on the second half is
then compared with what it was shown less. Minutes on two cores.
"""

import argparse
import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr

from edn_core.background import build_background
from edn_core.checkpoint import load_generator
from edn_core.config import (
    Config,
    EvaluationConfig,
    RuntimeConfig,
    TrainingConfig,
    read_section,
    with_preset,
)
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.logs import log_to
from edn_core.metrics import person_mask, region_mean, ssim_map
from edn_core.preflight.coverage import body_poses, nearest_poses
from edn_core.split import Split, split_frames
from edn_core.synthesize import synthesize
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train

WANTED = 0.5
VALIDATION = 24  # frames
BINS_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, np.inf)


def main() -> None:
    """Print the correlations of every stage, and the error by time seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", help="a trained target in results/")
    parser.add_argument(
        "--held-out", type=int, nargs=2, help="first and last + 1 frame, as trained"
    )
    parser.add_argument("--starve", type=int, metavar="STEPS", help="train with poses left out")
    arguments = parser.parse_args()
    folder = Path("results/videos") / arguments.target
    keypoints = read_keypoints(folder / "keypoints.h5")
    if arguments.starve:
        starve(folder, keypoints, arguments.starve)
        return
    split = split_frames(len(keypoints), EvaluationConfig(), arguments.held_out)
    test = list(split.test)
    poses = body_poses(keypoints)
    found = nearest_poses(poses[test], poses[split.train_frames])
    seen_s = found.weight / float(keypoints.fps)
    print(f"{len(test)} held-out frames against {len(split.train_frames)} training frames")
    print(f"{'rank correlation with 1 - SSIM':32}{'too seldom seen':>18}{'beside the size':>18}"
          f"{'nearest distance':>18}{'beside the size':>18}")  # fmt: skip
    errors = np.zeros(len(test))
    for stage in TrainingConfig().stages:
        model = Path("results/models") / arguments.target / stage / "generator.safetensors"
        errors, sizes = person_errors(model, folder, keypoints, test)
        cells = [
            value
            for predictor in (-seen_s, found.distance)
            for value in (
                spearmanr(predictor, errors).statistic,
                partial_correlation(predictor, errors, sizes),
            )
        ]
        print(f"{stage:32}" + "".join(f"{cell:>18.2f}" for cell in cells))
    print("\nmean error of the last stage by how long its pose is seen in training")
    for low, high in itertools.pairwise(BINS_S):
        inside = (seen_s >= low) & (seen_s < high)
        mean = f"{errors[inside].mean():.3f}" if inside.any() else "-"
        print(f"{low:5.2f} to {high:5.2f} s {inside.sum():6} frames {mean:>8}")
    correlation = spearmanr(-seen_s, errors).statistic
    verdict = "above" if correlation > WANTED else "NOT above"
    print(f"\n{correlation:.2f}: {verdict} {WANTED}")


def starve(folder: Path, keypoints: Keypoints, steps: int) -> None:
    """Train with and without the frames in which a hand is raised; print what that costs where."""
    half = len(keypoints) // 2
    wrists = [keypoints.point(f"{side}_wrist")[:, 1] for side in ("left", "right")]
    calm = np.all(wrists > keypoints.point("neck")[:, 1], axis=0)[: half - VALIDATION]
    validation, test = range(half - VALIDATION, half), range(half, len(keypoints))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], calm, [False]]).astype(int)))
    runs = tuple(range(first, last) for first, last in edges.reshape(-1, 2) if last - first > 1)
    splits = {
        "all": Split((range(half - VALIDATION),), validation, test),
        "hands low": Split(runs, validation, test),
    }
    poses = body_poses(keypoints)
    errors, seen_s = {}, {}
    with tempfile.TemporaryDirectory() as work:
        log_to(Path(work) / "log")
        plate = Path(work) / "background.png"
        build_background(folder / "frames.zip", keypoints, range(half), plate)
        for name, split in splits.items():
            files = TrainingFiles(
                frames=folder / "frames.zip",
                labels=folder / "labels.zip",
                keypoints=folder / "keypoints.h5",
                background=plate,
                start=None,
                generator=Path(work) / name / "generator.safetensors",
            )
            config = read_section(Config, with_preset({}, "cpu"), "")
            stage = replace(config.training.body, steps=steps, epochs=None)
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            settings = TrainingSettings(stage=stage, network=config.network, split=split)
            train(STAGES["body"], files, settings, RuntimeConfig(), device)
            errors[name], _ = person_errors(files.generator, folder, keypoints, list(test))
            found = nearest_poses(poses[list(test)], poses[split.train_frames])
            seen_s[name] = found.weight / float(keypoints.fps)
            print(f"trained on {name}: {len(split.train_frames)} frames")
    added = errors["hands low"] - errors["all"]
    seen = seen_s["hands low"]
    print(f"\n{'pose seen with hands low':26}{'frames':>8}{'error, all':>12}{'hands low':>12}")
    for low, high in itertools.pairwise(BINS_S):
        inside = (seen >= low) & (seen < high)
        cells = [f"{errors[name][inside].mean():12.3f}" for name in splits if inside.any()]
        print(f"{low:5.2f} to {high:5.2f} s{'':10}{inside.sum():8}" + "".join(cells))
    between = spearmanr(errors["all"], errors["hands low"]).statistic
    plain, beside = (spearmanr(-seen, one).statistic for one in (errors["hands low"], added))
    print(f"\nrank correlation of the two errors, frame by frame: {between:.2f}")
    print(f"of too seldom seen with the error of hands low: {plain:.2f}")
    print(f"and with what hands low errs more than all: {beside:.2f}")


def person_errors(
    model: Path, folder: Path, keypoints: Keypoints, test: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """1 - SSIM of the person in every test frame, and the part of the frame it is averaged over."""
    frames, labels = FrameReader(folder / "frames.zip"), FrameReader(folder / "labels.zip")
    trained = load_generator(model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    networks = {
        name: network.to(device).eval().requires_grad_(False)
        for name, network in trained.build().items()
    }
    boxes = face_boxes(keypoints, face_box_size(trained.height))
    outputs = synthesize(networks, (labels[frame] for frame in test), boxes[test], device)
    rows = []
    for frame, output in zip(test, outputs, strict=True):
        region = person_mask(keypoints.person(frame), keypoints.skeleton, frames.info.size)
        rows.append((1 - region_mean(ssim_map(output, frames[frame]), region), region.mean()))
    errors, sizes = np.array(rows).T
    return errors, sizes


def partial_correlation(first: np.ndarray, second: np.ndarray, given: np.ndarray) -> float:
    """Rank correlation of two things beside what both have in common with a third."""
    ranks = [rankdata(values) for values in (first, second, given)]
    basis = np.column_stack([ranks[2], np.ones(len(given))])
    rest = [one - basis @ np.linalg.lstsq(basis, one, rcond=None)[0] for one in ranks[:2]]
    return float(np.corrcoef(*rest)[0, 1])


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
