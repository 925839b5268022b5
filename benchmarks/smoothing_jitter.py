"""Which smoothing? Jitter, lag and blunting, measured on the demo videos, whose truth is known.

    python -m benchmarks.smoothing_jitter [--part hands] [--every 2] [--results FOLDER] [VIDEO ...]

Needs `results/videos/*/keypoints.raw.h5` of the demo (`make demo`, or `snakemake --configfile
config/demo.yaml -- results/videos/demo_{source,target}/keypoints.raw.h5`). Means over the videos;
lengths in % of the true torso (neck to middle of the hips) of the frame; each keypoint's constant
offset from the truth is taken away first, since networks and drawings place a joint at different
spots.

error       median distance from the truth
fast        the same in the 10 % of sightings where the keypoint moves fastest
turns       the same in the 10 % where its velocity changes most
jitter      median second difference of the error
lag         frames, by least squares: error = -lag * true velocity
blunting    the true track smoothed, its median distance from itself in the turns
wild        99th percentile of the distance after 1 % of the sightings, picked at random, were put
            half a torso away
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.pose_accuracy import JOINTS
from edn_core.config import SmoothingConfig
from edn_core.intake import DEMO_VIDEOS
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.skeleton import part_skeleton
from edn_core.smoothing import smooth_keypoints

WINDOWS: dict[Literal["median", "median_savgol"], tuple[int, ...]] = {
    "median": (3, 5, 7, 9),
    "median_savgol": (5, 7, 9, 11, 15),
}
COLUMNS = ("error", "fast", "turns", "jitter", "lag", "blunting", "wild")
PARTS = {"body": ("body",), "face": ("face",), "hands": ("hand_left", "hand_right")}


def main() -> None:
    """Print a line per method and window."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("videos", nargs="*", default=DEMO_VIDEOS)
    parser.add_argument("--part", choices=PARTS, default="body")
    parser.add_argument("--every", type=int, default=1, help="use every n-th frame only")
    parser.add_argument("--results", type=Path, default=Path("results"))
    asked = parser.parse_args()
    pairs = [_read(asked.results, video, asked.every) for video in asked.videos]
    print(f"{'method':16}{'window':>8}" + "".join(f"{column:>10}" for column in COLUMNS))
    for config in _configs():
        rows = [_measure(raw, truth, PARTS[asked.part], config) for raw, truth in pairs]
        window = str(config.window_frames) if config.method in WINDOWS else "-"
        figures = "".join(f"{figure:10.2f}" for figure in np.mean(rows, axis=0))
        print(f"{config.method:16}{window:>8}{figures}")


def _configs() -> Iterator[SmoothingConfig]:
    yield SmoothingConfig(method="none")
    for method, windows in WINDOWS.items():
        for window in windows:
            yield SmoothingConfig(method=method, window_frames=window)


def _read(results: Path, video: str, every: int) -> tuple[Keypoints, Keypoints]:
    """Raw keypoints and the truth."""
    raw = read_keypoints(results / "videos" / video / "keypoints.raw.h5")
    truth = read_keypoints(results / "demo" / f"{video}.keypoints.h5")
    return _thinned(raw, every), _thinned(truth, every)


def _thinned(keypoints: Keypoints, every: int) -> Keypoints:
    return keypoints.without_bystanders().replaced(
        xy={part: xy[::every] for part, xy in keypoints.xy.items()},
        score={part: score[::every] for part, score in keypoints.score.items()},
        n_people=keypoints.n_people[::every],
        fps=keypoints.fps / every,
    )


def _measure(
    raw: Keypoints, truth: Keypoints, parts: tuple[str, ...], config: SmoothingConfig
) -> list[float]:
    """The columns, for one video."""
    torso = np.linalg.norm(truth.point("neck") - truth.point("mid_hip"), axis=1)[:, None, None]

    def tracks(keypoints: Keypoints) -> np.ndarray:
        if parts == ("body",):
            return np.stack([keypoints.point(name) for name in JOINTS], axis=1) / torso
        return np.concatenate([keypoints.xy[part] for part in parts], axis=1) / torso

    def distances(keypoints: Keypoints) -> tuple[np.ndarray, np.ndarray]:
        error = tracks(keypoints) - true
        error = error[:, is_found] - np.nanmedian(error[:, is_found], axis=0)
        return error, np.linalg.norm(error, axis=-1)

    true = tracks(truth)
    is_found = ~np.isnan(tracks(raw) - true).all(axis=(0, 2))  # each backend lacks some points
    smooth = smooth_keypoints(raw, config)
    error, distance = distances(smooth)
    _, wild_distance = distances(smooth_keypoints(_with_wild_frames(raw, torso), config))
    blunting = np.linalg.norm(tracks(smooth_keypoints(truth, config)) - true, axis=-1)[:, is_found]

    velocity = np.gradient(true[:, is_found], axis=0)
    fast = _top_tenth(velocity)
    turns = _top_tenth(np.gradient(velocity, axis=0))
    jitter = np.linalg.norm(np.diff(error, 2, axis=0), axis=-1)
    velocity[np.isnan(error)] = np.nan
    lag = -np.nansum(error * velocity) / np.nansum(velocity**2)
    return [
        100 * float(np.nanmedian(distance)),
        100 * float(np.nanmedian(distance[fast])),
        100 * float(np.nanmedian(distance[turns])),
        100 * float(np.nanmedian(jitter)),
        float(lag),
        100 * float(np.nanmedian(blunting[turns])),
        100 * float(np.nanpercentile(wild_distance, 99)),
    ]


def _top_tenth(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1)
    return lengths >= np.nanpercentile(lengths, 90)


def _with_wild_frames(keypoints: Keypoints, torso: np.ndarray) -> Keypoints:
    random = np.random.default_rng(0)
    xy = {}
    for part, points in keypoints.xy.items():
        n_points = len(part_skeleton(part, keypoints.skeleton))
        angle = random.uniform(0, 2 * np.pi, (len(points), n_points))
        away = 0.5 * torso * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        is_wild = random.random(angle.shape) < 0.01
        xy[part] = np.where(is_wild[..., None], points + away, points).astype(np.float32)
    return keypoints.replaced(xy=xy)


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
