"""A pose in words, so that a person knows what to film: "both arms above the head"."""

import numpy as np

from edn_core.preflight.poses import JOINTS

MIN_EXCESS = 0.1  # by so much of the frames something must be commoner in a dance than in a video
MOST_WORDS = 3


def pose_words(poses: np.ndarray) -> dict[str, np.ndarray]:
    """What can be said of each of (T, 13, 2) poses as of body_poses: phrase -> (T,) bool.

    False where the joints a phrase needs are missing. Left and right are the dancer's own.
    """
    at = dict(zip(JOINTS, np.moveaxis(poses.astype(np.float64), 1, 0), strict=True))
    with np.errstate(invalid="ignore"):
        left, right = _arm_words(at, "left"), _arm_words(at, "right")
        words: dict[str, np.ndarray] = {}
        for what in left:
            words[f"both arms {what}"] = left[what] & right[what]
            words[f"left arm {what}"] = left[what] & ~right[what]
            words[f"right arm {what}"] = right[what] & ~left[what]
        return words | _leg_words(at) | _trunk_words(at)


def _arm_words(at: dict[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    middle = (at["left_shoulder"] + at["right_shoulder"])[:, 0] / 2
    shoulder, wrist, nose = at[f"{side}_shoulder"], at[f"{side}_wrist"], at["nose"]
    outwards = np.sign(shoulder[:, 0] - middle)
    beside = np.abs(wrist[:, 0] - shoulder[:, 0])
    return {
        "above the head": wrist[:, 1] < nose[:, 1] - 0.1,
        "stretched out sideways": (beside > 0.75) & (wrist[:, 1] > nose[:, 1] - 0.1),
        "across the body": outwards * (wrist[:, 0] - middle) < -0.1,
        "bent, hand at the shoulder": np.linalg.norm(wrist - shoulder, axis=1) < 0.4,
        "hanging down": (wrist[:, 1] > -0.15) & (beside < 0.4),
    }


def _leg_words(at: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    left, right = at["left_ankle"], at["right_ankle"]
    lowest = np.maximum(left[:, 1], right[:, 1])
    knees = np.minimum(at["left_knee"][:, 1], at["right_knee"][:, 1])
    return {
        "left leg lifted": right[:, 1] - left[:, 1] > 0.35,
        "right leg lifted": left[:, 1] - right[:, 1] > 0.35,
        "legs wide apart": np.abs(left[:, 0] - right[:, 0]) > 1.1,
        "knees bent, crouching": (lowest < 1.25) & (knees < 0.6),
    }


def _trunk_words(at: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    width = at["left_shoulder"][:, 0] - at["right_shoulder"][:, 0]
    lean = np.degrees(np.arctan2(np.abs(shoulders[:, 0]), -shoulders[:, 1]))
    return {
        "leaning far over": (lean > 35) & (lean <= 70),
        "lying or upside down": lean > 70,
        "turned sideways": (np.abs(width) < 0.25) & (lean <= 70),
        "back to the camera": (width < -0.25) & (lean <= 70),
    }


def commoner_words(
    poses: np.ndarray, chosen: np.ndarray, known: np.ndarray
) -> list[tuple[str, float]]:
    """What the chosen (S,) bool of a dance's (S, 13, 2) poses do that the known ones seldom do.

    Returns:
        Up to three of (phrase, part of the whole dance in which a chosen pose is so), the most
        telling first; empty where no phrase tells them apart.
    """
    if not chosen.any():
        return []
    said, theirs = pose_words(poses[chosen]), pose_words(known)
    excess = {word: said[word].mean() - theirs[word].mean() for word in said}
    telling = [word for word in said if excess[word] >= MIN_EXCESS]
    telling.sort(key=lambda word: -excess[word])
    return [(word, float(said[word].sum()) / len(poses)) for word in telling[:MOST_WORDS]]
