"""Where the face is: a square box of one size per video, for the face networks.

"Everybody Dance Now" (ICCV 2019), section 3.4: a crop centred on the nose, 128 px at a canvas
height of 512.
"""

import numpy as np

from edn_core.errors import Refused
from edn_core.frames import FramesInfo
from edn_core.keypoints import Keypoints

MIN_BOX = 32
FACE_PART = 0.3  # of the height from ankle to head: hair, chin and some neck
BOX_MULTIPLE = 16  # the face generator halves up to four times


def face_box_size(height: int, figure_px: float = 0.0) -> int:
    """Side of the face box, in multiples of 16, at least 32 px.

    Args:
        height: of the pictures, px: of a whole one a quarter, as in the paper.
        figure_px: how tall the dancer stands in them, where they follow him: FACE_PART of that.
    """
    side = FACE_PART * figure_px if figure_px else height / 4
    return max(MIN_BOX, BOX_MULTIPLE * round(side / BOX_MULTIPLE))


def face_side(info: FramesInfo) -> int:
    """Side of the face boxes in the pictures of a store, px."""
    return face_box_size(info.height, info.figure_px)


def face_boxes(keypoints: Keypoints, size_px: int) -> np.ndarray:
    """A square box around the face in every frame that shows one.

    A frame shows a face where the face part was found in it: a nose alone is not enough, so a face
    that is turned away or made unrecognisable has no box. The centre is the nose, else the middle
    of the ears, else one ear, else the middle of the face's own points. At the border the box is
    shifted inwards; a face whose centre is outside has no box.

    Args:
        keypoints: of one video, in px of the pictures.
        size_px: side of the box.

    Returns:
        (T, 4) int32 of x0, y0, x1, y1, half-open, inside the picture; -1 where there is no face.

    Raises:
        Refused: the picture is smaller than the box.
    """
    canvas = np.array([keypoints.width, keypoints.height])
    if (canvas < size_px).any():
        raise Refused(
            keypoints.video,
            f"a face box of {size_px} px does not fit into a window of "
            f"{keypoints.width}x{keypoints.height}",
            remedy="set canvas.pixels higher",
        )
    center = _face_center(keypoints)
    with np.errstate(invalid="ignore"):
        is_inside = ((center >= -0.5) & (center < canvas - 0.5)).all(axis=1)
    has_face = (keypoints.score["face"] > 0).any(axis=1) & is_inside
    boxes = np.full((len(keypoints), 4), -1, np.int32)
    # Pixel i covers i - 0.5 to i + 0.5, so a box from x0 is centred on x0 + size / 2 - 0.5.
    first = np.rint(center[has_face] + 0.5 - size_px / 2)
    first = np.clip(first, 0, canvas - size_px).astype(np.int32)
    boxes[has_face, :2] = first
    boxes[has_face, 2:] = first + size_px
    return boxes


def _face_center(keypoints: Keypoints) -> np.ndarray:
    """(T, 2) float64 px; NaN where nothing of the head was found."""
    right_ear, left_ear = keypoints.point("right_ear"), keypoints.point("left_ear")
    face, seen = keypoints.xy["face"], keypoints.score["face"] > 0
    total = np.where(seen[..., None], face, 0).sum(axis=1, dtype=np.float64)
    count = seen.sum(axis=1)[:, None]
    own = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    center = keypoints.point("nose").astype(np.float64)
    for choice in ((right_ear + left_ear) / 2, right_ear, left_ear, own):
        center = np.where(np.isnan(center), choice, center)
    return center
