"""Keypoints over time: short gaps filled, then a running median.

The release takes the median of 7 frames at transfer (graph_posenorm); there its window closes over
dropped frames and the ends are lost. Here no frame is lost and no window reaches across a gap.
"""

import numpy as np

from edn_core.config import SmoothingConfig
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER

_BLOCK = 200_000  # keypoints whose windows are held in memory at once


def smooth_keypoints(keypoints: Keypoints, config: SmoothingConfig) -> Keypoints:
    """Fill short gaps and apply a running median, keypoint by keypoint.

    A gap of at most ``max_gap_frames`` frames between two sightings is filled linearly, its score
    being the smaller of its two neighbours'; longer gaps and those at the ends stay NaN. Then the
    median of ``window_frames`` frames is taken over x, y and score, each on its own, within each
    uninterrupted run of sightings. Runs keep their length: their first and last frame count as
    repeated.

    Args:
        keypoints: of one video; not changed.
        config: window and longest gap, frames.

    Returns:
        New Keypoints of the same length with ``smoothed`` set.
    """
    xy, score, n_filled, n_left = {}, {}, 0, 0
    for part in keypoints.xy:
        triples = np.concatenate([keypoints.xy[part], keypoints.score[part][..., None]], axis=-1)
        triples, filled = _fill_gaps(triples, config.max_gap_frames)
        triples = _running_median(triples, config.window_frames)
        xy[part] = np.ascontiguousarray(triples[..., :2])
        score[part] = np.ascontiguousarray(triples[..., 2])
        if part == "body":
            n_filled, n_left = int(filled.sum()), int((score[part] == 0).sum())
    LOGGER.info(
        f"{keypoints.video}: filled {n_filled} missing body keypoints in gaps of at most "
        f"{config.max_gap_frames} frames, left {n_left} empty; "
        f"median over {config.window_frames} frames"
    )
    return keypoints.replaced(xy=xy, score=score, n_people=keypoints.n_people.copy(), smoothed=True)


def _fill_gaps(triples: np.ndarray, max_gap_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill short gaps of (T, K, 3) float32; also says which (T, K) were filled."""
    n_frames = len(triples)
    seen = triples[..., 2] > 0
    frames = np.arange(n_frames)[:, None]
    before = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, frames, n_frames)[::-1], axis=0)[::-1]
    fill = ~seen & (before >= 0) & (after < n_frames) & (after - before - 1 <= max_gap_frames)
    frame, keypoint = np.nonzero(fill)
    first, last = before[fill], after[fill]
    fraction = ((frame - first) / (last - first))[:, None]
    start, end = triples[first, keypoint], triples[last, keypoint]
    filled = triples.copy()
    filled[frame, keypoint] = (1 - fraction) * start + fraction * end
    filled[frame, keypoint, 2] = np.minimum(start[:, 2], end[:, 2])
    return filled, fill


def _running_median(triples: np.ndarray, window_frames: int) -> np.ndarray:
    """Running median of (T, K, 3) float32 within each keypoint's uninterrupted runs."""
    smoothed = np.array(triples.transpose(1, 0, 2))  # (K, T, 3): a run is contiguous
    seen = smoothed[..., 2] > 0
    values = smoothed[seen]
    is_first = seen.copy()
    is_first[:, 1:] &= ~seen[:, :-1]
    run = np.cumsum(is_first[seen]) - 1
    starts = np.flatnonzero(is_first[seen])
    first = starts[run]
    last = np.append(starts[1:], len(values))[run] - 1
    reach = window_frames // 2
    offsets = np.arange(-reach, reach + 1)
    medians = np.empty_like(values)
    for begin in range(0, len(values), _BLOCK):
        rows = np.arange(begin, min(begin + _BLOCK, len(values)))[:, None]
        window = np.clip(rows + offsets, first[rows], last[rows])
        medians[rows[:, 0]] = np.partition(values[window], reach, axis=1)[:, reach]
    smoothed[seen] = medians
    return np.ascontiguousarray(smoothed.transpose(1, 0, 2))
