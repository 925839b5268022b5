"""The room behind a dancer: a wall with pictures, a floor, a cupboard and a plant."""

from functools import lru_cache

import cv2
import numpy as np

from edn_core.demo.dancers import Colour, Dancer, project
from edn_core.demo.painting import coordinates, darker, paint_area


@lru_cache(maxsize=8)
def draw_room(dancer: Dancer) -> np.ndarray:
    """The room without the dancer: (H, W, 3) uint8, not to be written to."""
    room, back = dancer.room, -dancer.room.depth
    image = np.zeros((dancer.height, dancer.width, 3), np.uint8)

    def quad(x0: float, x1: float, y0: float, y1: float, colour: Colour, z: float = back) -> None:
        corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])
        paint_area(image, project(dancer, corners), colour)

    quad(-9, 9, 0, 9, room.wall)
    for column in range(-12, 13):
        x = column * room.pattern_width
        if not room.is_dotted:
            quad(x, x + room.pattern_width / 2, 0, 4, room.pattern)
            continue
        for row in range(20):
            centre = np.array([x + room.pattern_width / 2 * (row % 2), 0.18 * row, back])
            corner = np.array([[0.03, 0, 0], [0, 0.045, 0], [-0.03, 0, 0], [0, -0.045, 0]])
            paint_area(image, project(dancer, centre + corner), room.pattern)

    front = dancer.distance - 1.6
    for board in range(-14, 14):
        edges = np.array([[board, back], [board + 1, back], [board + 1, front], [board, front]])
        corners = np.stack([edges[:, 0] * 0.24, np.zeros(4), edges[:, 1]], axis=1)
        paint_area(
            image, project(dancer, corners), darker(room.floor, 0.90 + 0.1 * (board * 7 % 3) / 2)
        )
    quad(-9, 9, 0, 0.11, (238, 234, 226))
    quad(-9, 9, 0.11, 0.13, darker(room.wall))

    edge = dancer.width / 2 / dancer.focal_length * (dancer.distance + room.depth)
    for number, (x, y) in enumerate(((-0.66 * edge, 1.95), (0.62 * edge, 1.75))):
        hills = room.pictures[number]
        quad(x - 0.27, x + 0.27, y - 0.35, y + 0.35, (70, 54, 44))
        quad(x - 0.23, x + 0.23, y - 0.31, y + 0.31, (242, 238, 226))
        for hill, colour in enumerate((hills, darker(hills))):
            slope = np.linspace(-0.23, 0.23, 15)
            rise = y - 0.1 * hill + 0.08 * np.sin(slope * (9 + 7 * hill) + number)
            ridge = np.stack([x + slope, rise, np.full(15, back)], axis=1)
            foot = np.array([[x + 0.23, y - 0.31, back], [x - 0.23, y - 0.31, back]])
            paint_area(image, project(dancer, np.concatenate([ridge, foot])), colour)
    quad(edge - 0.42, edge + 1, 0.06, 0.82, room.cupboard, back + 0.3)
    quad(edge - 0.45, edge + 1, 0.82, 0.87, darker(room.cupboard, 0.8), back + 0.32)
    quad(edge - 0.36, edge + 1, 0.14, 0.46, darker(room.cupboard, 0.88), back + 0.3)
    quad(edge - 0.36, edge + 1, 0.50, 0.76, darker(room.cupboard, 0.88), back + 0.3)
    quad(-edge - 1, -edge + 0.3, 0, 0.42, (186, 96, 66), back + 0.25)
    for leaf in np.linspace(-0.9, 1.1, 7):
        tip = np.array([-edge + 0.13 + 0.45 * np.sin(leaf), 0.42 + 0.62 * np.cos(leaf)])
        width = 0.05 * np.array([np.cos(leaf), -np.sin(leaf)])
        root = np.array([-edge + 0.13, 0.4])
        middle = (root + tip) / 2
        corners = np.array([root, middle + width, tip, middle - width])
        corners = np.concatenate([corners, np.full((4, 1), back + 0.25)], axis=1)
        paint_area(image, project(dancer, corners), (66, 122 + int(18 * leaf), 72))

    right, down = coordinates(image, -dancer.width / 2, -dancer.height * 0.4)
    light = 1.04 - 0.20 * ((right / dancer.width) ** 2 + (down / dancer.height) ** 2)
    soft = cv2.GaussianBlur(image, (0, 0), 0.7)
    lit = np.clip(soft * light[..., None], 0, 255).astype(np.uint8)
    lit.setflags(write=False)
    return lit
