"""Keypoints over time: short gaps filled, then smoothed.

The release takes the median of 7 frames at transfer (graph_posenorm), over dropped frames and
without the ends. Here no frame is lost and no window reaches across a gap.
benchmarks/smoothing_jitter.py measures what each method does to jitter, fast moves and ends.
"""

import numpy as np
from scipy.ndimage import convolve1d
from scipy.signal import savgol_coeffs

from edn_core.config import SmoothingConfig
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER
from edn_core.skeleton import HAND_21, PARTS

OUTLIER_WINDOW = 3  # frames of the median in front of Savitzky-Golay: one wild frame is removed
POLYNOMIAL_ORDER = 2
MIN_WINDOW = 5  # frames; fewer leave the jitter as it is
_BLOCK = 200_000  # keypoints whose windows are held in memory at once


def smooth_keypoints(keypoints: Keypoints, config: SmoothingConfig) -> Keypoints:
    """Fill short gaps and smooth, keypoint by keypoint.

    A gap of at most ``max_gap_frames`` frames between two sightings is filled linearly, its score
    being the smaller of its two neighbours'; longer gaps and those at the ends stay NaN. Hands ride
    on their wrists and fade (_steady_hand). What follows works within each uninterrupted run of
    sightings and keeps its length. By ``method``:

    * ``median``: running median of x and y, each on its own; the first and last frame of a run
      count as repeated. Algorithm of graph_posenorm.
    * ``median_savgol``: a running median of 3 frames, then Savitzky and Golay (1964), the value of
      the parabola fitted to the window. Near the ends of a run it is that of the first or last
      whole window; a run shorter than the window is one window; of three frames or fewer only the
      median is taken.
    * ``none``: nothing more.

    Scores get the running median of the window by every method but ``none``.

    Args:
        keypoints: of one video; not changed.
        config: method, window and longest gap.

    Returns:
        New Keypoints of the same length with ``smoothed`` set.
    """
    window = window_length(config, float(keypoints.fps))
    triples = {
        part: np.dstack([keypoints.xy[part], keypoints.score[part][..., None]]) for part in PARTS
    }
    body, filled = _fill_gaps(triples["body"], config.max_gap_frames)
    reach = round(config.hand_fade_s * float(keypoints.fps))
    found = [body, _fill_gaps(triples["face"], config.max_gap_frames)[0]]
    for side in ("left", "right"):
        wrist = body[:, keypoints.skeleton.index(f"{side}_wrist")]
        found.append(_steady_hand(triples[f"hand_{side}"], wrist, config.max_gap_frames, reach))
    tracks = np.concatenate(found, axis=1)  # (T, K of all parts, 3)
    tracks = np.array(tracks.transpose(1, 0, 2))  # (K, T, 3): a run is contiguous
    seen = tracks[..., 2] > 0
    values = tracks[seen]
    first, last = _runs(seen)
    if config.method == "median":
        values = _running_median(values, first, last, window)
    elif config.method == "median_savgol":
        values[:, 2:] = _running_median(values[:, 2:], first, last, window)
        calm = _running_median(values[:, :2], first, last, min(OUTLIER_WINDOW, window))
        values[:, :2] = _savitzky_golay(calm, first, last, window)
    tracks[seen] = values
    sizes = [keypoints.score[part].shape[1] for part in PARTS]
    split = np.split(np.ascontiguousarray(tracks.transpose(1, 0, 2)), np.cumsum(sizes)[:-1], axis=1)
    smoothed = dict(zip(PARTS, split, strict=True))
    LOGGER.info(
        f"{keypoints.video}: filled {int(filled.sum())} missing body keypoints in gaps "
        f"of at most {config.max_gap_frames} frames, left "
        f"{int((smoothed['body'][..., 2] == 0).sum())} empty; smoothed by {config.method}"
        + (f" over {window} frames" if config.method != "none" else "")
    )
    return keypoints.replaced(
        xy={part: np.ascontiguousarray(track[..., :2]) for part, track in smoothed.items()},
        score={part: np.ascontiguousarray(track[..., 2]) for part, track in smoothed.items()},
        n_people=keypoints.n_people.copy(),
        smoothed=True,
    )


def window_length(config: SmoothingConfig, fps: float) -> int:
    """Frames of the window: those asked for, else the odd number that fits the time asked for."""
    if config.window_frames is not None:
        return config.window_frames
    return max(MIN_WINDOW, 2 * int(config.window_s * fps / 2) + 1)


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


