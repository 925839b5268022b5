"""How doubtful the pose of a frame is, by its keypoints alone; not in the paper.

A frame whose label does not show what the picture shows teaches the generator something wrong.
Smoothing has by then corrected what can be corrected from the neighbours (a single wild frame, a
short gap); what is left can only be left out.
"""

from collections.abc import Sequence

import numpy as np

from edn_core.keypoints import Keypoints

JUMP_WEIGHT = 10.0  # a jump by a tenth of the body counts as much as a body not found


def pose_doubt(keypoints: Keypoints) -> np.ndarray:
    """How doubtful the body's pose is in every frame.

    The mean over the body's keypoints of 1 - score (1 for a missing one), and 10 times the mean
    distance of a keypoint from the middle between its places in the frame before and the frame
    after, in sizes of the dancer (median of the body box's longer side). At an end of the video, or
    where a neighbour misses the keypoint, there is no such distance: it counts as 0.

    Args:
        keypoints: of one video, raw or smoothed.

    Returns:
        (T,) float64; 0 is certain, a frame without anybody has at least 1.
    """
    body = keypoints.xy["body"].astype(np.float64)
    lacking = (1 - keypoints.score["body"].astype(np.float64)).mean(axis=1)
    seen = np.asarray(np.isfinite(body).all(axis=2))
    jump = np.zeros(len(body))
    if len(body) > 2 and seen.any():
        apart = np.linalg.norm(body[1:-1] - (body[:-2] + body[2:]) / 2, axis=2)
        in_all = seen[1:-1] & seen[:-2] & seen[2:]
        total = np.where(in_all, apart, 0).sum(axis=1)
        jump[1:-1] = total / np.maximum(in_all.sum(axis=1), 1) / _size(body, seen)
    return lacking + JUMP_WEIGHT * jump


def without_doubtful(keypoints: Keypoints, frames: Sequence[int], fraction: float) -> list[int]:
    """Frames without the most doubtful of them.

    Args:
        keypoints: of the video.
        frames: numbers of those that may be used.
        fraction: part of them to leave out, rounded down.

    Returns:
        Their numbers, ascending.
    """
    frames = sorted(frames)
    doubt = pose_doubt(keypoints)[frames]
    kept = len(frames) - int(fraction * len(frames))
    # Stable: of equally doubtful frames the earlier ones are kept.
    return sorted(frames[i] for i in np.argsort(doubt, kind="stable")[:kept])


def _size(body: np.ndarray, seen: np.ndarray) -> float:
    found = seen.any(axis=1)
    high = np.where(seen[..., None], body, -np.inf).max(axis=1)[found]
    low = np.where(seen[..., None], body, np.inf).min(axis=1)[found]
    return max(1.0, float(np.median((high - low).max(axis=1))))
