"""Mode ``paper``: the figure moved and scaled as a whole, about its own ankles.

"Everybody Dance Now" (ICCV 2019), section 3.3 and appendix: where the ankles are in the picture
tells how far away the dancer stands; the same fraction of the way is taken in the target's room.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from edn_core.config import NormalizationConfig
from edn_core.errors import Refused
from edn_core.keypoints import Keypoints
from edn_core.normalize.statistics import (
    TORSO,
    VideoStatistics,
    interpolated,
    measure_frames,
    measure_level,
)

MAX_EXTRAPOLATION = NormalizationConfig.max_extrapolation
TORSOS = 3.0  # from ankle to head, of somebody upright
HEIGHT_S = 0.5  # standard deviation of the Gaussian that steadies heights, s


@dataclass(frozen=True)
class Placement:
    """How the source's figure is moved, frame by frame: q' = scale (q - pivot) + placed."""

    scale: np.ndarray  # (T,) float64 above 0
    pivot: np.ndarray  # (T, 2) float64 px in the source: mean ankle, or middle of the hips
    placed: np.ndarray  # (T, 2) float64 px in the target: where the pivot comes to lie
    depth: np.ndarray
    """(T,) float64, fraction of the way from far (0) to close (1), clamped; 0 where one scale
    serves all frames."""
    by_torso: bool  # whether the pivot is the hips
    seen: np.ndarray  # (T,) bool, frames that show the pivot; in the others it is interpolated

    def move(self, points: np.ndarray) -> np.ndarray:
        """(T, K, 2) px in the source to (T, K, 2) float64 px in the target."""
        return self.scale[:, None, None] * (points - self.pivot[:, None]) + self.placed[:, None]


def depth_fraction(
    level: np.ndarray, statistics: VideoStatistics, max_extrapolation: float
) -> np.ndarray:
    """How far levels (T,) px lie on the way from far (0) to close (1), clamped; NaN stays."""
    d = (level - statistics.ankle_far) / (statistics.ankle_close - statistics.ankle_far)
    return np.clip(d, -max_extrapolation, 1 + max_extrapolation)


def height_at(depth: np.ndarray, statistics: VideoStatistics) -> np.ndarray:
    """(T,) px, height at a depth."""
    return _between(depth, statistics.height_far, statistics.height_close)


def _between(depth: np.ndarray, far: float, close: float) -> np.ndarray:
    """(T,) of two lengths; beyond them the dancer must not shrink through zero."""
    return np.maximum((1 - depth) * far + depth * close, 0.5 * min(far, close))


def figure_heights(keypoints: Keypoints, statistics: VideoStatistics) -> np.ndarray:
    """How tall the dancer of a measured video stands, from ankle to head: (T,) float64 px above 0.

    The height that belongs to the level of the ground under him, between far and close, steadied
    over time; the median height where a video has but one level. A crouch does not make him small.
    """
    if statistics.fallback:
        return np.full(len(keypoints), median_height(statistics))
    level = measure_level(keypoints, statistics)
    depth = interpolated(depth_fraction(level, statistics, MAX_EXTRAPOLATION))
    if np.isnan(depth).any():
        return np.full(len(keypoints), median_height(statistics))
    return steadied(height_at(depth, statistics), float(keypoints.fps))


def median_height(statistics: VideoStatistics) -> float:
    """The median height, px; where the feet are never seen, so many torsos."""
    if statistics.height_median > 0:
        return statistics.height_median
    return TORSOS * statistics.torso_median


def steadied(heights: np.ndarray, fps: float) -> np.ndarray:
    """(T,) heights, px, through a Gaussian of HEIGHT_S."""
    return gaussian_filter1d(heights, HEIGHT_S * fps, mode="nearest")


def place_figure(
    keypoints: Keypoints,
    source: VideoStatistics,
    target: VideoStatistics,
    config: NormalizationConfig,
) -> Placement:
    """How mode ``paper`` moves the source's figure; finite in every frame.

    With a the mean of the frame's ankles, and level that of the ground under them (measure_level),
    from which they are off in a jump (in the paper level = a_y):

        d      = (level - s.ankle_far) / (s.ankle_close - s.ankle_far)
        scale  = (1 - d) t.height_far / s.height_far + d t.height_close / s.height_close
        level' = t.ankle_far + d (t.ankle_close - t.ankle_far)
        q'     = scale (q - a) + a' ,  a'_y = level' + scale (a_y - level) ,
        a'_x   = x_t + k (a_x - x_s)

    d is clamped to within max_extrapolation of 0..1; beyond, a dancer moves on with the scale of
    that end. x_s and x_t are the median ankle x of the two videos and k the ratio of their median
    heights; ``horizontal: keep`` leaves a'_x = a_x, as the paper does where both videos share one
    frame. If either video's statistics are a fallback, k is the scale of all frames, and the median
    level comes to lie on the median level. If either never shows its feet, hips and torso lengths
    stand in for ankles and heights in both. Frames without ankles are interpolated, ends held.

    Raises Refused: the keypoints never show what their statistics were measured by, or the fallback
    needs a length one of the videos never shows.
    """
    by_torso = TORSO in (source.fallback, target.fallback)
    anchor, _ = measure_frames(keypoints, by_torso=by_torso)
    seen = np.isfinite(anchor[:, 1])
    if not seen.any():
        found = f"no frame shows its {'hips' if by_torso else 'ankles'}"
        remedy = "remake them with `snakemake -R measure_video`"
        raise Refused(keypoints.video, found, "some, because its statistics were measured", remedy)
    if source.fallback or target.fallback:
        ratio, (_, source_y), (_, target_y) = compare_medians(source, target)
        depth, scale = np.zeros(len(anchor)), np.full(len(anchor), ratio)
        y = target_y + ratio * (anchor[:, 1] - source_y)
    else:
        depth = depth_fraction(measure_level(keypoints, source), source, config.max_extrapolation)
        at_far = target.height_far / source.height_far
        scale = _between(depth, at_far, target.height_close / source.height_close)
        level = source.ankle_far + depth * (source.ankle_close - source.ankle_far)
        y = target.ankle_far + depth * (target.ankle_close - target.ankle_far)
        y += scale * (anchor[:, 1] - level)
    pivot = interpolated(anchor)
    placed = np.stack([pivot[:, 0], interpolated(y)], axis=1)
    if config.horizontal == "scaled":
        ratio, (source_x, _), (target_x, _) = compare_medians(source, target)
        placed[:, 0] = target_x + ratio * (pivot[:, 0] - source_x)
    return Placement(interpolated(scale), pivot, placed, interpolated(depth), by_torso, seen)


def compare_medians(
    source: VideoStatistics, target: VideoStatistics
) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """What both videos can be compared by: heights and ankles, or torsos and hips.

    The target's median length over the source's, dimensionless; the median (x, y) of ankles or hips
    of the source, and of the target, px. Refused where a length was never seen.
    """
    by_torso = TORSO in (source.fallback, target.fallback)
    lengths, places = [], []
    for one in (source, target):
        length = one.torso_median if by_torso else one.height_median
        if not length > 0:
            raise Refused(
                one.video,
                f"its {'torso' if by_torso else 'height'} was never seen, but {source.video} and "
                f"{target.video} can only be compared by it",
                remedy="film the dancer from head to feet",
            )
        lengths.append(length)
        hips, ankles = (one.hip_median_x, one.hip_median), (one.ankle_median_x, one.ankle_median)
        places.append(hips if by_torso else ankles)
    return float(lengths[1] / lengths[0]), places[0], places[1]
