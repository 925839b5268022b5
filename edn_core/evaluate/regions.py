"""The regions in which finished frames are compared: face and hands."""

import numpy as np

from edn_core.face import face_box_size, face_boxes
from edn_core.keypoints import Keypoints, Person
from edn_core.normalize import measure_frames

HAND_MARGIN = 0.25  # of a hand's extent, on each side of its points


def boxes_of(keypoints: Keypoints) -> np.ndarray:
    """(T, 4) boxes about the face in finished frames, -1 without one; by the dancer's height."""
    heights = measure_frames(keypoints)[1]
    tall = float(np.nanmedian(heights)) if np.isfinite(heights).any() else keypoints.height / 1.5
    side = face_box_size(keypoints.height, tall)
    return face_boxes(keypoints, min(side, keypoints.width, keypoints.height))


def box_mask(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, True in a box x0 y0 x1 y1, half-open; nowhere in -1 -1 -1 -1."""
    mask = np.zeros(size, bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return mask


def hands_mask(person: Person, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, True in a box about the points of each hand that was found."""
    mask = np.zeros(size, bool)
    for part in ("hand_left", "hand_right"):
        points = person[part][person[part][:, 2] > 0, :2]
        if len(points) > 1:
            margin = HAND_MARGIN * np.ptp(points, axis=0).max()
            low = np.floor(points.min(axis=0) - margin).clip(0).astype(int)
            high = np.ceil(points.max(axis=0) + margin).clip(0).astype(int) + 1
            mask[low[1] : high[1], low[0] : high[0]] = True
    return mask
