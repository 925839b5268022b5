"""Which parts of a dancer were not painted, by the painted matte; and how often hands blink."""

import cv2
import numpy as np

from edn_core.keypoints import Keypoints
from edn_core.metrics.poses import torso_length
from edn_core.render.palettes import FULL_HAND_SCORE

# Part -> the keypoints whose middle it is, of each side; radius of a disc about it, torso lengths.
PARTS_PAINTED = {
    "head": ((("nose", "left_eye", "right_eye", "left_ear", "right_ear"),), 0.15),
    "hands": ((("left_wrist",), ("right_wrist",)), 0.06),
    "feet": ((("left_ankle",), ("right_ankle",)), 0.06),
}


def missing_parts(matte: np.ndarray, keypoints: Keypoints, number: int) -> dict[str, float]:
    """Which parts of the dancer were not painted where the keypoints put them.

    A pose network also finds what is not there; a matte, (H, W) uint8 of the finished frame, is
    where something was painted. The keypoints are those asked for, in its px.

    Returns:
        ``missing_{part}`` 1 or 0 for each of PARTS_PAINTED: less than half of a disc about the part
        is opaque; NaN where the part was not asked for, or lies outside of the picture.
    """
    torso = torso_length(keypoints, number, number + 1)
    row = {}
    for name, (points, radius) in PARTS_PAINTED.items():
        missing = []
        for one in points:
            found = [keypoints.point(each)[number] for each in one]
            known = [each for each in found if np.isfinite(each).all()]
            if not known:
                continue
            middle = np.mean(known, axis=0)
            disc = np.zeros(matte.shape, np.uint8)
            place = tuple(np.round(middle).clip(-(2**14), 2**14).astype(int).tolist())
            cv2.circle(disc, place, max(1, round(radius * torso)), 1, -1)
            if disc.any() and inside_picture(middle, matte.shape):
                missing.append(float(matte[disc > 0].mean() < 127.5))
        row[f"missing_{name}"] = float(np.max(missing)) if missing else float("nan")
    return row


def hand_changes(keypoints: Keypoints) -> float:
    """How often a second a hand comes or goes in the labels; one half faded counts as there."""
    scores = np.stack([keypoints.score[hand].mean(axis=1) for hand in ("hand_left", "hand_right")])
    changes = np.diff(scores >= FULL_HAND_SCORE / 2).sum()
    return float(changes * keypoints.fps / len(keypoints))


def inside_picture(point: np.ndarray, size: tuple[int, ...]) -> bool:
    """Whether a point (x, y) lies in a picture of (H, W) px."""
    return bool((point >= 0).all() and point[0] < size[1] and point[1] < size[0])
