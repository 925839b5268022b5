"""Where in a heatmap a keypoint may be.

Peaks are those of the heatmap enlarged to the network's input by bicubic interpolation and blurred
by a Gaussian. Both are linear and work on each axis alone: one matrix per axis does them, and only
where the heatmap is high enough.
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

STRIDE = 8  # px of the network's input per cell of its maps
BLUR_SIGMA = 3.0  # standard deviation in px of the Gaussian the peaks are looked for under
REACH = 3  # cells to each side a blurred pixel depends on: 12 px of Gaussian, 2 cells of bicubic
OVERSHOOT = 1.9  # a pixel's height by that of its cells, at most (1.375 along each axis)
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))  # a pixel and its four neighbours
MAX_PEAKS = 127  # per keypoint, the highest; a map that is high everywhere has one per few px


@dataclass(frozen=True)
class Peaks:
    """The places where one keypoint may be, row by row from the top left."""

    pixel: np.ndarray  # (n, 2) int, x and y in px
    offset: np.ndarray
    """(n, 2) float32 px, -0.5..0.5: from the pixel to the top of the parabola through it and its
    neighbours."""
    score: np.ndarray  # (n,) float32, the heatmap there, not blurred


_NONE = Peaks(np.zeros((0, 2), int), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))


def find_peaks(heatmap: np.ndarray, min_peak: float) -> Peaks:
    """Find where one keypoint may be in its (h, w) float32 heatmap.

    A pixel of the enlarged and blurred map is a peak if it is above ``min_peak`` and not below any
    of its four neighbours (0 outside of the picture). On a slanting ridge that rule finds several
    peaks a pixel or two apart, which would share out one person's limbs between them; of peaks
    nearer to each other than the blur's sigma only the highest is kept.
    """
    is_high = np.abs(heatmap) > min_peak / OVERSHOOT
    if not is_high.any():
        return _NONE
    rows, columns = (_span(is_high.any(axis=axis)) for axis in (1, 0))
    blurred = _blur(heatmap, rows, columns)
    is_peak = (blurred >= cv2.dilate(blurred, CROSS)) & (blurred > min_peak)
    is_peak[[0, -1]] = is_peak[:, [0, -1]] = False  # the margin
    y, x = np.nonzero(is_peak)
    pixel = np.stack([x + STRIDE * columns.start - 1, y + STRIDE * rows.start - 1], axis=1)
    kept = _highest_apart(pixel, blurred[y, x])
    if not len(kept):
        return _NONE
    y, x, pixel = y[kept], x[kept], pixel[kept]
    here = blurred[y, x]
    before = np.stack([blurred[y, x - 1], blurred[y - 1, x]], axis=1)
    after = np.stack([blurred[y, x + 1], blurred[y + 1, x]], axis=1)
    # Where the parabola through three values is highest.
    bend = 2 * here[:, None] - before - after
    offset = np.divide(after - before, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    offset[(pixel == 0) | (pixel == STRIDE * np.array(heatmap.shape[::-1]) - 1)] = 0
    return Peaks(pixel, offset, read_enlarged(heatmap, pixel[:, None])[:, 0])


def _span(is_high: np.ndarray) -> slice:
    """All cells between the first and the last high one, and those whose pixels depend on them."""
    high = np.flatnonzero(is_high)
    return slice(max(high[0] - REACH, 0), min(high[-1] + REACH + 1, len(is_high)))


def _blur(heatmap: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
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


@functools.lru_cache(maxsize=16)
def _blur_matrix(cells: int) -> np.ndarray:
    """(8 cells + 2, cells) float32: enlarges and blurs along one axis, 0 before and after it."""
    larger = cv2.resize(np.eye(cells), (cells, STRIDE * cells), interpolation=cv2.INTER_CUBIC)
    blurred = gaussian_filter1d(larger, BLUR_SIGMA, axis=0, mode="reflect")
    return np.pad(blurred, ((1, 1), (0, 0))).astype(np.float32)


def _highest_apart(pixel: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Numbers of the peaks that have no higher one within the blur's sigma, row by row."""
    best = np.argsort(-value, kind="stable")[:MAX_PEAKS]
    gaps = np.square(pixel[best, None] - pixel[None, best]).sum(axis=-1)
    is_near_higher = np.tril(gaps < BLUR_SIGMA**2, k=-1).any(axis=1)
    return np.sort(best[~is_near_higher])


def read_enlarged(maps: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The enlarged map at some pixels, by bicubic interpolation.

    Maps of (h, w) or (h, w, C) float32 at (n, m, 2) whole px give (n, m) or (n, m, C) float32.
    """
    # Half a pixel is 1/16 of a cell, which remap's steps of 1/32 hold exactly.
    cell = ((pixel - (STRIDE - 1) / 2) / STRIDE).astype(np.float32)
    return cv2.remap(
        maps, cell[..., 0], cell[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
