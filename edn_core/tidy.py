"""Painted windows tidied: limbs and outline solid, no pieces in the air beside the dancer.

A generator shown a pose that its target never took is not sure of the limbs, and leaves pieces of
them and of clothes behind: a matte that is the mean of what may be is made steeper; nothing of a
dancer is apart from his skeleton, so what is goes. Not in the paper, whose generator paints the
whole picture (``background: paint``).
"""

from collections.abc import Callable

import cv2
import numpy as np

from edn_core.band import dancer_band
from edn_core.compose import GROUND
from edn_core.keypoints import Keypoints
from edn_core.shadow import Painted

BONE = 0.03  # of the figure's height; a piece that touches a line so wide along the skeleton stays
STEEPNESS, MIDDLE = 1.5, 0.4  # of the matte's curve, and where it keeps what it was
_SHARE = np.arange(256, dtype=np.float32) / 255
_STEEPER = (255 * ((_SHARE - MIDDLE) * STEEPNESS + MIDDLE).clip(0, 1)).round().astype(np.uint8)
_GAIN = _STEEPER / np.float32(255) / np.maximum(_SHARE, 1 / 255)
_GROUND = GROUND * (1 - _GAIN)


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

        def bones() -> np.ndarray:
            return dancer_band(dancer.person(frame), dancer.skeleton, size, BONE * figure_px)

        return without_loose_pieces(with_steeper_matte(picture), bones)

    return tidy


def with_steeper_matte(picture: np.ndarray) -> np.ndarray:
    """A painted window whose half transparent limbs are solid, and whose outline is sharper.

    (h, w, 4) uint8 to the same; the dancer's colours stay, as he stands on GROUND.
    """
    # All by tables and by OpenCV: it is done for every frame of a film.
    *colours, matte = cv2.split(picture)
    gain, ground = cv2.LUT(matte, _GAIN), cv2.LUT(matte, _GROUND)
    steeper = [
        cv2.add(cv2.multiply(one, gain, dtype=cv2.CV_32F), ground, dtype=cv2.CV_8U)
        for one in colours
    ]
    return cv2.merge([*steeper, cv2.LUT(matte, _STEEPER)])


def without_loose_pieces(picture: np.ndarray, bones: Callable[[], np.ndarray]) -> np.ndarray:
    """A painted window, (h, w, 4) uint8, whose matte is 0 where a piece touches no bone.

    ``bones`` (h, w) bool are asked for where there are several pieces; one alone is the dancer.
    """
    count, pieces = cv2.connectedComponents(cv2.extractChannel(picture, 3))
    if count > 2:  # with what is bare
        kept = np.setdiff1d(pieces[bones()], 0)
        if len(kept):  # else the bones are elsewhere, and say nothing
            picture = picture.copy()
            picture[..., 3] *= np.isin(pieces, kept)
    return picture
