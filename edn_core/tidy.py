"""Painted windows tidied: no pieces in the air beside the dancer, limbs and outline solid.

A generator shown a pose that its target never took leaves pieces of limbs and clothes behind, and
is not sure of the limbs: nothing of a dancer is apart from his skeleton, so what is goes; a matte
that is the mean of what may be is made steeper. Not in the paper, whose generator paints the whole
picture (``background: paint``).
"""

from collections.abc import Callable

import cv2
import numpy as np

from edn_core.band import dancer_band
from edn_core.compose import GROUND
from edn_core.keypoints import Keypoints
from edn_core.shadow import Painted

PIECE = 40  # of 255; a matte above it is a piece of somebody, below it a piece's edge
EDGE = 2  # px of the window about what stays that stay as well
BONE = 0.03  # of the figure's height; a piece that touches a line so wide along the skeleton stays
STEEPNESS, MIDDLE = 1.5, 0.4  # of the matte's curve, and where it keeps what it was
_SHARE = np.arange(256, dtype=np.float32) / 255
_STEEPER = ((_SHARE - MIDDLE) * STEEPNESS + MIDDLE).clip(0, 1)
_GAIN = _STEEPER / np.maximum(_SHARE, 1 / 255)


def tidying(dancer: Keypoints, figure_px: float) -> Callable[[int, Painted], Painted]:
    """What tidies painted windows.

    A function of a frame's number and (h, w, 4) uint8, the dancer on GROUND and his matte, to the
    same; None (nobody is there) and (h, w, 3) stay as they are. Keypoints are in px of the window,
    in which he stands ``figure_px`` tall.
    """
    size = dancer.height, dancer.width

    def tidy(frame: int, picture: Painted) -> Painted:
        if picture is None or picture.shape[2] == 3:
            return picture
        skeleton = dancer_band(dancer.person(frame), dancer.skeleton, size, BONE * figure_px)
        return with_steeper_matte(without_loose_pieces(picture, skeleton))

    return tidy


def without_loose_pieces(picture: np.ndarray, skeleton: np.ndarray) -> np.ndarray:
    """A painted window whose matte is 0 but for the pieces that touch the skeleton.

    (h, w, 4) uint8 and (h, w) bool to (h, w, 4) uint8.
    """
    count, pieces = cv2.connectedComponents((picture[..., 3] > PIECE).astype(np.uint8))
    stays = np.zeros(count, np.uint8)
    stays[pieces[skeleton]] = 1
    stays[0] = 0  # what is bare
    kept = cv2.dilate(stays[pieces], np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8))
    return np.dstack([picture[..., :3], picture[..., 3] * kept])


def with_steeper_matte(picture: np.ndarray) -> np.ndarray:
    """A painted window whose half transparent limbs are solid, and whose outline is sharper.

    (h, w, 4) uint8 to the same; the dancer's colours stay, as he stands on GROUND.
    """
    matte = picture[..., 3]
    colours = GROUND + (picture[..., :3] - np.float32(GROUND)) * _GAIN[matte][..., None]
    return np.dstack([colours, 255 * _STEEPER[matte]]).round().clip(0, 255).astype(np.uint8)
