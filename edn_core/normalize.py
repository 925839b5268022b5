"""Global pose normalization: the source dancer's keypoints moved to where the target would stand.

"Everybody Dance Now" (ICCV 2019), section 3.3 and appendix: the height of the ankles in the picture
tells how far the dancer stands from the camera; the same fraction of the way from far to close is
taken in the target's room. Beyond the paper, because canvases differ and videos are short: levels
widen or fall back step by step (every step is written into the statistics), sideways movement is
scaled between canvases, and what is extrapolated is clamped.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.artefact import check_schema, read_json, write_json
from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER

SCHEMA = "edn-statistics"
SCHEMA_VERSION = 1
MAX_EXTRAPOLATION = 0.25
WIDENINGS = (1, 2, 4)  # of the tolerance, while the far cluster is empty
SINGLE_SCALE = "single scale"
TORSO = "torso"


@dataclass(frozen=True)
class VideoStatistics:
    """Where and how tall the dancer of one video stands (``edn-statistics``).

    All lengths in canvas px, y down; NaN where nothing was there to measure. A "level" is the y of
    the mean of both ankles, a "height" the distance from there to the head.

    Attributes:
        ankle_close: level where the dancer is closest to the camera.
        ankle_far: level taken as far away.
        height_close: largest height near the close level.
        height_far: largest height near the far level.
        ankle_median: median level.
        ankle_median_x: median x of the mean ankle.
        height_median: median height.
        hip_median: median y of the middle of the hips.
        hip_median_x: median x of it.
        torso_median: median distance from the middle of the shoulders to that of the hips.
        video: name of the video.
        width: of its canvas.
        height: of its canvas.
        n_frames: frames of the video.
        n_used: frames with head and both ankles, from which levels and heights come.
        fallback: "" if the levels are the paper's; "single scale": one scale and one level serve
            all frames; "torso": the feet are never seen, shoulders and hips stand in.
        steps: every widening and fallback with its reason, in order.
        config: the settings used.
    """

    ankle_close: float
    ankle_far: float
    height_close: float
    height_far: float
    ankle_median: float = math.nan
    ankle_median_x: float = math.nan
    height_median: float = math.nan
    hip_median: float = math.nan
    hip_median_x: float = math.nan
    torso_median: float = math.nan
    video: str = ""
    width: int = 0
    height: int = 0
    n_frames: int = 0
    n_used: int = 0
    fallback: str = ""
    steps: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


def measure_video(keypoints: Keypoints, config: StatisticsConfig) -> VideoStatistics:
    """Measure the ankle levels and heights of a video; deterministic, all frames.

    With S the ankle levels of the frames that show head and both ankles (paper, appendix):

        close  = max S
        far    = max { S : | (median - S) - alpha (close - median) | < epsilon, S < median }
        height = largest height among the frames within epsilon of the level

    epsilon is ``tolerance`` x (close - min S), doubled and doubled again while no frame lies
    there. Where that still fails, where fewer than ``min_frames`` frames are good or the range is
    below ``min_range`` of the canvas height, the medians serve as one level ("single scale"); a
    video without feet is measured by its torso ("torso").

    Args:
        keypoints: of one video, smoothed.
        config: thresholds.

    Returns:
        The statistics; ``fallback`` and ``steps`` say how they came about.

    Raises:
        ValueError: nobody is seen, or neither feet nor torso ever; names the video.
    """
    ankles, heights = measure_frames(keypoints, config.min_score)
    hips, torso = measure_frames(keypoints, config.min_score, by_torso=True)
    good = heights > 0
    ankle_median, height_median = _median(ankles[good, 1]), _median(heights[good])
    levels: tuple[float, float, float, float] | str = ""
    fallback = ""
    steps: list[str] = []
    if good.any():
        levels = _find_levels(ankles[good, 1], heights[good], keypoints.height, config, steps)
        if isinstance(levels, str):
            fallback = SINGLE_SCALE
            steps.append(f"{fallback}: {levels}; median height and median ankle level serve")
    elif (torso > 0).any():
        fallback = TORSO
        steps.append(
            f"{fallback}: no frame shows the head and both ankles; shoulder-hip length and hip "
            "level stand in, the feet will not be placed exactly"
        )
    else:
        seen = int((keypoints.score["body"] > 0).any(axis=1).sum())
        raise ValueError(
            f"{keypoints.video}: in none of {len(keypoints)} frames are head and feet, or "
            f"shoulders and hips, seen (somebody is seen in {seen}); "
            "film one person from head to feet and look at the preview of its keypoints"
        )
    if isinstance(levels, str):
        levels = (ankle_median, ankle_median, height_median, height_median)
    for step in steps:
        LOGGER.info(f"{keypoints.video}: {step}")
    return VideoStatistics(
        *levels,
        ankle_median=ankle_median,
        ankle_median_x=_median(ankles[good, 0]),
        height_median=height_median,
        hip_median=_median(hips[:, 1]),
        hip_median_x=_median(hips[:, 0]),
        torso_median=_median(torso),
        video=keypoints.video,
        width=keypoints.width,
        height=keypoints.height,
        n_frames=len(keypoints),
        n_used=int(good.sum()),
        fallback=fallback,
        steps=tuple(steps),
        config=dataclasses.asdict(config),
    )


def measure_frames(
    keypoints: Keypoints, min_score: float = 0.0, by_torso: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Where the dancer stands and how tall, frame by frame.

    Args:
        keypoints: of one video.
        min_score: keypoints less certain than this count as missing.
        by_torso: measure from the hips to the shoulders instead of from the ankles to the head.

    Returns:
        anchor: (T, 2) float64 px, mean of both ankles (of both hips); NaN where not seen.
        length: (T,) float64 px from the anchor to the head: nose, else middle of the ears, else
            middle of the eyes (to the middle of the shoulders, else the neck); NaN where not seen.
    """

    def point(name: str) -> np.ndarray:
        points = keypoints.point(name).astype(np.float64)
        points[keypoints.point_score(name) < min_score] = np.nan
        return points

    def middle(what: str) -> np.ndarray:
        return (point(f"left_{what}") + point(f"right_{what}")) / 2

    if by_torso:
        anchor = _first_seen(middle("hip"), point("mid_hip"))
        top = _first_seen(middle("shoulder"), point("neck"))
    else:
        anchor = middle("ankle")
        top = _first_seen(point("nose"), middle("ear"), middle("eye"))
    return anchor, np.hypot(*(top - anchor).T)


