"""The truth about the demo dancers' mattes."""

import cv2
import numpy as np

from edn_core.demo import Dancer, paint_person, stand


def draw_outline(dancer: Dancer, time_s: float) -> np.ndarray:
    """How much of each pixel the person covers, without the shadow: (H, W) uint8, 255 all of it."""
    on_black, on_white = (
        np.full((dancer.height, dancer.width, 3), level, np.uint8) for level in (0, 255)
    )
    for ground in (on_black, on_white):
        paint_person(ground, dancer, stand(dancer, time_s))
    return 255 - cv2.subtract(on_white, on_black)[..., 0]
