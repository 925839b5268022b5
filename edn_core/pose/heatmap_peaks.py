"""Where in a heatmap a keypoint may be.

Peaks are those of the heatmap enlarged to the network's input by bicubic interpolation and blurred
by a Gaussian. Neither is ever done to a whole map: both are linear and local, so one matrix per
axis does them where a bound on the result leaves room for a peak.
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from edn_core.pose.paf_layout import STRIDE

BLUR_SIGMA = 3.0
"""Standard deviation in px of the Gaussian the peaks are looked for under."""
REACH = 3
"""Cells to each side that a blurred pixel depends on: 12 px of Gaussian and 2 cells of bicubic."""
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
"""A pixel and its four neighbours."""
MAX_PEAKS = 127
"""Peaks kept per keypoint, the highest; a map that is high everywhere has one per few pixels."""


@dataclass(frozen=True)
class Peaks:
    """The places where one keypoint may be, row by row from the top left.

    Attributes:
        pixel: (n, 2) int, x and y in px.
        offset: (n, 2) float32 px, -0.5..0.5: from the pixel to the top of the parabola through it
            and its neighbours.
        score: (n,) float32, the heatmap there, not blurred.
    """

    pixel: np.ndarray
    offset: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.score)


def find_peaks(heatmaps: np.ndarray, min_peak: float) -> list[Peaks]:
    """Find where each keypoint may be.

    A pixel of the enlarged and blurred map is a peak if it is above ``min_peak`` and not below any
    of its four neighbours (0 outside of the picture). On a slanting ridge that rule finds several
    peaks a pixel or two apart, which would share out one person's limbs between them; of peaks
    nearer to each other than the blur's sigma only the highest is kept.

    Args:
        heatmaps: (K, h, w) float32, without background.
        min_peak: a blurred value not above this is no peak.

    Returns:
        K of them.
    """
    maybe = _may_exceed(heatmaps, min_peak)
    return [
        _peaks_of(heatmap, is_near, min_peak)
        for heatmap, is_near in zip(heatmaps, maybe, strict=True)
    ]


def read_enlarged(maps: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The enlarged map at some pixels, by bicubic interpolation.

    Args:
        maps: (h, w) or (h, w, C) float32.
        pixel: (n, m, 2) whole px of the enlarged map.

    Returns:
        (n, m) or (n, m, C) float32.
    """
    # Half a pixel is 1/16 of a cell, which remap's steps of 1/32 hold exactly.
    cell = ((pixel - (STRIDE - 1) / 2) / STRIDE).astype(np.float32)
    return cv2.remap(
        maps, cell[..., 0], cell[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


@functools.lru_cache(maxsize=16)
def _blur_matrix(cells: int) -> np.ndarray:
    """(8 cells + 2, cells) float32: enlarges and blurs along one axis, 0 before and after it.

    Both are linear and work on each axis alone, so what they do to unit vectors says all.
    """
    units = np.eye(cells)
    larger = cv2.resize(units, (cells, STRIDE * cells), interpolation=cv2.INTER_CUBIC)
    blurred = gaussian_filter1d(larger, BLUR_SIGMA, axis=0, mode="reflect")
    return np.pad(blurred, ((1, 1), (0, 0))).astype(np.float32)


@functools.lru_cache(maxsize=16)
def _largest_weights(cells: int) -> np.ndarray:
    """(2 REACH + 1,): how much the cell so many further on counts at most, along one axis."""
    weights = np.abs(_blur_matrix(cells)[1:-1]).reshape(cells, STRIDE, cells).max(axis=1)
    further = range(-REACH, REACH + 1)
    return np.array([np.diagonal(weights, step).max(initial=0) for step in further])


def _may_exceed(heatmaps: np.ndarray, level: float) -> np.ndarray:
    """(K, h, w) uint8: 0 for cells none of whose pixels can be above the level once blurred."""
    count, height, width = heatmaps.shape
    # One picture of all maps: near their seams the sum is too large, never too small.
    tall = np.abs(heatmaps).reshape(count * height, width)
    weights = (_largest_weights(width), _largest_weights(height))
    bound = cv2.sepFilter2D(tall, cv2.CV_32F, *weights, borderType=cv2.BORDER_CONSTANT)
    return (bound > level * (1 - 1e-5)).astype(np.uint8).reshape(heatmaps.shape)


def _peaks_of(heatmap: np.ndarray, is_near: np.ndarray, min_peak: float) -> Peaks:
    """The peaks of one map; only the rectangles around what ``is_near`` marks are blurred."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(is_near)
    found = []
    for label, (left, top, width, height, _) in enumerate(boxes.tolist()[1:], start=1):
        blurred = _blur(heatmap, slice(left, left + width), slice(top, top + height))
        if blurred.max() <= min_peak:
            continue
        is_peak = (blurred >= cv2.dilate(blurred, CROSS)) & (blurred > min_peak)
        # What another mark makes high in the margin has no neighbours here.
        is_peak[[0, -1]] = is_peak[:, [0, -1]] = False
        flat = np.flatnonzero(is_peak)
        y, x = np.divmod(flat, blurred.shape[1])
        here_left_right_up_down = np.array([0, -1, 1, -blurred.shape[1], blurred.shape[1]])
        value = blurred.ravel()[flat[:, None] + here_left_right_up_down]
        x, y = x + STRIDE * left - 1, y + STRIDE * top - 1
        # Rectangles overlap, what is marked in them does not.
        own = labels[y // STRIDE, x // STRIDE] == label
        found.append((x[own], y[own], value[own]))
    if not any(len(x) for x, _, _ in found):
        return Peaks(np.zeros((0, 2), int), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))
    x, y, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    pixel = np.stack([x, y], axis=1)
    kept = _highest_apart(pixel, value[:, 0])
    pixel, value = pixel[kept], value[kept]
    offset = _top(value[:, [1, 3]], value[:, [0, 0]], value[:, [2, 4]])
    last = STRIDE * np.array(heatmap.shape[::-1]) - 1
    offset[(pixel == 0) | (pixel == last)] = 0
    return Peaks(pixel, offset, read_enlarged(heatmap, pixel[:, None])[:, 0])


def _blur(heatmap: np.ndarray, columns: slice, rows: slice) -> np.ndarray:
    """The enlarged and blurred map over some cells, with a margin of one pixel all around."""
    along_y, along_x = (_blur_matrix(cells) for cells in heatmap.shape)
    # The margin's pixels reach one cell further.
    near_y = slice(max(rows.start - REACH - 1, 0), rows.stop + REACH + 1)
    near_x = slice(max(columns.start - REACH - 1, 0), columns.stop + REACH + 1)
    return (
        along_y[STRIDE * rows.start : STRIDE * rows.stop + 2, near_y]
        @ heatmap[near_y, near_x]
        @ along_x[STRIDE * columns.start : STRIDE * columns.stop + 2, near_x].T
    )


def _highest_apart(pixel: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Numbers of the peaks that have no higher one within the blur's sigma, row by row."""
    best = np.argsort(-value, kind="stable")[:MAX_PEAKS]
    gaps = np.square(pixel[best, None] - pixel[None, best]).sum(axis=-1)
    is_near_higher = np.tril(gaps < BLUR_SIGMA**2, k=-1).any(axis=1)
    best = best[~is_near_higher]
    return best[np.lexsort((pixel[best, 0], pixel[best, 1]))]


def _top(before: np.ndarray, here: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where the parabola through three values a step apart is highest, from the middle one."""
    bend = 2 * here - before - after
    return np.divide(after - before, 2 * bend, out=np.zeros_like(here), where=bend > 0)
