"""How much of a dance the target's own video covers.

For every frame of the source, moved into the target's frame: the nearest pose among the target's
training frames, and for how long the target shows about this pose (training frames counted with a
Gaussian weight on their distance, a kernel density in seconds). The latter says more about the
error of the frame (docs/preflight.md has the figures). The target's own poses, each compared with
those at least a second away, are the yardstick.
"""

from dataclasses import dataclass

import numpy as np

from edn_core.errors import Refused
from edn_core.keypoints import Keypoints
from edn_core.normalize import measure_frames
from edn_core.preflight.finding import mean
from edn_core.preflight.poses import JOINTS, MIN_JOINTS, joint_points
from edn_core.preflight.sheet import THUMBNAILS

PARTS_OF_BODY = {
    "head": ("nose",),
    "left arm": ("left_elbow", "left_wrist"),
    "right arm": ("right_elbow", "right_wrist"),
    "left leg": ("left_knee", "left_ankle"),
    "right leg": ("right_knee", "right_ankle"),
    "trunk": ("left_shoulder", "right_shoulder", "left_hip", "right_hip"),
}
BANDWIDTH = 0.125  # torso lengths; 0.1 to 0.3 predict the error about as well
MIN_SEEN_S = 0.2  # a pose the target shows for less is not covered
MIN_COMMON = 2 / 3  # of a pose's joints the other one must have, to be compared
OTHER_POSE = 0.15  # torso lengths; nearer, two poses look the same
APART_S = 1.0  # of one's own poses; nearer in time they are the same movement
YARDSTICK_FRAMES = 2000
SCALE_RANGE = (0.6, 1.6)  # of the median torso; beyond, somebody bows or a joint is wrong
_BLOCK = 4_000_000  # distances held in memory at once


@dataclass(frozen=True)
class Coverage:
    """How well the target's training frames cover the S frames of a dance.

    Distances are torso lengths, hips on hips, times s; NaN where the source shows too little.
    """

    distance: np.ndarray  # (S,) to the nearest pose; infinite where there is none
    nearest: np.ndarray  # (S,) frame of the target that is nearest; -1 where there is none
    seen_s: np.ndarray  # (S,) for how long the target shows about this pose
    part_distance: dict[str, np.ndarray]  # part of the body -> (S,) in the nearest pose
    own_distance: np.ndarray  # (Y,) for the target's own training poses, a second apart
    own_seen_s: np.ndarray  # (Y,) for how long the rest of the video shows these

    @property
    def compared(self) -> np.ndarray:
        """(S,) bool: frames that show enough of a dancer."""
        return ~np.isnan(self.distance)

    @property
    def uncovered(self) -> np.ndarray:
        """(S,) bool: frames whose pose the target shows for less than MIN_SEEN_S."""
        return self.compared & (np.nan_to_num(self.seen_s) < MIN_SEEN_S)


def measure_coverage(source: Keypoints, target: Keypoints, known: list[int]) -> Coverage:
    """Compare every frame of a dance with every frame the target is trained on.

    The dance was moved into the target's frame; ``known`` are the frames trained on. Time grows
    with S x T x 13 joints; memory is that of one block of distances.

    Raises:
        Refused: no known frame, or no frame of the source, shows hips and shoulders.
    """
    poses, theirs = body_poses(source), body_poses(target)
    usable = np.array(known, int)[_is_pose(theirs[known])]
    asked = np.flatnonzero(_is_pose(poses))
    for video, frames, of in ((target, usable, len(known)), (source, asked, len(source))):
        if not len(frames):
            raise Refused(
                video.video,
                f"none of {of} frames shows a dancer with hips and shoulders",
                remedy="look at preview.mp4 and film the whole body",
            )
    fps = float(target.fps)
    distance, seen_s = np.full((2, len(source)), np.nan)
    nearest = np.full(len(source), -1)
    distance[asked], index, weight = nearest_poses(poses[asked], theirs[usable])
    seen_s[asked] = weight / fps
    nearest[asked] = np.where(index >= 0, usable[index], -1)
    chosen = np.unique(np.linspace(0, len(usable) - 1, YARDSTICK_FRAMES).round().astype(int))
    times = usable[chosen], usable
    own_distance, _, own_weight = nearest_poses(
        theirs[usable[chosen]], theirs[usable], times, APART_S * fps
    )
    squares = np.square(poses - theirs[nearest]).sum(axis=-1)
    squares[nearest < 0] = np.nan
    squares = np.ma.masked_invalid(squares)
    parts = {}
    for name, joints in PARTS_OF_BODY.items():
        own = squares[:, [JOINTS.index(joint) for joint in joints]]
        parts[name] = np.sqrt(own.mean(axis=1)).filled(np.nan)
    return Coverage(distance, nearest, seen_s, parts, own_distance, own_weight / fps)


