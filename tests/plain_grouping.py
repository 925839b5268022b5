"""The parser's rules as one would write them down: whole maps enlarged and blurred, loops over all.

Slow and plain, to hold edn_core.pose.grouping against; it shares with it the table of limbs only.
Positions are whole pixels, and twin peaks stay unless ``apart_px`` says otherwise.
"""

import math

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from edn_core.config import OpenposeConfig
from edn_core.pose.paf_layout import PafLayout

Candidate = tuple[int, int, float]  # x, y, score


def enlarge(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(channel, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def plain_peaks(
    heatmap: np.ndarray, size: tuple[int, int], min_peak: float, apart_px: float = 0
) -> list[Candidate]:
    large = enlarge(heatmap, size)
    blurred = gaussian_filter(large, sigma=3)
    around = np.pad(blurred, 1)
    is_peak = blurred > min_peak
    for neighbour in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
        is_peak &= blurred >= neighbour
    peaks = [(int(x), int(y), float(large[y, x])) for y, x in np.argwhere(is_peak)]
    return [
        one
        for one in peaks
        if not any(
            math.dist(one[:2], other[:2]) < apart_px and blurred[other[1::-1]] > blurred[one[1::-1]]
            for other in peaks
        )
    ]


def rounding_decides(heatmap: np.ndarray, size: tuple[int, int], min_peak: float) -> bool:
    """Whether other rounding could make other pixels peaks, or another of two twins the higher."""
    blurred = gaussian_filter(enlarge(heatmap, size), sigma=3)
    around = np.pad(blurred, 1)
    sure, possible = (blurred > min_peak + doubt for doubt in (1e-6, -1e-6))
    for neighbour in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
        sure &= blurred > neighbour + 1e-6
        possible &= blurred > neighbour - 1e-6
    heights = np.sort(blurred[possible])
    return bool((sure != possible).any() or (np.diff(heights) < 1e-6).any())


def plain_pairs(
    field: np.ndarray, starts: list[Candidate], ends: list[Candidate], min_paf: float
) -> list[tuple[int, int, float]]:
    """``field``: (H, W, 2), enlarged."""
    possible = []
    for a, (ax, ay, _) in enumerate(starts):
        for b, (bx, by, _) in enumerate(ends):
            length = math.hypot(bx - ax, by - ay)
            if length == 0:
                continue
            samples = []
            for x, y in zip(np.linspace(ax, bx, 10), np.linspace(ay, by, 10), strict=True):
                field_x, field_y = field[round(y), round(x)]
                samples.append((field_x * (bx - ax) + field_y * (by - ay)) / length)
            score = sum(samples) / 10 + min(0.5 * len(field) / length - 1, 0)
            if sum(sample > min_paf for sample in samples) > 8 and score > 0:
                possible.append((a, b, score))
    chosen: list[tuple[int, int, float]] = []
    for a, b, score in sorted(possible, key=lambda pair: -pair[2]):
        if all(a != other[0] and b != other[1] for other in chosen):
            chosen.append((a, b, score))
    return chosen


def group_plainly(
    heatmaps: np.ndarray,
    pafs: np.ndarray,
    layout: PafLayout,
    config: OpenposeConfig,
    size: tuple[int, int],
    apart_px: float = 0,
) -> list[np.ndarray]:
    """People as (K, 3) of x, y, score; NaN, NaN, 0 where missing."""
    names = layout.skeleton.keypoints
    peaks = {
        name: plain_peaks(heatmap, size, config.min_peak, apart_px)
        for name, heatmap in zip(names, heatmaps, strict=False)
    }
    people: list[dict] = []
    for limb in layout.limbs:
        field = np.stack([enlarge(pafs[limb.channel + axis], size) for axis in (0, 1)], axis=-1)
        starts, ends = peaks[limb.start], peaks[limb.end]
        for a, b, score in plain_pairs(field, starts, ends, config.min_paf):
            rows = [row for row in people if row.get(limb.start) == a or row.get(limb.end) == b]
            if len(rows) >= 2 and not any(name in rows[0] and name in rows[1] for name in names):
                rows[0]["total"] += rows[1].pop("total") + score
                rows[0]["parts"] += rows[1].pop("parts")
                rows[0].update(rows[1])
                people = [row for row in people if row is not rows[1]]
            elif len(rows) >= 2 or (len(rows) == 1 and rows[0].get(limb.end) != b):
                rows[0][limb.end] = b
                rows[0]["total"] += ends[b][2] + score
                rows[0]["parts"] += 1
            elif not rows and not limb.only_links:
                total = starts[a][2] + ends[b][2] + score
                people.append({limb.start: a, limb.end: b, "total": total, "parts": 2})
    missing = (math.nan, math.nan, 0)
    return [
        np.array([peaks[name][row[name]] if name in row else missing for name in names])
        for row in people
        if row["parts"] >= config.min_parts and row["total"] / row["parts"] >= config.min_person
    ]
