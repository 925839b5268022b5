"""Mode ``edn_release``: number for number what the code released with the paper does.

After the behaviour of ``graph_posenorm.py`` of "Everybody Dance Now" (ICCV 2019), slips included;
they are part of this mode and of no other:

* left ear: the test that should ask for the left foot asks for the left ear. Frames that hide it
  do not count, and a left ankle that was not found counts as one at (0, 0);
* lower foot: the level is the lower ankle's where the paper has the mean of both;
* fixed pivot: every frame is scaled about the middle of the target's width and the level of the
  first good frame, so feet land beside the intended level wherever the scale is not 1;
* small range: a target that walks further than the source has its range cut to the source's,
  about its middle, which may leave no frame near its levels: the height there is then 0;
* reset: a close height more than a tenth below the overall one is replaced by it, a far one not;
* no clamp: scale and level are extrapolated without end.

Its random draw of frames is not repeated: every good frame is measured once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER

FAR_FRACTION = 0.5
TOLERANCE = 0.05
RESET = 0.1
WINDOW = 7
_BLOCK = 1024  # frames whose windows are held in memory at once


@dataclass(frozen=True)
class ReleaseStatistics:
    """What the release measures in a video. Lengths in px, y down.

    Attributes:
        toe: (n,) float64, y of the lower ankle in each frame measured.
        height: (n,) float64, mean ankle to head.
        median: of ``toe``.
        close: largest toe level.
        far: smallest toe level less than half of (close - median) above the median.
        tallest: overall height, the largest over toe levels of the first height at each.
    """

    toe: np.ndarray
    height: np.ndarray
    median: float
    close: float
    far: float
    tallest: float


@dataclass(frozen=True)
class ReleaseScales:
    """Levels (px, after the small-range rule) and scales that the release interpolates between."""

    source_close: float
    source_far: float
    target_close: float
    target_far: float
    scale_close: float
    scale_far: float


def measure_release_frames(keypoints: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """Height and toe level of every frame, by the release's test of what is a good one.

    Good: nose or both ears, right ankle, left ear. A left ankle not found lies at (0, 0).

    Returns:
        height: (T,) float64 px from the middle of the ankles to the nose, else to the middle of
            the ears; NaN in bad frames.
        toe: (T,) float64 px, y of the lower ankle; NaN in bad frames.
    """

    def point(name: str) -> np.ndarray:
        return np.nan_to_num(keypoints.point(name).astype(np.float64))

    seen = {
        name: keypoints.point_score(name) > 0
        for name in ("nose", "left_ear", "right_ear", "right_ankle")
    }
    ears = (point("right_ear") + point("left_ear")) / 2
    head = np.where(seen["nose"][:, None], point("nose"), ears)
    has_head = seen["nose"] | (seen["left_ear"] & seen["right_ear"])
    right, left = point("right_ankle"), point("left_ankle")
    good = has_head & seen["right_ankle"] & seen["left_ear"]
    height = np.hypot(*(head - (right + left) / 2).T)
    toe = np.maximum(right[:, 1], left[:, 1])
    return np.where(good, height, np.nan), np.where(good, toe, np.nan)


def measure_release_video(
    keypoints: Keypoints, frames: Sequence[int] | np.ndarray | None = None
) -> ReleaseStatistics:
    """The statistics of one video.

    Args:
        keypoints: of the video.
        frames: numbers of the frames to measure, repeats allowed, bad ones passed over; none: each
            frame once.

    Raises:
        ValueError: no good frame, or none less than half of (close - median) above the median.
    """
    height, toe = measure_release_frames(keypoints)
    if frames is not None:
        height, toe = height[np.asarray(frames)], toe[np.asarray(frames)]
    good = np.isfinite(toe)
    if not good.any():
        raise ValueError(
            f"{keypoints.video}: no frame shows head, left ear and right ankle, which mode "
            "edn_release asks for; use normalization.mode: paper"
        )
    height, toe = height[good], toe[good]
    median, close = float(np.median(toe)), float(toe.max())
    band = toe[(median - FAR_FRACTION * (close - median) < toe) & (toe < median)]
    if len(band) == 0:
        raise ValueError(
            f"{keypoints.video}: no frame has its lower foot less than "
            f"{FAR_FRACTION * (close - median):.1f} px above the median level, where mode "
            "edn_release looks for the far level; use normalization.mode: paper"
        )
    _, first = np.unique(toe, return_index=True)
    return ReleaseStatistics(
        toe, height, median, close, float(band.min()), float(height[first].max())
    )


def find_release_scales(source: ReleaseStatistics, target: ReleaseStatistics) -> ReleaseScales:
    """Levels and scales of a pair of videos.

    A scale is the ratio of the target's height to the source's at the same end; the height at a
    level is the largest within 5 % of the range, and 0 where no frame is that near. So a scale may
    come out 0, infinite or NaN, as in the release.
    """
    close, far = target.close, target.far
    if source.close - source.far < target.close - target.far:
        middle, half = (target.close + target.far) / 2, (source.close - source.far) / 2
        close, far = middle + half, middle - half
    target_close, target_far = _heights(target, close, far)
    source_close, source_far = _heights(source, source.close, source.far)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale_close = float(np.divide(target_close, source_close))
        scale_far = float(np.divide(target_far, source_far))
    return ReleaseScales(source.close, source.far, close, far, scale_close, scale_far)


def _heights(statistics: ReleaseStatistics, close: float, far: float) -> tuple[float, float]:
    tolerance = TOLERANCE * (close - far)

    def height_at(level: float) -> float:
        return float(statistics.height[np.abs(statistics.toe - level) <= tolerance].max(initial=0))

    at_close, at_far = height_at(close), height_at(far)
    if statistics.tallest - at_close > RESET * statistics.tallest:
        at_close = statistics.tallest
    return at_close, at_far


def place_by_release(toe: np.ndarray, scales: ReleaseScales) -> tuple[np.ndarray, np.ndarray]:
    """Scale and vertical shift of every frame.

    Args:
        toe: (T,) px, toe levels of the source; NaN in bad frames, which take over the numbers of
            the frame before.
        scales: of the pair.

    Returns:
        scale: (T,) float64; shift: (T,) float64 px. NaN before the first good frame.
    """
    p = (toe - scales.source_far) / (scales.source_close - scales.source_far)
    shift = scales.target_far + p * (scales.target_close - scales.target_far) - toe
    scale = scales.scale_far + p * (scales.scale_close - scales.scale_far)
    last = np.maximum.accumulate(np.where(np.isfinite(toe), np.arange(len(toe)), -1))
    held = np.maximum(last, 0)
    return np.where(last >= 0, scale[held], np.nan), np.where(last >= 0, shift[held], np.nan)


def move_by_release(
    points: np.ndarray, scale: np.ndarray, shift: np.ndarray, pivot: np.ndarray
) -> np.ndarray:
    """Scale about one pivot for the whole video, then shift down.

    Args:
        points: (T, K, 2) px.
        scale: (T,).
        shift: (T,) px.
        pivot: (2,) px.

    Returns:
        (T, K, 2) float64 px: scale q + (pivot - scale pivot + (0, shift)).
    """
    offset = pivot - scale[:, None] * pivot + np.stack([np.zeros_like(shift), shift], axis=1)
    return scale[:, None, None] * points + offset[:, None]


def release_median(triples: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The release's running median over the sequence of kept frames.

    Per keypoint the median of x, y and score, each on its own, over the window; where that of the
    score is above 0, over those frames of the window only that show the keypoint.

    Args:
        triples: (M, K, 3) of x px, y px, score, score 0 where not found.
        window: frames, odd.

    Returns:
        (M - window + 1, K, 3) float64: row k is centred on row k + window // 2 of the input. Where
        its score is 0, x and y mean nothing.
    """
    smoothed = np.empty((max(0, len(triples) - window + 1), *triples.shape[1:]))
    for first in range(0, len(smoothed), _BLOCK):
        last = min(first + _BLOCK, len(smoothed))
        windows = np.stack([triples[first + k : last + k] for k in range(window)]).astype(float)
        median = np.median(windows, axis=0)
        # NaN is sorted to the end, so the sightings come first.
        is_seen = windows[..., 2:] > 0
        ordered = np.sort(np.where(is_seen, windows, np.nan), axis=0)
        count = is_seen.sum(axis=0, keepdims=True)
        low, high = (
            np.take_along_axis(ordered, np.maximum(middle, 0), axis=0)[0]
            for middle in ((count - 1) // 2, count // 2)
        )
        smoothed[first:last] = np.where(median[..., 2:] > 0, (low + high) / 2, median)
    return smoothed


def normalize_by_release(keypoints: Keypoints, target: Keypoints) -> dict[str, np.ndarray]:
    """Move and smooth the source's keypoints as the release does, in canvases of any size.

    Frames the release drops are NaN: those before the first good one, those that show nobody, and
    of the rest the first and the last three. (Where it meets two people it drops the frame too;
    here the dancer was chosen before.) Its medians come on top of whatever ``smoothing`` did.

    Args:
        keypoints: of the source.
        target: of the target.

    Returns:
        part -> (T, K, 3) float64 of x px, y px, score in the target's canvas; NaN, NaN, 0 where
        not found.

    Raises:
        ValueError: the release would divide by zero or let the figure collapse, finds nothing to
            measure, or leaves no frame; says to use mode paper.
    """
    height, toe = measure_release_frames(keypoints)
    scales = find_release_scales(measure_release_video(keypoints), measure_release_video(target))
    for end in ("close", "far"):
        value = getattr(scales, f"scale_{end}")
        if not (np.isfinite(value) and value > 0):
            raise ValueError(
                f"{keypoints.video} into {target.video}: in mode edn_release the scale {end} comes "
                f"out as {value:g}, expected a number above 0 (no frame is near the {end} level); "
                "use normalization.mode: paper"
            )
    scale, shift = place_by_release(toe, scales)
    if (scale <= 0).any():
        frame = int(np.argmax(scale <= 0))
        raise ValueError(
            f"{keypoints.video} into {target.video}: in mode edn_release the scale of frame "
            f"{frame} comes out as {scale[frame]:.3g}, expected a number above 0; "
            "use normalization.mode: paper"
        )
    kept = np.flatnonzero(np.isfinite(scale) & (keypoints.score["body"] > 0).any(axis=1))
    if len(kept) < WINDOW:
        raise ValueError(
            f"{keypoints.video}: mode edn_release keeps {len(kept)} frames, expected at least the "
            f"{WINDOW} of its median; use normalization.mode: paper"
        )
    pivot = np.array([target.width // 2, toe[np.isfinite(toe)][0]])
    LOGGER.info(
        f"{keypoints.video} into {target.video} as the release does: scale {np.nanmin(scale):.3f} "
        f"to {np.nanmax(scale):.3f}, {len(kept)} of {len(keypoints)} frames kept, "
        f"{int(np.isnan(height[kept]).sum())} of them with the numbers of the frame before"
    )
    centres = kept[WINDOW // 2 : len(kept) - WINDOW // 2]
    moved = {}
    for part, points in keypoints.xy.items():
        triples = np.concatenate(
            [
                move_by_release(points[kept], scale[kept], shift[kept], pivot),
                keypoints.score[part][kept][..., None],
            ],
            axis=-1,
        )
        moved[part] = np.full((len(keypoints), *triples.shape[1:]), [np.nan, np.nan, 0])
        smoothed = release_median(triples)
        smoothed[smoothed[..., 2] <= 0] = [np.nan, np.nan, 0]
        moved[part][centres] = smoothed
    return moved
