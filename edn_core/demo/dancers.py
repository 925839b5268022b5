"""Who dances where: the two demo dancers, their rooms and what tells their dances apart."""

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]
Points = dict[str, np.ndarray]

SIDES = (("right", -1), ("left", 1))
"""The dancer faces the camera, so the dancer's left is at the image's right."""


@dataclass(frozen=True)
class Room:
    """A wall with two pictures and a cupboard, and a floor of boards."""

    wall: Colour
    pattern: Colour
    pattern_width: float  # period of the wallpaper, m
    is_dotted: bool  # dotted wallpaper; else striped
    floor: Colour
    cupboard: Colour
    pictures: tuple[Colour, Colour]
    depth: float = 1.3  # from the dancer's mean position to the wall, m


@dataclass(frozen=True)
class Choreography:
    """What sets one dance apart from another; poses come from the same vocabulary."""

    seed: int
    half_width: float  # the dancer's middle stays within this of the image's centre line, m
    half_depth: float  # and this far before and behind the mean distance, m


@dataclass(frozen=True)
class Dancer:
    """A drawn person before a camera. Lengths in metres, colours RGB 0..255."""

    width: int  # of the frame, px
    height: int
    room: Room
    choreography: Choreography
    distance: float  # camera to the dancer's mean position
    focal_length: float  # of the camera, px
    camera_height: float
    horizon: float  # image y of the camera's height, px
    torso: float  # neck to the middle of the hips
    shoulder_width: float
    hip_width: float
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    head: float  # chin to crown
    hand: float  # wrist to the tip of the middle finger
    girth: float  # thickness of limbs; 1 is slim
    skin: Colour
    hair: Colour
    top: Colour
    top_stripe: Colour
    trousers: Colour
    shoes: Colour
    has_long_sleeves: bool
    has_long_trousers: bool
    has_long_hair: bool


DANCERS = {
    "source": Dancer(
        width=480, height=600,
        room=Room(
            wall=(216, 206, 182), pattern=(204, 190, 160), pattern_width=0.28, is_dotted=False,
            floor=(124, 110, 104), cupboard=(92, 112, 98),
            pictures=((196, 120, 84), (96, 128, 150)),
        ),
        choreography=Choreography(seed=11, half_width=0.42, half_depth=0.5),
        distance=4.7, focal_length=1000, camera_height=1.15, horizon=300,
        torso=0.56, shoulder_width=0.40, hip_width=0.21, upper_arm=0.31, forearm=0.28,
        thigh=0.46, shin=0.45, head=0.285, hand=0.21, girth=1.1,
        skin=(150, 102, 72), hair=(34, 26, 24),
        top=(236, 236, 228), top_stripe=(52, 140, 88), trousers=(58, 62, 78),
        shoes=(226, 120, 40),
        has_long_sleeves=False, has_long_trousers=False, has_long_hair=False,
    ),
    "target": Dancer(
        width=480, height=640,
        room=Room(
            wall=(172, 196, 206), pattern=(152, 178, 192), pattern_width=0.22, is_dotted=True,
            floor=(170, 134, 98), cupboard=(150, 104, 66),
            pictures=((232, 190, 90), (120, 160, 110)),
        ),
        choreography=Choreography(seed=5, half_width=0.42, half_depth=0.42),
        distance=4.0, focal_length=955, camera_height=1.1, horizon=306,
        torso=0.50, shoulder_width=0.35, hip_width=0.20, upper_arm=0.28, forearm=0.25,
        thigh=0.42, shin=0.40, head=0.275, hand=0.19, girth=1.0,
        skin=(232, 184, 152), hair=(104, 58, 34),
        top=(204, 52, 58), top_stripe=(248, 222, 120), trousers=(48, 72, 132),
        shoes=(240, 240, 236),
        has_long_sleeves=True, has_long_trousers=True, has_long_hair=True,
    ),
}  # fmt: skip


def project(dancer: Dancer, points: np.ndarray) -> np.ndarray:
    """(..., 3) m to (..., 2) px of the dancer's camera."""
    scale = dancer.focal_length / (dancer.distance - points[..., 2])
    x = (dancer.width - 1) / 2 + scale * points[..., 0]
    y = dancer.horizon - scale * (points[..., 1] - dancer.camera_height)
    return np.stack([x, y], axis=-1)
