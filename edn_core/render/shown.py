"""A label as people look at it."""

import cv2
import numpy as np

from edn_core.frames import FrameReader
from edn_core.render.styles import find_style


def draw_label(
    labels: FrameReader, frame: int, to_frame: np.ndarray, paper: np.ndarray
) -> np.ndarray:
    """A label as people look at it, at its place in a picture: (H, W, 3) uint8.

    A label that is not there leaves the paper, (H, W, 3) uint8, as it is. ``to_frame`` is (2, 3),
    px of the label -> px of the picture.
    """
    if not labels.has(frame):
        return paper
    label = find_style(labels.info.style, f"{labels.path}: the style").to_picture(labels[frame])
    ink = (label < 250).any(axis=2).astype(np.uint8) * 255
    size = paper.shape[1::-1]
    colours = cv2.warpAffine(label, to_frame, size, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(ink, to_frame, size)[..., None] / 255
    result: np.ndarray = (share * colours + (1 - share) * paper).round().astype(np.uint8)
    return result
