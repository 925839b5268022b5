"""How near one picture is to another, as maps that are averaged over a region.

Structural similarity (Wang et al. 2004), absolute and squared difference. Images are (H, W, 3)
uint8 RGB.
"""

from collections.abc import Callable

import cv2
import numpy as np

_SSIM_WINDOW = 7
_BAND = 64  # rows
MAX_PSNR = 100.0
"""What equal pictures count as, dB: 8 bits end at 48 dB for an error of one level everywhere."""


def ssim_map(output: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity around every pixel, mean of the three colours; as scikit-image's.

    Returns:
        (H, W) float64 in [-1, 1], H and W at least 7; 1 where the 7 x 7 windows agree.
    """
    # By bands of rows: what lies between stays in the processor's cache, which is thrice as fast.
    reach, bands = _SSIM_WINDOW // 2, []
    for top in range(0, len(output), _BAND):
        first = max(0, top - reach)
        rows = slice(first, top + _BAND + reach)
        bands.append(_similarity(output[rows], truth[rows])[top - first :][:_BAND])
    return np.concatenate(bands)


def _similarity(output: np.ndarray, truth: np.ndarray) -> np.ndarray:
    one, other = _window_sum(output), _window_sum(truth)
    both = _window_sum(cv2.multiply(output, truth, dtype=cv2.CV_16U))
    apart = cv2.absdiff(output, truth)
    squares = _window_sum(cv2.multiply(apart, apart, dtype=cv2.CV_16U)) + 2 * both
    of_means, n = one * other, _SSIM_WINDOW**2
    means = one * one + other * other
    # Covariance and the sum of the variances, of a sample.
    together = (n * both - of_means) / (n * (n - 1))
    varied = (n * squares - means) / (n * (n - 1))
    light, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * of_means / n**2 + light) * (2 * together + contrast)
    return _channel_mean(similarity / ((means / n**2 + light) * (varied + contrast)))


def _window_sum(values: np.ndarray) -> np.ndarray:
    """Whole numbers (H, W, 3) -> their sums over the windows, int32 and exact."""
    size = _SSIM_WINDOW, _SSIM_WINDOW
    return cv2.boxFilter(values, cv2.CV_32S, size, normalize=False, borderType=cv2.BORDER_REFLECT)


def l1_map(output: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Absolute difference of every pixel, mean of the three colours: (H, W) float64 in [0, 1]."""
    return _channel_mean(cv2.absdiff(output, truth) / 255)


def squared_error_map(output: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared difference of every pixel, mean of the three colours: (H, W) float64 in [0, 1]."""
    return _channel_mean((cv2.absdiff(output, truth) / 255) ** 2)


def _channel_mean(values: np.ndarray) -> np.ndarray:
    """(H, W, 3) float64 -> (H, W); 20 times as fast as NumPy's mean over an axis of three."""
    return cv2.transform(values, np.full((1, 3), 1 / 3))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ssim": ssim_map,
    "l1": l1_map,
    "squared_error": squared_error_map,
}
"""Metrics that are maps: (output, truth) -> (H, W); region_mean makes numbers of them."""


def region_mean(values: np.ndarray, region: np.ndarray) -> float:
    """Mean of a map (H, W) over a region (H, W) bool; NaN if the region is empty (no face)."""
    return float(values[region].mean()) if region.any() else float("nan")


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two regions (H, W) bool; NaN where both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else float("nan")


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error (0 to 1): dB, at most MAX_PSNR.

    Over several frames the error is averaged first: the mean of decibels would make much of the
    frames that are nearly right, and one that is exactly right has infinitely many.
    """
    return float(min(MAX_PSNR, -10 * np.log10(max(squared_error, 10 ** (-MAX_PSNR / 10)))))
