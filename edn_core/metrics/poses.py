"""How far apart two poses are, and what of one is missing in the other (paper, section 5)."""

from collections.abc import Sequence

import numpy as np

from edn_core.keypoints import Keypoints, Person, missing_person
from edn_core.skeleton import PARTS, Skeleton

POSE_GROUPS = {
    "body": ("body",),
    "face": ("face",),
    "hands": ("hand_left", "hand_right"),
    "all": PARTS,
}
"""The groups of keypoints that pose distances and missed detections are given for."""


def nearest_pose(person: Person, persons: Sequence[Person]) -> int:
    """Index of the person whose pose is nearest (the nearest-neighbour baseline).

    The paper's d(p, p') = (1 / n) sum |p_k - p'_k| over body keypoints found in both; the first of
    equals, also if none of them has a keypoint in common with ``person``.
    """
    bodies = np.stack([one["body"] for one in persons])
    found = (bodies[..., 2] > 0) & (person["body"][:, 2] > 0)
    distances = np.linalg.norm(bodies[..., :2] - person["body"][:, :2], axis=-1)
    total = np.where(found, distances, 0).sum(axis=1)
    count = found.sum(axis=1)
    return int(np.argmin(np.where(count > 0, total / np.maximum(count, 1), np.inf)))


def pose_errors(found: Person, expected: Person) -> dict[str, float]:
    """How well the pose that a picture should show was met, for each of POSE_GROUPS.

    Returns:
        ``pose_{group}_px``: mean distance over keypoints that both have, NaN without any (the
        paper's d(p, p'), over more than the body); ``missed_{group}``: number of keypoints that
        were expected and not found.
    """
    errors: dict[str, float] = {}
    for group, parts in POSE_GROUPS.items():
        here = np.concatenate([found[part] for part in parts])
        there = np.concatenate([expected[part] for part in parts])
        in_both = (here[:, 2] > 0) & (there[:, 2] > 0)
        apart = np.linalg.norm(here[in_both, :2] - there[in_both, :2], axis=1)
        errors[f"pose_{group}_px"] = float(apart.mean()) if len(apart) else float("nan")
        errors[f"missed_{group}"] = float(((there[:, 2] > 0) & (here[:, 2] <= 0)).sum())
    return errors


def closest_person(people: Sequence[Person], expected: Person, skeleton: Skeleton) -> Person:
    """Of the people found in a picture (parts may be left out) the one who is meant.

    Returns:
        The person of the nearest pose, the first where none can be compared; a person of
        whom nothing was found where there is nobody. All parts are there.
    """
    missing = missing_person(skeleton)
    whole = [missing | person for person in people]
    return whole[nearest_pose(expected, whole)] if whole else missing


def inside(person: Person, size: tuple[int, int]) -> Person:
    """A copy without the keypoints that lie outside a picture of (H, W) px."""
    limit = np.array(size[::-1]) - 0.5
    kept: Person = {}
    for part, points in person.items():
        with np.errstate(invalid="ignore"):
            is_in = ((points[:, :2] >= -0.5) & (points[:, :2] < limit)).all(axis=1, keepdims=True)
        kept[part] = np.where(is_in, points, np.array([np.nan, np.nan, 0], np.float32))
    return kept


def torso_length(keypoints: Keypoints, first: int = 0, stop: int | None = None) -> float:
    """Median distance from the middle of the shoulders to that of the hips, px.

    Where it is never seen in the frames [first, stop), the picture's height stands in.
    """
    shoulders, hips = (
        (keypoints.point(f"right_{name}") + keypoints.point(f"left_{name}")) / 2
        for name in ("shoulder", "hip")
    )
    lengths = np.linalg.norm(shoulders - hips, axis=1)[first:stop]
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) else float(keypoints.height)
