"""Mode ``limbs``: as ``paper``, then every limb gets the target's length.

Beyond the paper, where a long-legged source stretches a short-legged target. Each bone keeps the
direction it has in the source's picture and is made longer or shorter by one ratio for the whole
video, starting at the hips and going outwards.
"""

import numpy as np

from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER
from edn_core.normalize.paper import Placement, depth_fraction, height_at
from edn_core.normalize.statistics import VideoStatistics, first_seen, interpolated, measure_level

MIN_SIGHTINGS = 10
LARGEST_RATIO = 2.0  # beyond it a bone was seen end on in one of the videos, not measured

HIPS = "hips"  # the middle of them: no keypoint of every skeleton

# keypoint -> where its bone starts, and what the bone is called. From the hips outwards.
BONES: dict[str, tuple[str, str]] = {
    "mid_hip": (HIPS, "hip"),
    "neck": (HIPS, "torso"),
    "nose": ("neck", "neck"),
    **{
        f"{side}_{end}": (start.format(side), bone)
        for side in ("right", "left")
        for end, start, bone in (
            ("shoulder", "neck", "shoulder"),
            ("elbow", "{}_shoulder", "upper_arm"),
            ("wrist", "{}_elbow", "forearm"),
            ("hip", HIPS, "hip"),
            ("knee", "{}_hip", "thigh"),
            ("ankle", "{}_knee", "shin"),
            ("eye", "nose", "head"),
            ("ear", "nose", "head"),
            # Feet point at the camera more often than not, so theirs is the ratio of the shin.
            ("big_toe", "{}_ankle", "shin"),
            ("small_toe", "{}_ankle", "shin"),
            ("heel", "{}_ankle", "shin"),
        )
    },
}
PART_BONES = {
    "face": ("nose", "head"),
    "hand_right": ("right_wrist", "forearm"),
    "hand_left": ("left_wrist", "forearm"),
}
# What is measured of each bone, right and left together. The head is as wide as its ears are
# apart, else its eyes.
MEASURED: dict[str, list[tuple[str, str]]] = {}
for _end, (_start, _bone) in BONES.items():
    if not _end.endswith(("mid_hip", "eye", "ear", "toe", "heel")):
        MEASURED.setdefault(_bone, []).append((_end, _start))
MEASURED |= {one: [(f"right_{one}", f"left_{one}")] for one in ("ear", "eye")}


def measure_bones(keypoints: Keypoints, unit: np.ndarray) -> dict[str, np.ndarray]:
    """Bone of MEASURED -> (n,) float64, its lengths in the n frames that show it.

    ``unit``: (T,) px, what lengths are divided by in each frame: it shrinks with distance.
    """
    lengths = {
        bone: np.concatenate(
            [np.hypot(*(_point(keypoints, a) - _point(keypoints, b)).T) / unit for a, b in ends]
        )
        for bone, ends in MEASURED.items()
    }
    return {bone: one[np.isfinite(one)] for bone, one in lengths.items()}


