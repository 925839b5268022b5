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
    """A square in an image.

    Attributes:
        x: centre, px.
        y: centre, px.
        size: side, px.
        angle: clockwise turn as seen on the screen (y down), radians.
    """

    x: float
    y: float
    size: float
    angle: float


def make_region(
    centre: np.ndarray, size: float, angle: float, scale: float = 1.0, shift: float = 0.0
) -> Region:
    """A region moved along its own vertical axis, then enlarged about its centre.

    Args:
        centre: (2,) px.
        size: side before enlarging, px.
        angle: radians.
        scale: factor on the side.
        shift: movement downwards in the region's own frame, as part of the side before enlarging.
    """
    x = float(centre[0]) - size * shift * math.sin(angle)
    y = float(centre[1]) + size * shift * math.cos(angle)
    return Region(x, y, float(size) * scale, angle)


def turn_to(line: np.ndarray, direction_deg: float = 90.0) -> float:
    """Angle of the region in which a line points in a given direction.

    Args:
        line: (2, 2) px, start and end.
        direction_deg: 90 for up, -90 for down, 0 for right.

    Returns:
        Radians in [-pi, pi).
    """
    (x0, y0), (x1, y1) = line
    angle = math.radians(direction_deg) - math.atan2(y0 - y1, x1 - x0)
    return (angle + math.pi) % (2 * math.pi) - math.pi


def region_around_line(
    line: np.ndarray,
    direction_deg: float = 90.0,
    scale: float = 1.0,
    shift: float = 0.0,
) -> Region:
    """The region centred on a line's start, with twice its length as side, turned to suit it.

    Args:
        line: (2, 2) px: the centre, and a point on the circle the region encloses.
        direction_deg: as for turn_to.
        scale: as for make_region.
        shift: as for make_region.
    """
    size = 2 * math.dist(*line)
    return make_region(line[0], size, turn_to(line, direction_deg), scale, shift)


def box_region(points: np.ndarray, angle: float, scale: float) -> Region:
    """The square around the points' bounding box in a turned frame.

    Args:
        points: (N, 2) px.
        angle: turn of the frame, radians.
        scale: factor on the longer side of the box.
    """
    to_frame = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned = points @ to_frame.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return make_region(to_frame.T @ ((low + high) / 2), float((high - low).max()), angle, scale)


def cut_region(image: np.ndarray, region: Region, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a region out of an image; black where it lies outside.

    Args:
        image: (H, W, 3) uint8.
        region: what to cut.
        size: side of the crop, px.

    Returns:
        crop: (size, size, 3) uint8.
        to_image: (2, 3) float64, crop px -> image px (see to_image_points).
    """
    step = region.size / size
    cosine, sine = math.cos(region.angle), math.sin(region.angle)
    half = region.size / 2
    to_image = np.array(
        [
            [cosine * step, -sine * step, region.x - (cosine - sine) * half],
            [sine * step, cosine * step, region.y - (sine + cosine) * half],
        ]
    )
    crop = cv2.warpAffine(
        image,
        to_image,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return crop, to_image


def to_image_points(points: np.ndarray, to_image: np.ndarray) -> np.ndarray:
    """Map (..., 2) crop px to image px."""
    return points @ to_image[:, :2].T + to_image[:, 2]
