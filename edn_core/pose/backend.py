"""What every pose backend gives: the layout of its points and a function that finds people."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edn_core.keypoints import Person
from edn_core.skeleton import Skeleton

Find = Callable[[list[np.ndarray], int], list[list[Person]]]


@dataclass(frozen=True)
class Backend:
    """A pose estimator made ready for one video.

    Attributes:
        skeleton: skeleton of the body part of the people it finds.
        weights_sha256: SHA-256 over its weight files; "" if it has none.
        find: ``find(images, first)`` -> for each image all people in it, an empty list for nobody.
            The images are a run of consecutive frames, (H, W, 3) uint8 RGB at the video's own size;
            the coordinates are its pixels (origin at the centre of the top-left one). ``first`` is
            the number of the first one, counted from the start of the video file. Runs come in any
            order: nothing may be remembered from one to the next.
        warm_up: frames before a run that are shown with it and whose answer is thrown away; for
            backends that look for people where they were a moment before.
        has_copies: whether one copy per thread works side by side; else one copy gets all threads.
    """

    skeleton: Skeleton
    weights_sha256: str
    find: Find
    warm_up: int = 0
    has_copies: bool = False


def largest_people(people: list[Person], count: int) -> list[Person]:
    """Of a crowd the people whose bodies are largest in the picture.

    Args:
        people: of one frame.
        count: how many, at most; with no more than these, all in the order given.
    """
    return people if len(people) <= count else sorted(people, key=_extent, reverse=True)[:count]


def _extent(person: Person) -> float:
    """Longer side of the box around a body, px."""
    found = person["body"][person["body"][:, 2] > 0, :2]
    return float(np.ptp(found, axis=0).max()) if len(found) else 0.0