def _steady_hand(
    hand: np.ndarray, wrist: np.ndarray, max_gap_frames: int, reach: int
) -> np.ndarray:
    """A hand without blinks: it goes where its wrist goes, also where it is missing, and fades.

    A hand that lies farther from its wrist than it is long is another's, and dropped. Two that
    overlap may be clasped, and stay. Short gaps are filled as the body's; then its score becomes
    the mean over ``reach`` frames either way, those farther away counting less (weights of a
    triangle), 0 where it was not found. Where that is above 0 and the wrist is there, so is the
    hand.

    Args:
        hand: (T, 21, 3) float32 x px, y px, score; not changed.
        wrist: (T, 3) the body's, short gaps filled.
        max_gap_frames: of SmoothingConfig.
        reach: frames; 0: no fading.

    Returns:
        (T, 21, 3) float32.
    """
    hand, has_wrist = hand.copy(), wrist[:, 2] > 0
    origin = np.nan_to_num(_everywhere(wrist))[:, None]
    hand[..., :2] -= origin
    sides = np.fmax.reduce(hand[..., :2], axis=1) - np.fmin.reduce(hand[..., :2], axis=1)
    is_strange = has_wrist & (np.hypot(*hand[:, HAND_21.index("wrist"), :2].T) > sides.max(axis=1))
    hand[is_strange] = np.nan, np.nan, 0
    hand = _fill_gaps(hand, max_gap_frames)[0]
    is_there = (hand[..., 2] > 0) | has_wrist[:, None]
    for point in hand.swapaxes(0, 1):
        point[:, :2] = _everywhere(point)
    weights = np.bartlett(2 * reach + 3)[1:-1]
    hand[..., 2] = convolve1d(hand[..., 2], weights / weights.sum(), axis=0, mode="nearest")
    hand[..., :2] += origin
    hand[~is_there | (hand[..., 2] == 0)] = np.nan, np.nan, 0
    return hand


def _everywhere(track: np.ndarray) -> np.ndarray:
    """All places, (T, 2), of a point seen in some of (T, 3): in between, else as at the nearest."""
    frames, seen = np.arange(len(track)), track[:, 2] > 0
    if not seen.any():
        return np.full((len(track), 2), np.nan)
    return np.column_stack([np.interp(frames, frames[seen], track[seen, axis]) for axis in (0, 1)])


def _runs(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of the N sightings in (K, T) order: the first and the last row of its run."""
    is_first = seen.copy()
    is_first[:, 1:] &= ~seen[:, :-1]
    starts = np.flatnonzero(is_first[seen])
    run = np.cumsum(is_first[seen]) - 1
    return starts[run], np.append(starts[1:], len(run))[run] - 1


def _running_median(
    values: np.ndarray, first: np.ndarray, last: np.ndarray, window: int
) -> np.ndarray:
    """Running median of (N, C) within runs that reach from row ``first`` to row ``last``."""
    reach = window // 2
    offsets = np.arange(-reach, reach + 1)
    medians = np.empty_like(values)
    for begin in range(0, len(values), _BLOCK):
        rows = np.arange(begin, min(begin + _BLOCK, len(values)))[:, None]
        inside = np.clip(rows + offsets, first[rows], last[rows])
        medians[rows[:, 0]] = np.partition(values[inside], reach, axis=1)[:, reach]
    return medians


def _savitzky_golay(
    values: np.ndarray, first: np.ndarray, last: np.ndarray, window: int
) -> np.ndarray:
    """Savitzky-Golay of (N, C) within runs: as scipy's savgol_filter with mode "interp"."""
    weights = np.zeros((window + 1, window, window))  # length of the window, place in it, frame
    for length in range(1, window + 1):
        order = min(POLYNOMIAL_ORDER, length - 1)
        for place in range(length):
            weights[length, place, :length] = savgol_coeffs(length, order, pos=place, use="dot")
    smoothed = np.empty_like(values)
    for begin in range(0, len(values), _BLOCK):
        rows = np.arange(begin, min(begin + _BLOCK, len(values)))
        length = np.minimum(window, last[rows] - first[rows] + 1)
        start = np.clip(rows - window // 2, first[rows], last[rows] - length + 1)
        inside = np.minimum(start[:, None] + np.arange(window), last[rows][:, None])
        smoothed[rows] = np.einsum("nw,nwc->nc", weights[length, rows - start], values[inside])
    return smoothed