def worst_moments(coverage: Coverage, poses: np.ndarray, fps: float) -> list[int]:
    """Up to six frames whose poses are shown the least, each of another pose and time, in order."""
    chosen: list[int] = []
    order = np.lexsort((-np.nan_to_num(coverage.distance), coverage.seen_s))
    for frame in order[coverage.compared[order]].tolist():
        if len(chosen) == THUMBNAILS:
            break
        apart = [mean(np.linalg.norm(poses[frame] - poses[other], axis=1)) for other in chosen]
        is_new = all(distance > OTHER_POSE for distance in apart)
        if is_new and all(abs(frame - other) >= fps / 2 for other in chosen):
            chosen.append(frame)
    return sorted(chosen)


def body_poses(keypoints: Keypoints) -> np.ndarray:
    """The pose of every frame without its place and size: JOINTS about the middle of the hips.

    Returns:
        (T, 13, 2) float32 in lengths of the frame's own torso (kept within 0.6 to 1.6 of the
        video's median); NaN where a joint, or the hips, are missing.
    """
    hips, torso = measure_frames(keypoints, by_torso=True)
    median = np.median(torso[np.isfinite(torso)]) if np.isfinite(torso).any() else np.nan
    low, high = (bound * median for bound in SCALE_RANGE)
    scale = np.where(np.isnan(torso), median, np.clip(torso, low, high))
    points = joint_points(keypoints) - hips[:, None]
    return (points / scale[:, None, None]).astype(np.float32)


def nearest_poses(
    poses: np.ndarray,
    known: np.ndarray,
    frames: tuple[np.ndarray, np.ndarray] | None = None,
    apart_frames: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare poses with all known ones, over the joints both have.

    Args:
        poses: (N, K, 2), NaN where missing.
        known: (M, K, 2) likewise.
        frames: frame numbers (N,) of the poses and (M,) of the known ones; none: all are compared.
        apart_frames: what is nearer in time than this is not compared.

    Returns:
        distance: (N,) root mean square distance of the joints to those of the nearest known pose,
            torso lengths; infinite where none has enough of the same joints.
        index: (N,) row of the nearest; -1 where there is none.
        weight: (N,) number of known poses like this one, weighted by exp(-distance^2 / 2 h^2)
            with h = BANDWIDTH; 0 where there is none.
    """
    values, others = np.nan_to_num(poses), np.nan_to_num(known)
    has, have = (np.isfinite(one).all(axis=2).astype(np.float32) for one in (poses, known))
    # The sum over joints of has * have * (x - y)^2, as one matrix product.
    flat, flat_others = values.reshape(len(values), -1), others.reshape(len(others), -1)
    left = np.hstack([np.square(values).sum(axis=2), -2 * flat, has])
    right = np.hstack([have, flat_others, np.square(others).sum(axis=2)]).T
    index, weight = np.empty(len(poses), int), np.empty(len(poses))
    rows = max(1, _BLOCK // len(known))
    for first in range(0, len(poses), rows):
        block = slice(first, first + rows)
        common = has[block] @ have.T
        squares = np.maximum(left[block] @ right, 0) / np.maximum(common, 1)
        comparable = common >= MIN_COMMON * has[block].sum(axis=1, keepdims=True)
        if frames is not None:
            comparable &= np.abs(frames[0][block, None] - frames[1]) >= apart_frames
        squares[~comparable] = np.inf
        index[block] = np.where(comparable.any(axis=1), squares.argmin(axis=1), -1)
        weight[block] = np.exp(squares / (-2 * BANDWIDTH**2)).sum(axis=1, dtype=np.float64)
    # The least again and exactly: the difference of large squares has few digits.
    squares = np.square(poses - known[index]).sum(axis=2, dtype=np.float64)
    average = np.ma.masked_invalid(squares).mean(axis=1).filled(np.inf)
    return np.where(index < 0, np.inf, np.sqrt(average)), index, weight


def _is_pose(poses: np.ndarray) -> np.ndarray:
    """Frames with enough joints to compare: (T,) bool."""
    return np.isfinite(poses).all(axis=2).sum(axis=1) >= MIN_JOINTS
