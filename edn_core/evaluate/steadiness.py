"""How steady and in which colours a video shows its dancer: what can be said without a truth."""

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from edn_core.background import REACH, dancer_band, dancer_size
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints
from edn_core.metrics import (
    backward_flow,
    flow_warping_error,
    lab_histogram,
    person_mask,
    torso_length,
)

LIMB_WIDTH = 0.25  # of the torso: clothes and skin, little of the room


def flicker_of(
    previous: np.ndarray, image: np.ndarray, keypoints: Keypoints, number: int, reach: float
) -> dict[str, float]:
    """Flicker of a frame against the one before it.

    Args:
        previous: (H, W, 3) uint8.
        image: the frame after it.
        keypoints: of the dancer in them.
        number: of the frame in the keypoints.
        reach: how far from the skeleton the background begins, see reach_of.

    Returns:
        ``flow_warping``: flow_warping_error along the frames' own flow, 0 to 1;
        ``background_flicker``: mean absolute change of brightness far from the dancer, grey levels
        0 to 255, NaN where nothing is far.
    """
    size = image.shape[:2]
    near = np.zeros(size, bool)
    for one in (number - 1, number):
        near |= dancer_band(keypoints.person(one), keypoints.skeleton, size, reach)
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.int16) for one in (previous, image)]
    change = np.abs(grey[1] - grey[0])[~near]
    return {
        "flow_warping": flow_warping_error(previous, image, *backward_flow(previous, image)),
        "background_flicker": float(change.mean()) if change.size else float("nan"),
    }


def reach_of(keypoints: Keypoints) -> float:
    """How far from the skeleton limbs, clothes and shadow reach, as part of the height."""
    visible = np.flatnonzero((keypoints.score["body"] > 0).any(axis=1))
    size = dancer_size(keypoints, visible.tolist()) if len(visible) else 0.0
    return REACH * size / keypoints.height


def pairs_of(
    frames: FrameReader, numbers: Iterable[int]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Frames with the one before each; numbers from 1 on."""
    last: tuple[int, np.ndarray] | None = None
    for number in numbers:
        previous = last[1] if last and last[0] == number - 1 else frames[number - 1]
        last = number, frames[number]
        yield number, previous, last[1]


def colours_of(frames: FrameReader, keypoints: Keypoints, numbers: Sequence[int]) -> np.ndarray:
    """Colours of the dancer over some frames, see lab_histogram; zeros where nobody is seen."""
    total = lab_histogram(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), bool))
    width = limb_width(keypoints)
    for number in numbers:
        total += colours_in(frames[number], keypoints, number, width)
    return total


def colours_in(image: np.ndarray, keypoints: Keypoints, number: int, width: float) -> np.ndarray:
    """Colours of the dancer in one frame, see lab_histogram."""
    size = (keypoints.height, keypoints.width)
    region = person_mask(keypoints.person(number), keypoints.skeleton, size, width)
    return lab_histogram(image, region)


def limb_width(keypoints: Keypoints) -> float:
    """How wide a band around the skeleton shows the dancer alone, as part of the height."""
    torso = torso_length(keypoints, range(len(keypoints)))
    return LIMB_WIDTH * torso / keypoints.height if torso else 0.05
