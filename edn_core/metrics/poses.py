"""How far apart two poses are, and what of one is missing in the other (paper, section 5)."""

from collections.abc import Sequence

import numpy as np

from edn_core.background import dancer_band
from edn_core.keypoints import Keypoints, Person, missing_person
from edn_core.skeleton import PARTS, Skeleton

POSE_GROUPS = {
    "body": ("body",),
    "face": ("face",),
    "hands": ("hand_left", "hand_right"),
    "all": PARTS,
}
"""The groups of keypoints that pose distances and missed detections are given for."""


def person_mask(
    person: Person, skeleton: Skeleton, size: tuple[int, int], width_fraction: float = 0.09
) -> np.ndarray:
    """The part of the frame that counts as the person: a band around the skeleton.

    Args:
        person: keypoints of one frame; parts not found are left out.
        skeleton: skeleton of the body part.
        size: (H, W) px.
        width_fraction: width of the band as part of H.

    Returns:
        (H, W) bool; all False if nothing was found.
    """
    return dancer_band(person, skeleton, size, width_fraction)


def pose_distance(person: Person, other: Person) -> float:
    """Mean distance between body keypoints found in both, px; infinite if there are none.

    The paper's d(p, p') = (1 / n) sum |p_k - p'_k|.

    Raises:
        ValueError: the two have different skeletons.
    """
    return float(_pose_distances(person, [other])[0])


def nearest_pose(person: Person, persons: Sequence[Person]) -> int:
    """Index of the person whose pose is nearest (the nearest-neighbour baseline).

    Args:
        person: keypoints of one frame.
        persons: those to choose from, in the same pixel frame.

    Returns:
        The index with the least pose_distance, the first of equals; 0 if none has a keypoint in
        common with ``person``.

    Raises:
        ValueError: nothing to choose from, or different skeletons.
    """
    if not persons:
        raise ValueError("no poses to choose the nearest from; expected at least one frame")
    return int(np.argmin(_pose_distances(person, persons)))


def pose_errors(found: Person, expected: Person) -> dict[str, float]:
    """How well a pose was met, for each of POSE_GROUPS.

    Args:
        found: keypoints found in the picture that is judged.
        expected: those it should show.

    Returns:
        ``pose_{group}_px``: mean distance over keypoints that both have, NaN without any (the
        paper's d(p, p'), over more than the body); ``missed_{group}``: number of keypoints that
        were expected and not found.

    Raises:
        ValueError: the two have different skeletons.
    """
    _check_skeletons([found, expected])
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
    """Of the people found in a picture the one who is meant.

    Args:
        people: found in one picture; parts may be left out.
        expected: where the one who is meant should be.
        skeleton: of the body part.

    Returns:
        The person of the least pose_distance, the first where none can be compared; a person of
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


def torso_length(keypoints: Keypoints, frames: Sequence[int]) -> float | None:
    """Median distance from the middle of the shoulders to that of the hips, px; None unseen."""
    chosen = list(frames)
    shoulders, hips = (
        (keypoints.point(f"right_{name}")[chosen] + keypoints.point(f"left_{name}")[chosen]) / 2
        for name in ("shoulder", "hip")
    )
    lengths = np.linalg.norm(shoulders - hips, axis=1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) else None


def _check_skeletons(persons: Sequence[Person]) -> None:
    shapes = {one["body"].shape for one in persons}
    if len(shapes) > 1:
        raise ValueError(
            f"poses of different skeletons, {' and '.join(str(len_k) for len_k in sorted(shapes))} "
            "(K, 3); convert them to one skeleton first"
        )


def _pose_distances(person: Person, persons: Sequence[Person]) -> np.ndarray:
    """pose_distance to each of the persons: (N,)."""
    _check_skeletons([person, *persons])
    bodies = np.stack([one["body"] for one in persons])
    found = (bodies[..., 2] > 0) & (person["body"][:, 2] > 0)
    distances = np.linalg.norm(bodies[..., :2] - person["body"][:, :2], axis=-1)
    total = np.where(found, distances, 0).sum(axis=1)
    count = found.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)
