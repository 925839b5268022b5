"""How fast are people found in the maps of a network? Against the same rules written down plainly.

    OMP_NUM_THREADS=1 python -m benchmarks.grouping_speed FOLDER [--repeats 20]

FOLDER holds cases as tests/fixtures/paf_*.npz; whole ones (heat and paf, channels last) do as well.
Printed are milliseconds of processor time per frame (of all threads together), the best of the
repeats: of the peaks, of scoring the limbs, of assembling the people, of all together, and of the
plain way (tests/plain_grouping.py, best of 2), with how many times as long it takes. "found" says
whether the people are those of the case, within 1 px and 0.001 of score.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edn_core.config import OpenposeConfig
from edn_core.pose.grouping import (
    PAF_LAYOUTS,
    assemble_people,
    find_peaks,
    group_people,
    score_limbs,
)
from edn_core.skeleton import COCO_18
from tests.plain_grouping import group_plainly

COLUMNS = ("people", "peaks", "peaks ms", "limbs ms", "people ms", "all ms", "plain ms", "ratio")


def main() -> None:
    """Print a line per case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("paf_*.npz"))
    if not paths:
        raise ValueError(f"{arguments.folder}: expected files paf_*.npz, found none")
    print(f"{'':26}{'size':>9}" + "".join(f"{name:>10}" for name in COLUMNS) + f"{'found':>8}")
    cv2.setNumThreads(1)
    for path in paths:
        print(_line(path, arguments.repeats))


def _line(path: Path, repeats: int) -> str:
    """The figures of one case."""
    config, layout = OpenposeConfig(), PAF_LAYOUTS["COCO_18"]
    heatmaps, pafs, size, expected = _read_case(path)
    peaks = find_peaks(heatmaps[:-1], config.min_peak)
    connections = score_limbs(pafs, peaks, layout, config.min_paf)
    people = group_people(heatmaps, pafs, COCO_18, config, size)
    steps = [
        _milliseconds(call, repeats)
        for call in (
            lambda: find_peaks(heatmaps[:-1], config.min_peak),
            lambda: score_limbs(pafs, peaks, layout, config.min_paf),
            lambda: assemble_people(peaks, connections, layout, config),
            lambda: group_people(heatmaps, pafs, COCO_18, config, size),
        )
    ]
    plain = _milliseconds(lambda: group_plainly(heatmaps, pafs, layout, config, size), repeats=2)
    is_equal = len(people) == len(expected) and all(
        _is_same(person, other) for person, other in zip(people, expected, strict=True)
    )
    return (
        f"{path.stem.removeprefix('paf_'):26}{f'{size[1]}x{size[0]}':>9}{len(people):>10}"
        f"{sum(len(found) for found in peaks):>10}"
        + "".join(f"{step:>10.2f}" for step in (*steps, plain))
        + f"{plain / steps[-1]:>10.0f}{'yes' if is_equal else 'NO':>8}"
    )


def _read_case(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[int, int], np.ndarray]:
    """Heatmaps with background, fields, (H, W) px, people (P, K, 3)."""
    with np.load(path) as case:
        if "heat" in case:
            heatmaps, pafs = (case[name].transpose(2, 0, 1) for name in ("heat", "paf"))
        else:
            heatmaps, pafs = (case[name] for name in ("heatmaps", "pafs"))
            heatmaps = np.concatenate([heatmaps, np.zeros_like(heatmaps[:1])])
        width, height = case["size_wh"].tolist()
        maps = (np.ascontiguousarray(one, np.float32) for one in (heatmaps, pafs))
        return *maps, (height, width), case["keypoints"]


def _milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Processor time of the fastest of some calls."""
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        call()
        best = min(best, time.process_time() - begin)
    return 1e3 * best


def _is_same(person: np.ndarray, other: np.ndarray) -> bool:
    is_found = other[:, 2] > 0
    return bool(
        np.array_equal(person[:, 2] > 0, is_found)
        and np.abs(person - other)[is_found, :2].max() <= 1
        and np.abs(person - other)[is_found, 2].max() <= 1e-3
    )


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
