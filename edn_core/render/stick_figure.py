"""Style ``edn``: the stick figure of the method's release, to the pixel at 1080 rows.

The release squeezes its 1920 x 1080 drawing to 1024 x 512; here the canvas keeps its aspect: the
drawing has 1080 rows and as many columns as it asks for, and is made smaller by one factor.
"""

import numpy as np

from edn_core.keypoints import Person
from edn_core.render.grid import Grid, Shape, Spot, disc, limb, paint
from edn_core.render.palettes import (
    BLACK,
    FACE_DOTS,
    FACE_RADIUS,
    FULL_HAND_SCORE,
    HAND_HALF_WIDTH,
    HAND_RADIUS,
    JOINT_RADIUS,
    LIMB_HALF_WIDTH,
    LIMB_OPACITY,
    MIN_FACE_SCORE,
    MIN_HAND_SCORE,
    PALETTES,
    Color,
)
from edn_core.skeleton import FACE_70, HAND_21, Skeleton


def draw_stick_figure(
    person: Person, skeleton: Skeleton, size: tuple[int, int], thickness: float = 1.0
) -> np.ndarray:
    """Draw the stick figure of "Everybody Dance Now" on white, by the rules of its release.

    In this order: body joints as discs of radius 8; body limbs as flat ellipses of half-width 4 in
    the colour of their first joint, 60 % opaque; if the mean face score reaches 0.2, eight black
    dots of radius 4; the right hand, then the left (points with a score above 0.05): discs of
    radius 3, ellipses of half-width 2 in the colour of their second point; beyond the release, a
    hand of a mean score below 0.2 is drawn in proportion fainter. All in px of 1080 rows, without
    anti-aliasing, positions, half-lengths and angles (degrees) truncated to whole numbers. Canvases
    of up to 1080 rows are drawn at 1080 rows and made smaller, higher ones at their own.

    Args:
        person: part -> (K, 3) of x px, y px, score; what is missing, not finite or outside the
            canvas is not drawn.
        skeleton: of the body part.
        size: (H, W) of the canvas, px; the result is (H, W, 3) uint8 RGB.
        thickness: multiplies all radii and half-widths (rounded half up, at least 1).
    """
    grid = Grid.of(size, thickness)
    spots, colors = grid.place(person["body"]), PALETTES[skeleton.name]
    shapes = _joint_shapes(spots, colors, grid.width(JOINT_RADIUS))
    for first, second in skeleton.limbs:
        a, b = skeleton.index(first), skeleton.index(second)
        shapes += limb(spots[a], spots[b], grid.width(LIMB_HALF_WIDTH), colors[a], LIMB_OPACITY)
    shapes += _face_shapes(person.get("face"), grid)
    for part in ("hand_right", "hand_left"):
        shapes += _hand_shapes(person.get(part), grid)
    return paint(shapes, grid)


def _face_shapes(points: np.ndarray | None, grid: Grid) -> list[Shape]:
    """The black dots; none if the face is uncertain as a whole."""
    if points is None:
        return []
    spots = grid.place(points)
    if sum(spot[2] for spot in spots if spot is not None) / len(FACE_70) < MIN_FACE_SCORE:
        return []
    radius = grid.width(FACE_RADIUS)
    return [one for name in FACE_DOTS for one in disc(spots[FACE_70.index(name)], radius, BLACK)]


def _hand_shapes(points: np.ndarray | None, grid: Grid) -> list[Shape]:
    """All points of a hand, then each finger from base to tip and from the wrist to its base.

    As strong as its score says: smoothing lets a hand that comes or goes fade.
    """
    if points is None:
        return []
    spots, colors = grid.place(points, MIN_HAND_SCORE), PALETTES[HAND_21.name]
    scores = [spot[2] for spot in spots if spot is not None]
    strength = min(1.0, sum(scores) / max(len(scores), 1) / FULL_HAND_SCORE)
    shapes = _joint_shapes(spots, colors, grid.width(HAND_RADIUS), strength)
    for first, second in HAND_21.limbs:
        a, b = HAND_21.index(first), HAND_21.index(second)
        shapes += limb(
            spots[a], spots[b], grid.width(HAND_HALF_WIDTH), colors[b], LIMB_OPACITY * strength
        )
    return shapes


def _joint_shapes(
    spots: list[Spot | None], colors: tuple[Color, ...], radius: int, opacity: float = 1.0
) -> list[Shape]:
    """A disc about every keypoint that was found."""
    return [
        one
        for spot, color in zip(spots, colors, strict=True)
        for one in disc(spot, radius, color, opacity)
    ]