def _find_levels(
    ankle: np.ndarray,
    height: np.ndarray,
    canvas_height: int,
    config: StatisticsConfig,
    steps: list[str],
) -> tuple[float, float, float, float] | str:
    """ankle_close, ankle_far, height_close, height_far; or why a single scale has to do."""
    if len(ankle) < config.min_frames:
        return f"{len(ankle)} frames show head and both ankles, expected {config.min_frames}"
    close, median, highest = ankle.max(), np.median(ankle), ankle.min()
    too_little = f"less than {config.min_range:g} of the canvas height"
    if close - highest < config.min_range * canvas_height:
        return f"the ankles move {close - highest:.1f} px in all, {too_little}"
    for widening in WIDENINGS:
        epsilon = widening * config.tolerance * (close - highest)
        above = median - ankle
        cluster = (np.abs(above - config.far_fraction * (close - median)) < epsilon) & (above > 0)
        if cluster.any():
            break
        steps.append(f"far level: no frame within {epsilon:.1f} px of it ({widening} x tolerance)")
    else:
        return "no frame near the far level"
    far = ankle[cluster].max()
    if close - far < config.min_range * canvas_height:
        return f"the ankles move {close - far:.1f} px between far and close, {too_little}"
    near_close, near_far = np.abs(ankle - close) <= epsilon, np.abs(ankle - far) <= epsilon
    return float(close), float(far), float(height[near_close].max()), float(height[near_far].max())


