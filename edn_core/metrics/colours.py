"""Which colours a region has: is this the same person in the same clothes?"""

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

LAB_STEP = 4.0  # Lab units per bin: a little more than the 2.3 that an eye just tells apart
_OPPONENT = np.arange(-128, 128 + LAB_STEP, LAB_STEP)
_EDGES = np.arange(0, 100 + LAB_STEP, LAB_STEP), _OPPONENT, _OPPONENT
_SMOOTHING = 2.0  # bins of standard deviation: a shade lighter is not another person


def lab_histogram(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """How often every colour stands in a region (H, W) bool of a picture (H, W, 3) uint8 RGB.

    Returns:
        (25, 64, 64) float64: pixels per bin of 4 units of CIELAB L, a and b. Histograms of several
        frames may be added.
    """
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[region]
    return np.histogramdd(lab, bins=_EDGES)[0]


def colour_intersection(histogram: np.ndarray, other: np.ndarray) -> float:
    """What two regions have in common: the sum of the smaller share of each colour.

    Histogram intersection (Swain and Ballard 1991) of shares, after a blur of two bins (8 Lab
    units), so that a small shift of the light does not count as another colour.

    Returns:
        1 (the same colours in the same shares) to 0; NaN where one of them is empty.
    """
    if not (histogram.sum() and other.sum()):
        return float("nan")
    smooth = [
        gaussian_filter(one, _SMOOTHING, mode="reflect") / one.sum() for one in (histogram, other)
    ]
    return float(min(1.0, np.minimum(*smooth).sum()))


def colour_distance(histogram: np.ndarray, other: np.ndarray) -> float:
    """Earth mover's distance of lightness and of both opponent colours, their mean.

    Returns:
        Lab units; 2.3 is about what an eye just notices. NaN where one of them is empty.
    """
    if not (histogram.sum() and other.sum()):
        return float("nan")
    distances = []
    for axis, edges in enumerate(_EDGES):
        rest = tuple(one for one in range(3) if one != axis)
        middles = (edges[:-1] + edges[1:]) / 2
        distances.append(
            wasserstein_distance(middles, middles, histogram.sum(axis=rest), other.sum(axis=rest))
        )
    return float(np.mean(distances))
