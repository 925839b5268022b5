"""What every pose backend gives: the layout of its points and a function that finds people."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edn_core.keypoints import Person
from edn_core.skeleton import Skeleton


@dataclass(frozen=True)
class Backend:
    """A pose estimator made ready for one video.

    Attributes:
        skeleton: skeleton of the body part of the people it finds.
        weights_sha256: SHA-256 over its weight files; "" if it has none.
        find: ``find(image, frame)`` -> all people in a frame, an empty list for nobody. The image
            is (H, W, 3) uint8 RGB at the video's own size, the coordinates are its pixels (origin
            at the centre of the top-left one); frames count from the start of the video file.
            Called once per frame, in order: a backend may remember where somebody was.
    """

    skeleton: Skeleton
    weights_sha256: str
    find: Callable[[np.ndarray, int], list[Person]]
