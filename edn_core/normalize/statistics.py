"""Where and how tall the dancer of a video stands: the levels that normalization compares."""

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import median_filter

from edn_core.config import StatisticsConfig
from edn_core.errors import Refused
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER
from edn_core.store import read_json, write_json

SCHEMA = "edn-statistics"
SCHEMA_VERSION = 2
WIDENINGS = (1, 2, 4)  # of the tolerance, while the far cluster is empty
SINGLE_SCALE = "single scale"
TORSO = "torso"
Levels = tuple[float, float, float, float]
"""ankle_close, ankle_far, height_close, height_far."""


@dataclass(frozen=True)
class VideoStatistics:
    """Where and how tall the dancer of one video stands (``edn-statistics``).

    Px of the video, y down; NaN where nothing was there to measure. Of every member
    docs/data_contracts.md says what it is.
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

    def scaled(self, factor: float) -> "VideoStatistics":
        """Those of the same video, its pictures made larger by a factor."""
        levels = {
            one.name: (getattr(self, one.name) + 0.5) * factor - 0.5
            for one in dataclasses.fields(self)
            if one.name.startswith(("ankle", "hip"))
        }
        lengths = {
            name: getattr(self, name) * factor
            for name in ("height_close", "height_far", "height_median", "torso_median")
        }
        size = {name: round(getattr(self, name) * factor) for name in ("width", "height")}
        return dataclasses.replace(self, **levels, **lengths, **size)


def measure_video(keypoints: Keypoints, config: StatisticsConfig) -> VideoStatistics:
    """Measure the ankle levels and heights of a video; deterministic, all frames.

    With S the ankle levels of the frames that show head and both ankles (paper, appendix):

        close  = max S
        far    = max { S : | (median - S) - alpha (close - median) | < epsilon, S < median }
        height = largest height among the frames within epsilon of the level

    S has gone through filter_level, so that jumps and lifted feet do not count as places to stand.
    epsilon is ``tolerance`` x (close - min S), doubled and doubled again while no frame lies there.
    Where that still fails, where fewer than ``min_frames`` frames are good or the range is below
    ``min_range`` of the picture's height, the medians serve as one level ("single scale"); a video
    without feet is measured by its torso ("torso").

    Raises:
        Refused: nobody is seen, or neither feet nor torso ever.
    """
    ankles, heights = measure_frames(keypoints, config.min_score)
    hips, torso = measure_frames(keypoints, config.min_score, by_torso=True)
    good = heights > 0
    level = filter_level(ankles[:, 1], float(keypoints.fps), config.level_window_s)[good]
    ankle_median, height_median = _median(level), _median(heights[good])
    levels: Levels | None = None
    steps: list[str] = []
    fallback = ""
    if good.any():
        levels, steps = _find_levels(level, heights[good], keypoints.height, config)
        if levels is None:
            fallback = SINGLE_SCALE
            steps[-1] = f"{fallback}: {steps[-1]}; median height and median ankle level serve"
    elif (torso > 0).any():
        fallback = TORSO
        steps = [
            f"{fallback}: no frame shows the head and both ankles; shoulder-hip length and hip "
            "level stand in, the feet will not be placed exactly"
        ]
    else:
        seen = int(keypoints.is_seen.sum())
        raise Refused(
            keypoints.video,
            f"in none of {len(keypoints)} frames are head and feet, or shoulders and hips, seen "
            f"(somebody is seen in {seen})",
            remedy="film one person from head to feet and look at preview.mp4",
        )
    for step in steps:
        LOGGER.info(f"{keypoints.video}: {step}")
    return VideoStatistics(
        *(levels or (ankle_median, ankle_median, height_median, height_median)),
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
    """Where the dancer stands and how tall, frame by frame; NaN where not seen.

    Keypoints less certain than ``min_score`` count as missing; ``by_torso`` measures from the hips
    to the shoulders instead of from the ankles to the head.

    Returns:
        anchor: (T, 2) float64 px, mean of both ankles (of both hips).
        length: (T,) float64 px from the anchor to the head: nose, else middle of the ears, else
            middle of the eyes (to the middle of the shoulders, else the neck).
    """

    def point(name: str) -> np.ndarray:
        points = keypoints.point(name).astype(np.float64)
        points[keypoints.point_score(name) < min_score] = np.nan
        return points

    def middle(what: str) -> np.ndarray:
        return (point(f"left_{what}") + point(f"right_{what}")) / 2

    if by_torso:
        anchor = first_seen(middle("hip"), point("mid_hip"))
        top = first_seen(middle("shoulder"), point("neck"))
    else:
        anchor = middle("ankle")
        top = first_seen(point("nose"), middle("ear"), middle("eye"))
    return anchor, np.hypot(*(top - anchor).T)


def filter_level(ankle_y: np.ndarray, fps: float, window_s: float) -> np.ndarray:
    """The level of the ground under the dancer: a running median of the ankle level, (T,) px.

    What lasts less than half the window, a jump or a lifted foot, is gone from it; a steady walk
    keeps its level to the pixel. At the ends of the video and of long gaps the window is mirrored,
    shorter gaps are bridged; NaN stays. (Beyond the paper, where every jump reads as a step away
    from the camera.) The window is taken to the nearest odd number of frames; 0 leaves the level
    alone.
    """
    size = 2 * round(window_s * fps / 2) + 1
    level = np.array(ankle_y, np.float64)
    seen = np.flatnonzero(np.isfinite(level))
    for run in np.split(seen, np.flatnonzero(np.diff(seen) > size) + 1):
        if len(run) and size > 1:
            bridged = np.interp(np.arange(run[0], run[-1] + 1), run, level[run])
            level[run] = median_filter(bridged, size, mode="mirror")[run - run[0]]
    return level


def measure_level(keypoints: Keypoints, statistics: VideoStatistics) -> np.ndarray:
    """(T,) px, y of the ground under the dancer of the video that was measured; NaN where not seen.

    The mean ankle through filter_level, by the window of that time.
    """
    ankles, _ = measure_frames(keypoints)
    window_s = float(statistics.config.get("level_window_s", 0.0))
    return filter_level(ankles[:, 1], float(keypoints.fps), window_s)


def _find_levels(
    ankle: np.ndarray, height: np.ndarray, picture_height: int, config: StatisticsConfig
) -> tuple[Levels | None, list[str]]:
    """Levels and heights by the paper's rule (None: one scale has to do), and all steps to it."""
    if len(ankle) < config.min_frames:
        return None, [
            f"{len(ankle)} frames show head and both ankles, expected {config.min_frames}"
        ]
    close, median, highest = ankle.max(), np.median(ankle), ankle.min()
    least = config.min_range * picture_height
    too_little = f"less than {config.min_range:g} of the picture's height"
    if close - highest < least:
        return None, [f"the ankles move {close - highest:.1f} px in all, {too_little}"]
    steps = []
    above = median - ankle
    from_far = np.abs(above - config.far_fraction * (close - median))
    for widening in WIDENINGS:
        epsilon = widening * config.tolerance * (close - highest)
        cluster = (from_far < epsilon) & (above > 0)
        if cluster.any():
            break
        steps.append(f"far level: no frame within {epsilon:.1f} px of it ({widening} x tolerance)")
    else:
        return None, [*steps, "no frame near the far level"]
    far = ankle[cluster].max()
    if close - far < least:
        moved = f"the ankles move {close - far:.1f} px between far and close, {too_little}"
        return None, [*steps, moved]
    at_close, at_far = (height[np.abs(ankle - one) <= epsilon].max() for one in (close, far))
    return (float(close), float(far), float(at_close), float(at_far)), steps


