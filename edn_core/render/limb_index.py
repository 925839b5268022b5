"""Style ``limb_index``: one class per limb, as the 1..17 label maps of a later re-implementation.

No colours, joints, face or hands: a plane of numbers, 0 where there is nothing, k on the k-th limb
of COCO-18, which the network reads one-hot. Drawn on the canvas itself, never made smaller: a
number between two numbers would be another limb.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from edn_core.keypoints import Person
from edn_core.render.grid import Grid, limb_outline
from edn_core.render.palettes import LIMB_HALF_WIDTH, PALETTES
from edn_core.skeleton import COCO_18, Skeleton, convert

LIMB_CLASSES = len(COCO_18.limbs) + 1
DRAWN_HEIGHT = 512
"""Rows of the canvas that the half-width of 4 px is meant for."""


def draw_limb_index(
    person: Person, skeleton: Skeleton, size: tuple[int, int], thickness: float = 1.0
) -> np.ndarray:
    """Draw limb_classes of one person, whose body is converted to COCO-18 by its keypoints' names.

    (H, W, 3) uint8, three equal planes of 0..17.
    """
    body = convert(np.asarray(person["body"], np.float64), skeleton, COCO_18)
    return cv2.cvtColor(limb_classes([body], size, thickness), cv2.COLOR_GRAY2RGB)


def limb_classes(
    people: Sequence[np.ndarray], size: tuple[int, int], thickness: float = 1.0
) -> np.ndarray:
    """The class of every pixel, for any number of people: (H, W) uint8 of 0..17.

    Limb k, the k-th of ``COCO_18.limbs`` counted from 1, is a flat ellipse of half-width 4 px at
    512 rows, in proportion on other canvases (rounded half up, at least 1); its middle is rounded
    half to even, half-length and angle (degrees) truncated to whole numbers. Later limbs overwrite
    earlier ones; every limb is drawn for all before the next.

    Args:
        people: (18, 3) each, of x px, y px, score, in the order of COCO-18.
        size: (H, W) of the canvas, px.
        thickness: multiplies the half-width.
    """
    grid = Grid(size, scale=1.0, unit=thickness * size[0] / DRAWN_HEIGHT)
    half_width = grid.width(LIMB_HALF_WIDTH)
    placed = [grid.place(points) for points in people]
    plane = np.zeros(size, np.uint8)
    for number, (first, second) in enumerate(COCO_18.limbs, start=1):
        for spots in placed:
            start, end = spots[COCO_18.index(first)], spots[COCO_18.index(second)]
            if start is not None and end is not None:
                middle = round((start[0] + end[0]) / 2), round((start[1] + end[1]) / 2)
                outline = limb_outline(start, end, middle, half_width)
                cv2.fillConvexPoly(plane, outline, number)
    return plane


def limb_colors(label: np.ndarray) -> np.ndarray:
    """A label as people want to see it: (H, W, 3) uint8 of classes -> RGB on white."""
    colors = np.zeros((256, 3), np.uint8)
    palette = PALETTES[COCO_18.name]
    colors[:LIMB_CLASSES] = [(255, 255, 255), *palette[: LIMB_CLASSES - 1]]
    return colors[label[..., 0]]
