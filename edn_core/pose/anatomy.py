"""Whether points that somebody else named can be a body's: their order, their sides, their limbs.

Bounds measured on 412 bodies of three real clips, also in the orders of COCO with a neck and of
COCO-WholeBody and in random ones, as upper halves, and with 4 points in 10 left out.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edn_core.errors import Refused
from edn_core.keypoints import Doubt
from edn_core.skeleton import BODY_25, WHOLEBODY_133, Skeleton, convert

MIN_POINTS, MIN_BODIES = 8, 5  # fewer points of a body, fewer bodies prove nothing
MOST_BODIES = 2000  # looked at, evenly spread
LONG = 0.6  # mean limb by mean distance of two points: 0.17 to 0.56; in other orders 0.57 to 1.37
NECK_OFF = 0.3  # from the middle of the shoulders, likewise; OpenPose's networks learn that middle
LONGEST = 1.5  # times the longest torsos (95 %): the longest limb was 1.03 of it
MIRRORED = 0.9  # of the faces seen upright
MIN_SHARE = 0.05  # of the frames: bodies of which 6 points in 10 are missing reach it by chance
# In which order others write as many points as OpenPose's skeletons have.
_OTHERS = {
    18: Skeleton("COCO's 17 and the neck", (*WHOLEBODY_133.keypoints[:17], "neck"), ()),
    23: Skeleton("COCO-WholeBody's body and feet", WHOLEBODY_133.keypoints[:23], ()),
}
_LIMBS = np.array([[BODY_25.index(name) for name in limb] for limb in BODY_25.limbs]).T
_PAIRS = np.triu_indices(len(BODY_25), 1)


def doubt_bodies(
    bodies: np.ndarray, frames: np.ndarray, skeleton: Skeleton, path: str | Path
) -> list[Doubt]:
    """What stands against (N, K, 3) bodies of a skeleton, px; ``frames`` (N,) says when each was.

    Raises Refused: most are no bodies, their points come in another order; says in which.
    """
    chosen = np.unique(np.linspace(0, len(bodies) - 1, MOST_BODIES).round().astype(int))
    bodies, frames = bodies[chosen], frames[chosen]
    other = _OTHERS.get(len(skeleton), skeleton)
    xy, limbs, scale, spread = _read_as(bodies, skeleton)
    as_other = _read_as(bodies, other)[-1]
    at = {name: xy[:, row] for row, name in enumerate(BODY_25.keypoints)}
    neck = np.linalg.norm(at["neck"] - (at["left_shoulder"] + at["right_shoulder"]) / 2, axis=1)
    torsos = np.linalg.norm(at["neck"] - at["mid_hip"], axis=1)
    torso = np.percentile(torsos[torsos > 0], 95) if (torsos > 0).any() else np.inf
    eyes, shoulders = ((at[f"left_{a}"] - at[f"right_{a}"])[:, 0] for a in ("eye", "shoulder"))
    judged = np.isfinite(xy[..., 0]).sum(axis=1) >= MIN_POINTS
    faces = (at["nose"][:, 1] < at["neck"][:, 1]) & np.isfinite(eyes + shoulders)

    def share(wrong: Any, of: Any = judged) -> float:
        enough = of.sum() >= MIN_BODIES
        return len(np.unique(frames[wrong & of])) / len(np.unique(frames[of])) if enough else 0.0

    others = share(as_other < np.fmin(spread, LONG))
    none, off = max(share(spread > LONG), others), share(neck > NECK_OFF * scale)
    if max(none, off) > 0.5:
        found = f"the neck is not between the shoulders in {off:.0%} of the frames"
        if none > 0.5:
            found = f"the points are no body's in {none:.0%} of the frames"
        if others > 0.5:
            found += f", but in the order of {other.name}"
        expected = f"the order of {skeleton.name}: {', '.join(skeleton.keypoints[:4])} and so on"
        raise Refused(path, found, expected, "write them in that order")
    sides = share((eyes < 0) & (shoulders < 0), faces)
    shares = {
        "no body": (none, "the points are no body's"),
        "neck off": (off, "the neck is not between the shoulders"),
        "limbs too long": (share((limbs > LONGEST * torso).any(axis=1)), "limbs are too long"),
        "left is right": (sides * (sides >= MIRRORED), "left is right (were they mirrored?)"),
    }
    return [
        Doubt(what, found, f"{says} in {found:.0%} of the frames")
        for what, (found, says) in shares.items()
        if found > MIN_SHARE
    ]


def _read_as(bodies: np.ndarray, order: Skeleton) -> tuple[np.ndarray, ...]:
    """BODY_25's points (N, 25, 2), limbs (N, 24), mean distance of two points, mean limb by it."""
    points = convert(bodies, order, BODY_25, derive=True).astype(np.float64)
    xy = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    limbs, pairs = (np.linalg.norm(xy[:, a] - xy[:, b], axis=-1) for a, b in (_LIMBS, _PAIRS))
    scale, limb = (np.ma.masked_invalid(one).mean(axis=1).filled(np.nan) for one in (pairs, limbs))
    scale[scale == 0] = np.nan
    return xy, limbs, scale, limb / scale