def write_statistics(path: str | Path, statistics: VideoStatistics) -> None:
    """Write an ``edn-statistics`` file, atomically; NaN becomes null."""
    values = dataclasses.asdict(statistics)
    values = {name: None if value != value else value for name, value in values.items()}
    write_json(path, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **values})


def read_statistics(path: str | Path) -> VideoStatistics:
    """Read an ``edn-statistics`` file; Refused if it is none, or of another version."""
    values = read_json(path, (SCHEMA, SCHEMA_VERSION))
    del values["schema"], values["schema_version"]
    values = {name: math.nan if value is None else value for name, value in values.items()}
    return VideoStatistics(**values | {"steps": tuple(values["steps"])})


def first_seen(*choices: np.ndarray) -> np.ndarray:
    """(T, 2) per frame the first choice that is not NaN."""
    points = choices[0]
    for choice in choices[1:]:
        points = np.where(np.isnan(points), choice, points)
    return points


def interpolated(values: np.ndarray) -> np.ndarray:
    """(T,) or (T, C), NaN interpolated over frames, ends held; a column of NaN stays NaN."""
    if values.ndim == 2:
        return np.stack([interpolated(column) for column in values.T], axis=1)
    seen = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), seen, values[seen]) if len(seen) else values


def _median(values: np.ndarray) -> float:
    """Median without NaN; NaN if nothing is left."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else math.nan
