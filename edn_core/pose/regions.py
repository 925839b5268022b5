"""Turned square regions of an image: where the networks look, and the way back.

Conventions are those of MediaPipe's graphs (Apache-2.0): a region is given by centre, side and
angle; pixel (0, 0) of the crop lies exactly on the region's corner, without a half-pixel shift.
The networks were trained with that, and adding the shift costs accuracy.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np


class Region(NamedTuple):
    """A square in an image."""

    x: float  # centre, px
    y: float
    size: float  # side, px
    angle: float  # clockwise turn as seen on the screen (y down), radians


def make_region(
    centre: np.ndarray, size: float, angle: float, scale: float = 1.0, shift: float = 0.0
) -> Region:
    """A region around ``centre`` (x, y px), moved, then enlarged by ``scale`` about its centre.

    ``shift`` is the movement downwards in the region's own frame, as part of ``size``, its side
    before enlarging.
    """
    x = float(centre[0]) - size * shift * math.sin(angle)
    y = float(centre[1]) + size * shift * math.cos(angle)
    return Region(x, y, float(size) * scale, angle)


def turn_to(line: np.ndarray, direction_deg: float = 90.0) -> float:
    """Angle, radians in [-pi, pi), of the region in which a line points in a given direction.

    ``line`` is (2, 2) px, start and end; ``direction_deg`` 90 for up, -90 for down, 0 for right.
    """
    (x0, y0), (x1, y1) = line
    angle = math.radians(direction_deg) - math.atan2(y0 - y1, x1 - x0)
    return (angle + math.pi) % (2 * math.pi) - math.pi


def region_around_line(
    line: np.ndarray, direction_deg: float = 90.0, scale: float = 1.0, shift: float = 0.0
) -> Region:
    """The region centred on a line's start, with twice its length as side, turned to suit it.

    ``line`` is (2, 2) px: the centre, and a point on the circle the region encloses;
    ``direction_deg`` as for turn_to, ``scale`` and ``shift`` as for make_region.
    """
    return make_region(line[0], 2 * math.dist(*line), turn_to(line, direction_deg), scale, shift)


def box_region(points: np.ndarray, angle: float, scale: float) -> Region:
    """The square around the bounding box of points ((N, 2) px) in a frame turned by ``angle``.

    ``scale`` is a factor on the longer side of the box.
    """
    to_frame = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned = points @ to_frame.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return make_region(to_frame.T @ ((low + high) / 2), float((high - low).max()), angle, scale)


def cut_region(image: np.ndarray, region: Region, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a region out of an (H, W, 3) uint8 image, ``size`` px a side; black outside the image.

    And (2, 3) float64, crop px -> image px (see to_image_points).
    """
    step, half = region.size / size, region.size / 2
    cosine, sine = math.cos(region.angle), math.sin(region.angle)
    to_image = np.array(
        [
            [cosine * step, -sine * step, region.x - (cosine - sine) * half],
            [sine * step, cosine * step, region.y - (sine + cosine) * half],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_image, (size, size), flags=flags), to_image


def to_image_points(points: np.ndarray, to_image: np.ndarray) -> np.ndarray:
    """Map (..., 2) crop px to image px."""
    return points @ to_image[:, :2].T + to_image[:, 2]
