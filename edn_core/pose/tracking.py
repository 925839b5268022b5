"""Which of the people in a frame is the dancer."""

import numpy as np

from edn_core.keypoints import Person


def select_dancer(people: list[Person], previous: Person | None) -> Person | None:
    """Choose the dancer: at first the largest person, then the one nearest to where he was.

    Args:
        people: everybody found in the frame; those without any body point are passed over.
        previous: the dancer where last seen; None if not seen yet.

    Returns:
        One of ``people``, or None if there is nobody.
    """
    people = [person for person in people if (person["body"][:, 2] > 0).any()]
    if not people:
        return None
    if previous is None:
        return max(people, key=_box_area)
    return min(people, key=lambda person: _distance(person["body"], previous["body"]))


def _box_area(person: Person) -> float:
    """Area in px² of the box around the body points found."""
    found = person["body"][person["body"][:, 2] > 0]
    return float(np.prod(np.ptp(found[:, :2], axis=0)))


def _distance(body: np.ndarray, other: np.ndarray) -> float:
    """Mean distance in px between the points both have, else between their centres."""
    is_found, is_other = body[:, 2] > 0, other[:, 2] > 0
    both = is_found & is_other
    if both.any():
        return float(np.linalg.norm(body[both, :2] - other[both, :2], axis=1).mean())
    return float(np.linalg.norm(body[is_found, :2].mean(axis=0) - other[is_other, :2].mean(axis=0)))
