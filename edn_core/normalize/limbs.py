"""Mode ``limbs``: as ``paper``, then every limb gets the target's length.

Beyond the paper, which scales the figure as a whole: a long-legged source then stretches a
short-legged target. Here each bone keeps the direction it has in the source's picture and is made
longer or shorter by one ratio for the whole video, starting at the hips and going outwards.
"""

import numpy as np

from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER
from edn_core.normalize.paper import Placement, depth_fraction
from edn_core.normalize.statistics import (
    VideoStatistics,
    first_seen,
    interpolated,
    measure_level,
)
from edn_core.skeleton import PARTS

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
MEASURED = {
    bone: [(end, start) for end, (start, one) in BONES.items() if one == bone and end in ends]
    for bone, ends in (
        ("torso", ("neck",)),
        ("neck", ("nose",)),
        ("shoulder", ("right_shoulder", "left_shoulder")),
        ("upper_arm", ("right_elbow", "left_elbow")),
        ("forearm", ("right_wrist", "left_wrist")),
        ("hip", ("right_hip", "left_hip")),
        ("thigh", ("right_knee", "left_knee")),
        ("shin", ("right_ankle", "left_ankle")),
    )
}


def measure_bones(keypoints: Keypoints, relative_to: np.ndarray) -> dict[str, np.ndarray]:
    """Lengths of the bones in every frame, in units of something that shrinks with distance.

    Args:
        keypoints: of one video.
        relative_to: (T,) px, the unit in each frame.

    Returns:
        bone -> (n,) float64, n the sightings; right and left together. torso is hips to neck, neck
        is neck to nose, shoulder and hip reach from the middle to one side, head is the distance
        of the ears (``ears``) and that of the eyes (``eyes``).
    """

    def point(name: str) -> np.ndarray:
        return _point(keypoints, name)

    pairs = MEASURED | {
        "ears": [("right_ear", "left_ear")],
        "eyes": [("right_eye", "left_eye")],
    }
    lengths = {
        bone: np.concatenate([np.hypot(*(point(a) - point(b)).T) / relative_to for a, b in ends])
        for bone, ends in pairs.items()
    }
    return {bone: one[np.isfinite(one)] for bone, one in lengths.items()}


def height_units(
    keypoints: Keypoints, statistics: VideoStatistics, max_extrapolation: float
) -> np.ndarray:
    """How tall this dancer stands at the depth of each frame, by the levels of the video.

    Args:
        keypoints: of the video.
        statistics: of the video, without a fallback.
        max_extrapolation: how far beyond far and close the height still changes.

    Returns:
        (T,) float64 px; interpolated over frames without ankles, above 0.
    """
    level = measure_level(keypoints, statistics)
    depth = interpolated(depth_fraction(level, statistics, max_extrapolation))
    return _height_at(depth, statistics)


def find_bone_ratios(
    keypoints: Keypoints,
    placement: Placement,
    source: VideoStatistics,
    target: VideoStatistics,
    target_keypoints: Keypoints,
    max_extrapolation: float,
) -> dict[str, tuple[float, float]]:
    """Bone lengths of the target and of the source as mode ``paper`` would place him.

    Both are medians over the video of length / height of the target at that depth, so that it does
    not matter who spends more time near the camera. A picture foreshortens bones; comparing medians
    of pictures with pictures takes the usual foreshortening out, and a bone keeps that of its
    moment.

    Args:
        keypoints: of the source.
        placement: by place_figure.
        source: statistics of the source.
        target: statistics of the target.
        target_keypoints: of the target.
        max_extrapolation: how far beyond far and close heights still change.

    Returns:
        bone -> (target's length, source's length), dimensionless; their quotient is the ratio, at
        most 2 and at least 1/2. Equal where one of the videos hardly shows the bone.
    """
    here, there = np.ones(len(keypoints)), np.ones(len(target_keypoints))
    if not (source.fallback or target.fallback):
        here = _height_at(placement.depth, target)
        there = height_units(target_keypoints, target, max_extrapolation)
    own = measure_bones(keypoints, here / placement.scale)
    wanted = measure_bones(target_keypoints, there)
    lengths: dict[str, tuple[float, float]] = {}
    for bone in own:
        seen = [len(one[bone]) for one in (wanted, own)]
        if min(seen) < MIN_SIGHTINGS:
            where = target.video if seen[0] < seen[1] else source.video
            LOGGER.info(f"{where}: {bone} is seen {min(seen)} times, too seldom to be measured")
            continue
        to, by = float(np.median(wanted[bone])), float(np.median(own[bone]))
        if by == 0 or not 1 / LARGEST_RATIO <= to / by <= LARGEST_RATIO:
            LOGGER.info(
                f"{source.video} into {target.video}: {bone} would change by {_ratio(to, by):.3g}, "
                f"held within 1 / {LARGEST_RATIO:g} and {LARGEST_RATIO:g}; "
                "one of the videos shows it end on"
            )
            to = float(np.clip(to, by / LARGEST_RATIO, by * LARGEST_RATIO))
        lengths[bone] = to, by
    ears, eyes = lengths.pop("ears", None), lengths.pop("eyes", None)
    lengths["head"] = ears or eyes or lengths.get("neck", (0.0, 0.0))
    for bone in MEASURED:
        lengths.setdefault(bone, (0.0, 0.0))
    LOGGER.info(
        f"{source.video} into {target.video}, limbs against the figure as a whole: "
        + ", ".join(f"{bone} {_ratio(*pair):.3f}" for bone, pair in lengths.items())
    )
    return lengths


def retarget_limbs(
    keypoints: Keypoints, placement: Placement, lengths: dict[str, tuple[float, float]]
) -> dict[str, np.ndarray]:
    """Give every bone its new length, from the hips outwards, and put the feet back to the ground.

    A keypoint whose bone starts at one that was not found hangs on the nearest before it that was,
    with the ratio of the whole chain between. Face, hands and feet are scaled with head, forearm
    and shin and go where nose, wrist and ankle go. At last the figure is moved so that the mean
    ankle lies where mode ``paper`` puts it.

    Args:
        keypoints: of the source.
        placement: by place_figure.
        lengths: by find_bone_ratios.

    Returns:
        part -> (T, K, 2) float64 px in the target's canvas; NaN where the source's is.
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
    if not placement.by_torso:
        ankles = (after["right_ankle"] + after["left_ankle"]) / 2
        offset = interpolated(placement.placed - ankles)
    else:
        offset = np.zeros_like(placement.placed)
    moved = {
        part: hang(keypoints.xy[part].astype(np.float64), *PART_BONES[part]) for part in PART_BONES
    }
    moved["body"] = np.stack([after[name] for name in keypoints.skeleton.keypoints], axis=1)
    return {part: moved[part] + offset[:, None] for part in PARTS}


def _point(keypoints: Keypoints, name: str) -> np.ndarray:
    """(T, 2) float64 px of a keypoint, or of the middle of the hips."""
    if name == HIPS:
        middle = (keypoints.point("right_hip") + keypoints.point("left_hip")) / 2
        return first_seen(keypoints.point("mid_hip"), middle).astype(np.float64)
    return keypoints.point(name).astype(np.float64)


def _height_at(depth: np.ndarray, statistics: VideoStatistics) -> np.ndarray:
    """(T,) px, height at a depth; beyond far and close the dancer must not shrink through zero."""
    far, close = statistics.height_far, statistics.height_close
    return np.maximum((1 - depth) * far + depth * close, 0.5 * min(far, close))


def _ratio(to: float, by: float) -> float:
    return to / by if by > 0 else 1.0