def place_in_target(
    ankle_y: np.ndarray,
    source: VideoStatistics,
    target: VideoStatistics,
    max_extrapolation: float = MAX_EXTRAPOLATION,
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and vertical shift that put the source dancer where the target would stand.

    A source ankle a fraction d of the way from far to close maps to the same fraction of the
    target's range, and the scale is interpolated the same way:

        d     = (ankle_y - s.ankle_far) / (s.ankle_close - s.ankle_far)
        shift = t.ankle_far + d * (t.ankle_close - t.ankle_far) - ankle_y
        scale = (1 - d) * t.height_far / s.height_far + d * t.height_close / s.height_close

    The scale follows d only within [-max_extrapolation, 1 + max_extrapolation]; a dancer beyond it
    (a jump lifts both ankles and would read as walking far away) keeps the scale of that end and
    moves on from there with the figure's own scale. If either video's statistics are a
    fallback, one scale serves all frames, the ratio of median heights, and the median level comes
    to lie on the median level:

        shift = t.ankle_median + scale * (ankle_y - s.ankle_median) - ankle_y

    If either never shows its feet, hips and torso lengths take the place of ankles and heights, in
    both videos.

    Args:
        ankle_y: (T,) source ankle y in px (hip y if either video's fallback is "torso"); NaN where
            not seen.
        source: statistics of the video the motion comes from.
        target: statistics of the video the appearance comes from.
        max_extrapolation: how far beyond far and close, as part of the range.

    Returns:
        scale: (T,) dimensionless, above 0; apply about the ankle.
        shift: (T,) px, added to y after scaling. Both interpolated over frames without ankles,
            ends held; NaN if no frame has them.

    Raises:
        ValueError: the fallback needs a length one of the videos never shows.
    """
    if source.fallback or target.fallback:
        level = _median_names(source, target)[1]
        ratio = _median_ratio(source, target)
        scale = np.where(np.isnan(ankle_y), np.nan, ratio)
        shift = getattr(target, level) + ratio * (ankle_y - getattr(source, level)) - ankle_y
    else:
        d = (ankle_y - source.ankle_far) / (source.ankle_close - source.ankle_far)
        d = np.clip(d, -max_extrapolation, 1 + max_extrapolation)
        at_far = target.height_far / source.height_far
        at_close = target.height_close / source.height_close
        # Extrapolated between very different ratios the dancer must not shrink through zero.
        scale = np.maximum((1 - d) * at_far + d * at_close, 0.5 * min(at_far, at_close))
        beyond = ankle_y - (source.ankle_far + d * (source.ankle_close - source.ankle_far))
        placed = target.ankle_far + d * (target.ankle_close - target.ankle_far)
        shift = placed + scale * beyond - ankle_y
    return _interpolated(scale), _interpolated(shift)


def normalize_keypoints(
    keypoints: Keypoints,
    source: VideoStatistics,
    target: VideoStatistics,
    config: NormalizationConfig,
    target_size: tuple[int, int],
    target_name: str,
) -> Keypoints:
    """Move the source's keypoints into the target's frame, scaled about each frame's own ankles.

    With a the mean of the frame's ankles, and scale and shift of place_in_target (paper, appendix):

        q' = scale (q - a) + a' ,  a'_y = a_y + shift ,  a'_x = x_t + k (a_x - x_s)

    x_s and x_t are the median ankle x of the two videos and k the ratio of their median heights;
    ``horizontal: keep`` leaves a'_x = a_x, as the paper does where both videos share one frame.

    Args:
        keypoints: of the source video, smoothed.
        source: statistics of the source video.
        target: statistics of the target video.
        config: horizontal placement and clamping.
        target_size: (H, W) of the target's canvas, px.
        target_name: name of the target video.

    Returns:
        Keypoints of the source's length and rate in the target's canvas; what was missing is
        missing, and points may lie outside.

    Raises:
        ValueError: the keypoints never show what their statistics were measured by.
    """
    length, level, level_x = _median_names(source, target)
    anchor, _ = measure_frames(keypoints, by_torso=length == "torso_median")
    seen = np.isfinite(anchor[:, 1])
    if not seen.any():
        raise ValueError(
            f"{keypoints.video}: no frame shows its {level.split('_')[0]}s, expected some because "
            f"its statistics were measured; remake them with `snakemake -R measure_video`"
        )
    scale, shift = place_in_target(anchor[:, 1], source, target, config.max_extrapolation)
    pivot = np.stack([_interpolated(anchor[:, 0]), _interpolated(anchor[:, 1])], axis=1)
    placed = pivot + np.stack([np.zeros(len(pivot)), shift], axis=1)
    if config.horizontal == "scaled":
        middle, target_middle = getattr(source, level_x), getattr(target, level_x)
        placed[:, 0] = target_middle + _median_ratio(source, target) * (pivot[:, 0] - middle)
    LOGGER.info(
        f"{keypoints.video} into {target_name}: scale {scale.min():.3f} to {scale.max():.3f}, "
        f"shift {shift.min():.1f} to {shift.max():.1f} px, "
        f"{int((~seen).sum())} of {len(seen)} frames interpolated"
    )
    xy = {
        part: (scale[:, None, None] * (points - pivot[:, None]) + placed[:, None]).astype(
            np.float32
        )
        for part, points in keypoints.xy.items()
    }
    return keypoints.replaced(
        xy=xy, width=target_size[1], height=target_size[0], normalized_to=target_name
    )


def write_statistics(path: str | Path, statistics: VideoStatistics) -> None:
    """Write an ``edn-statistics`` file, atomically; NaN becomes null."""
    values = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in dataclasses.asdict(statistics).items()
    }
    write_json(path, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **values})


def read_statistics(path: str | Path) -> VideoStatistics:
    """Read an ``edn-statistics`` file.

    Raises:
        ValueError: not such a file, or another version; says how to remake it.
    """
    values = read_json(path)
    found = values.pop("schema", None), values.pop("schema_version", None)
    check_schema(path, found, (SCHEMA, SCHEMA_VERSION))
    expected = {one.name for one in dataclasses.fields(VideoStatistics)}
    if set(values) != expected:
        raise ValueError(
            f"{path}: has or lacks {', '.join(sorted(expected ^ set(values)))}; "
            f"delete it and run `snakemake {path}` to write it anew"
        )
    values = {name: math.nan if value is None else value for name, value in values.items()}
    return VideoStatistics(**{**values, "steps": tuple(values["steps"])})


def _median_names(source: VideoStatistics, target: VideoStatistics) -> tuple[str, str, str]:
    """Which fields hold the length, the level and the x that both videos can be compared by."""
    if TORSO in (source.fallback, target.fallback):
        return "torso_median", "hip_median", "hip_median_x"
    return "height_median", "ankle_median", "ankle_median_x"


def _median_ratio(source: VideoStatistics, target: VideoStatistics) -> float:
    length = _median_names(source, target)[0]
    for one in (source, target):
        if not getattr(one, length) > 0:
            raise ValueError(
                f"{one.video}: its {length.split('_')[0]} was never seen, but {source.video} and "
                f"{target.video} can only be compared by it; film the dancer from head to feet"
            )
    return float(getattr(target, length) / getattr(source, length))


def _first_seen(*choices: np.ndarray) -> np.ndarray:
    """(T, 2) per frame the first choice that is not NaN."""
    points = choices[0]
    for choice in choices[1:]:
        points = np.where(np.isnan(points), choice, points)
    return points


def _median(values: np.ndarray) -> float:
    """Median without NaN; NaN if nothing is left."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else math.nan


def _interpolated(values: np.ndarray) -> np.ndarray:
    """(T,) with NaN replaced by linear interpolation over frames, ends held."""
    seen = np.flatnonzero(np.isfinite(values))
    if len(seen) == 0:
        return np.asarray(values, np.float64)
    return np.interp(np.arange(len(values)), seen, values[seen])
