"""Where the hands are: square boxes of one size per video, for a second image term of training.

Not in the paper, which treats the face alone so. A hand is a few pixels of the picture, and an
average over all pixels hardly notices it.
"""

import numpy as np

from edn_core.keypoints import Keypoints

MIN_BOX = 16
BOX_MULTIPLE = 8
SIDES = ("left", "right")
"""The order of the two boxes of a frame."""
BEYOND_WRIST = 0.33  # of the forearm: where OpenPose, too, looks for a hand it knows the wrist of


def hand_box_size(height: int) -> int:
    """Side of a hand box for a canvas: an eighth of its height in multiples of 8, at least 16.

    Args:
        height: of the canvas, px.
    """
    return max(MIN_BOX, BOX_MULTIPLE * round(height / 8 / BOX_MULTIPLE))


def hand_boxes(keypoints: Keypoints, size_px: int) -> np.ndarray:
    """A square box around each hand in every frame that shows it.

    The centre is the middle of the hand's own points, else the place a third of the forearm beyond
    the wrist, else the wrist. At the border the box is shifted inwards; a hand whose centre is
    outside the canvas has no box.

    Args:
        keypoints: of one video, in its canvas.
        size_px: side of the boxes.

    Returns:
        (T, 2, 4) int32 of x0, y0, x1, y1, half-open, inside the canvas, left hand first; -1 where
        there is no hand.

    Raises:
        ValueError: the canvas is smaller than the box.
    """
    canvas = np.array([keypoints.width, keypoints.height])
    if (canvas < size_px).any():
        raise ValueError(
            f"{keypoints.video}: a hand box of {size_px} px does not fit into its canvas of "
            f"{keypoints.width}x{keypoints.height}; set canvas.pixels higher"
        )
    center = np.stack([_hand_center(keypoints, side) for side in SIDES], axis=1)
    with np.errstate(invalid="ignore"):
        is_seen = ((center >= -0.5) & (center < canvas - 0.5)).all(axis=2)
    boxes = np.full((len(keypoints), len(SIDES), 4), -1, np.int32)
    # Pixel i covers i - 0.5 to i + 0.5, so a box from x0 is centred on x0 + size / 2 - 0.5.
    first = np.rint(center[is_seen] + 0.5 - size_px / 2)
    first = np.clip(first, 0, canvas - size_px).astype(np.int32)
    boxes[is_seen, :2] = first
    boxes[is_seen, 2:] = first + size_px
    return boxes


def _hand_center(keypoints: Keypoints, side: str) -> np.ndarray:
    """(T, 2) float64 px; NaN where nothing of the hand was found."""
    wrist = keypoints.point(f"{side}_wrist").astype(np.float64)
    beyond = wrist + BEYOND_WRIST * (wrist - keypoints.point(f"{side}_elbow"))
    points, seen = keypoints.xy[f"hand_{side}"], keypoints.score[f"hand_{side}"] > 0
    center = np.full((len(keypoints), 2), np.nan)
    found = seen.any(axis=1)
    low = np.where(seen[found, :, None], points[found], np.inf).min(axis=1)
    high = np.where(seen[found, :, None], points[found], -np.inf).max(axis=1)
    center[found] = (low.astype(np.float64) + high) / 2
    for choice in (beyond, wrist):
        center = np.where(np.isnan(center), choice, center)
    return center
