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

from dataclasses import dataclass

import numpy as np

from edn_core.errors import Refused
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER

FAR_FRACTION = 0.5
TOLERANCE = 0.05
RESET = 0.1
WINDOW = 7
USE_PAPER = "use normalization.mode: paper"


@dataclass(frozen=True)
class ReleaseStatistics:
    """What the release measures in a video. Lengths in px, y down."""

    toe: np.ndarray  # (n,) float64, y of the lower ankle in each frame measured
    height: np.ndarray  # (n,) float64, mean ankle to head
    median: float  # of toe
    close: float  # largest toe level
    far: float  # smallest toe level less than half of (close - median) above the median
    tallest: float  # largest over toe levels of the first height at each

    def heights(self, close: float, far: float) -> tuple[float, float]:
        """Largest height within 5 % of the range about each level, 0 if none; then the reset."""
        at_close, at_far = (
            float(self.height[np.abs(self.toe - level) <= TOLERANCE * (close - far)].max(initial=0))
            for level in (close, far)
        )
        is_reset = self.tallest - at_close > RESET * self.tallest
        return self.tallest if is_reset else at_close, at_far


def measure_release_frames(keypoints: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """Height and toe level of every frame that is good by the release's test; NaN in the others.

    Good: nose or both ears, right ankle, left ear. A left ankle not found lies at (0, 0). (T,)
    float64 px from the middle of the ankles to the nose, else to that of the ears; (T,) y of the
    lower ankle.
    """

    def point(name: str) -> np.ndarray:
        return np.nan_to_num(keypoints.point(name).astype(np.float64))

    nose, left_ear, right_ear, right_ankle = (
        keypoints.point_score(name) > 0 for name in ("nose", "left_ear", "right_ear", "right_ankle")
    )
    ears = (point("right_ear") + point("left_ear")) / 2
    head = np.where(nose[:, None], point("nose"), ears)
    right, left = point("right_ankle"), point("left_ankle")
    good = (nose | (left_ear & right_ear)) & right_ankle & left_ear
    height = np.hypot(*(head - (right + left) / 2).T)
    toe = np.maximum(right[:, 1], left[:, 1])
    return np.where(good, height, np.nan), np.where(good, toe, np.nan)


def measure_release_video(keypoints: Keypoints) -> ReleaseStatistics:
    """The statistics of one video, every good frame measured once.

    Raises Refused: no good frame, or none near enough above the median.
    """
    height, toe = measure_release_frames(keypoints)
    good = np.isfinite(toe)
    if not good.any():
        found = "no frame shows head, left ear and right ankle, which mode edn_release asks for"
        raise Refused(keypoints.video, found, remedy=USE_PAPER)
    height, toe = height[good], toe[good]
    median, close = float(np.median(toe)), float(toe.max())
    reach = FAR_FRACTION * (close - median)
    band = toe[(median - reach < toe) & (toe < median)]
    if len(band) == 0:
        found = f"no frame has its lower foot less than {reach:.1f} px above the median level"
        where = "where mode edn_release looks for the far level"
        raise Refused(keypoints.video, f"{found}, {where}", remedy=USE_PAPER)
    _, first = np.unique(toe, return_index=True)
    tallest = float(height[first].max())
    return ReleaseStatistics(toe, height, median, close, float(band.min()), tallest)


def place_by_release(
    toe: np.ndarray, source: ReleaseStatistics, target: ReleaseStatistics
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and vertical shift (px) of every frame, (T,) float64 each, by its toe level (T,) px.

    A scale is the ratio of the target's height to the source's at the same end; it may come out 0,
    infinite or NaN, as in the release. Bad frames, NaN in ``toe``, take over the numbers of the
    frame before; before the first good one both are NaN.
    """
    close, far = target.close, target.far
    if source.close - source.far < close - far:  # the small-range rule
        middle, half = (close + far) / 2, (source.close - source.far) / 2
        close, far = middle + half, middle - half
    p = (toe - source.far) / (source.close - source.far)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_close, at_far = np.divide(
            target.heights(close, far), source.heights(source.close, source.far)
        )
        scale = at_far + p * (at_close - at_far)
    shift = far + p * (close - far) - toe
    last = np.maximum.accumulate(np.where(np.isfinite(toe), np.arange(len(toe)), -1))
    held = np.maximum(last, 0)
    return np.where(last >= 0, scale[held], np.nan), np.where(last >= 0, shift[held], np.nan)


def move_by_release(
    points: np.ndarray, scale: np.ndarray, shift: np.ndarray, pivot: np.ndarray
) -> np.ndarray:
    """Scale about one pivot for the whole video, then shift down: (T, K, 2) float64 px.

    Of points (T, K, 2) px, scale (T,), shift (T,) px and pivot (2,) px.
    """
    offset = pivot - scale[:, None] * pivot + np.stack([np.zeros_like(shift), shift], axis=1)
    return scale[:, None, None] * points + offset[:, None]


def release_median(triples: np.ndarray) -> np.ndarray:
    """The release's running median of 7 over the kept frames, (M, K, 3) of x, y, score.

    The median of x, y and score, each on its own; where that of the score is above 0, over those
    frames of the window only that show the keypoint. (M - 6, K, 3) float64: row k is centred on row
    k + 3 of the input. Where its score is 0, x and y mean nothing.
    """
    n_windows = max(0, len(triples) - WINDOW + 1)
    windows = np.stack([triples[k : k + n_windows] for k in range(WINDOW)]).astype(float)
    median = np.median(windows, axis=0)
    is_missing = np.broadcast_to(windows[..., 2:] <= 0, windows.shape)
    seen = np.ma.median(np.ma.array(windows, mask=is_missing), axis=0).filled(np.nan)
    return np.where(median[..., 2:] > 0, seen, median)


def normalize_by_release(keypoints: Keypoints, target: Keypoints) -> dict[str, np.ndarray]:
    """Move and smooth the source's keypoints as the release does, in videos of any size.

    Frames the release drops are NaN: those before the first good one, those that show nobody, and
    of the rest the first and the last three. Its medians come on top of what ``smoothing`` did.
    Part -> (T, K, 3) float64 of x px, y px, score in the target's video; NaN, NaN, 0 where not
    found. Raises Refused: the figure would collapse, or no frame is left; says to use mode paper.
    """
    pair = f"{keypoints.video} into {target.video}"
    _, toe = measure_release_frames(keypoints)
    scale, shift = place_by_release(toe, *map(measure_release_video, (keypoints, target)))
    good = np.flatnonzero(np.isfinite(toe))
    bad = good[~(np.isfinite(scale[good]) & (scale[good] > 0))]
    if len(bad):
        wrong = f"in mode edn_release the scale of frame {bad[0]} comes out as {scale[bad[0]]:.3g}"
        raise Refused(pair, wrong, "a number above 0", USE_PAPER)
    kept = np.flatnonzero(np.isfinite(scale) & keypoints.is_seen)
    if len(kept) < WINDOW:
        found = f"mode edn_release keeps {len(kept)} frames"
        raise Refused(keypoints.video, found, f"at least the {WINDOW} of its median", USE_PAPER)
    LOGGER.info(
        f"{pair} as the release does: scale {np.nanmin(scale):.3f} to {np.nanmax(scale):.3f}, "
        f"{len(kept)} of {len(keypoints)} frames kept, "
        f"{int(np.isnan(toe[kept]).sum())} of them with the numbers of the frame before"
    )
    pivot = np.array([target.width // 2, toe[good[0]]])
    moved = {}
    for part, points in keypoints.xy.items():
        xy = move_by_release(points[kept], scale[kept], shift[kept], pivot)
        smoothed = release_median(np.dstack([xy, keypoints.score[part][kept]]))
        smoothed[smoothed[..., 2] <= 0] = [np.nan, np.nan, 0]
        moved[part] = np.full((*points.shape[:2], 3), [np.nan, np.nan, 0])
        moved[part][kept[WINDOW // 2 : -(WINDOW // 2)]] = smoothed
    return moved