def find_bone_ratios(
    keypoints: Keypoints,
    placement: Placement,
    source: VideoStatistics,
    target: VideoStatistics,
    target_keypoints: Keypoints,
    max_extrapolation: float,
) -> dict[str, tuple[float, float]]:
    """Bone -> (target's length, source's as mode ``paper`` would place him), dimensionless.

    Both are medians over the video of length / height of the target at that depth, so that it does
    not matter who spends more time near the camera; the usual foreshortening is in both, and a bone
    keeps that of its moment. Their quotient, the ratio, is at most 2 and at least 1/2. Both 0,
    which is a ratio of 1, where one of the videos hardly shows the bone.
    """
    here, there = np.ones(len(keypoints)), np.ones(len(target_keypoints))
    if not (source.fallback or target.fallback):
        here = height_at(placement.depth, target)
        level = measure_level(target_keypoints, target)
        there = height_at(interpolated(depth_fraction(level, target, max_extrapolation)), target)
    own = measure_bones(keypoints, here / placement.scale)
    wanted = measure_bones(target_keypoints, there)
    pair = f"{source.video} into {target.video}"
    lengths = dict.fromkeys(MEASURED, (0.0, 0.0))
    for bone in MEASURED:
        seen = len(wanted[bone]), len(own[bone])
        if min(seen) < MIN_SIGHTINGS:
            where = target.video if seen[0] < seen[1] else source.video
            LOGGER.info(f"{where}: {bone} is seen {min(seen)} times, too seldom to be measured")
            continue
        to, by = float(np.median(wanted[bone])), float(np.median(own[bone]))
        if by == 0 or not 1 / LARGEST_RATIO <= to / by <= LARGEST_RATIO:
            LOGGER.info(
                f"{pair}: {bone} would change by {_ratio(to, by):.3g}, held within "
                f"1 / {LARGEST_RATIO:g} and {LARGEST_RATIO:g}; one of the videos shows it end on"
            )
            to = float(np.clip(to, by / LARGEST_RATIO, by * LARGEST_RATIO))
        lengths[bone] = to, by
    measured = [lengths.pop("ear"), lengths.pop("eye"), lengths["neck"]]
    lengths["head"] = next((one for one in measured if one != (0, 0)), (0.0, 0.0))
    ratios = ", ".join(f"{bone} {_ratio(*one):.3f}" for bone, one in lengths.items())
    LOGGER.info(f"{pair}, limbs against the figure as a whole: {ratios}")
    return lengths


def retarget_limbs(
    keypoints: Keypoints, placement: Placement, lengths: dict[str, tuple[float, float]]
) -> dict[str, np.ndarray]:
    """Give every bone its new length, from the hips outwards, and put the feet back to the ground.

    A keypoint whose bone starts at one that was not found hangs on the nearest before it that was,
    with the ratio of the whole chain between. Face, hands and feet are scaled with head, forearm
    and shin and go where nose, wrist and ankle go. At last the figure is moved so that the mean
    ankle lies where mode ``paper`` puts it. Part -> (T, K, 2) float64 px in the target's video; NaN
    where the source's is.
    """
    hips = interpolated(_point(keypoints, HIPS))
    before = {HIPS: hips}
    after = {HIPS: placement.move(hips[:, None])[:, 0]}

    def hang(points: np.ndarray, start: str, bone: str) -> np.ndarray:
        """(T, K, 2) moved along with the nearest known point on the way to the hips."""
        moved = np.full(points.shape, np.nan)
        to = by = 0.0
        while True:
            to, by = to + lengths[bone][0], by + lengths[bone][1]
            factor = (placement.scale * _ratio(to, by))[:, None, None]
            candidate = after[start][:, None] + factor * (points - before[start][:, None])
            moved = np.where(np.isnan(moved), candidate, moved)
            if start == HIPS:
                return np.where(np.isnan(moved), placement.move(points), moved)
            start, bone = BONES[start]

    for name, (start, bone) in BONES.items():
        before[name] = _point(keypoints, name)
        after[name] = hang(before[name][:, None], start, bone)[:, 0]
    offset = np.zeros_like(placement.placed)
    if not placement.by_torso:
        ankles = (after["right_ankle"] + after["left_ankle"]) / 2
        offset = interpolated(placement.placed - ankles)
    moved = {
        part: hang(keypoints.xy[part].astype(np.float64), *bone)
        for part, bone in PART_BONES.items()
    }
    moved["body"] = np.stack([after[name] for name in keypoints.skeleton.keypoints], axis=1)
    return {part: points + offset[:, None] for part, points in moved.items()}


def _point(keypoints: Keypoints, name: str) -> np.ndarray:
    """(T, 2) float64 px of a keypoint, or of the middle of the hips."""
    if name == HIPS:
        middle = (keypoints.point("right_hip") + keypoints.point("left_hip")) / 2
        return first_seen(keypoints.point("mid_hip"), middle).astype(np.float64)
    return keypoints.point(name).astype(np.float64)


def _ratio(to: float, by: float) -> float:
    return to / by if by > 0 else 1.0
