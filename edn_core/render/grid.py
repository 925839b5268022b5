"""The grid that labels are drawn on: 1080 rows, whole pixels, hard edges; then made smaller.

Made smaller by the release's filter, to the pixel what it makes of the whole drawing; but only the
figure's box is drawn and filtered, since white stays white: half the time or less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from edn_core.render.palettes import REFERENCE_HEIGHT, Color

FARTHEST = 4
"""A point farther outside the picture than so many times its longer side counts as not found."""
LANCZOS = Image.Resampling.LANCZOS
LANCZOS_REACH = 3  # px of the smaller picture on either side
WHITE = 255

Spot = tuple[float, float, float]
"""x and y in px of the grid, score."""
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1, half-open."""


@dataclass(frozen=True)
class Grid:
    """How a canvas is drawn large."""

    size: tuple[int, int]  # (H, W) of the canvas, px
    scale: float  # px of the grid per px of the canvas: 1080 / H, or 1 above 1080 rows
    unit: float  # px of the grid per px of the release's widths

    @classmethod
    def of(cls, size: tuple[int, int], thickness: float) -> "Grid":
        """The grid of a canvas of (H, W) px."""
        height = size[0]
        return cls(
            size=size,
            scale=max(1.0, REFERENCE_HEIGHT / height),
            unit=thickness * max(1.0, height / REFERENCE_HEIGHT),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the grid; the last column may reach beyond the canvas."""
        height, width = self.size
        # 1080 / H * H may come out a hair above 1080.
        return round(height * self.scale), math.ceil(width * self.scale - 1e-6)

    def width(self, pixels: int) -> int:
        """A radius or half-width of the release on this grid: rounded half up, at least 1."""
        return max(1, math.floor(pixels * self.unit + 0.5))

    def place(self, points: np.ndarray, min_score: float = 0.0) -> list[Spot | None]:
        """Keypoints (K, 3) in px of the canvas -> on the grid.

        None where the score is not above ``min_score``, the place is not finite, or absurdly far
        away.
        """
        x, y, score = np.asarray(points, np.float64).T
        if self.scale != 1:  # (x + 0.5) - 0.5 is not always x
            x, y = ((one + 0.5) * self.scale - 0.5 for one in (x, y))
        rows, columns = self.shape
        far = FARTHEST * max(rows, columns)
        seen = score > min_score  # comparisons with NaN are false
        for one, length in ((x, columns), (y, rows)):
            seen &= (one > -far) & (one < length + far)
        every = zip(seen.tolist(), x.tolist(), y.tolist(), score.tolist(), strict=True)
        return [(px, py, pc) if is_seen else None for is_seen, px, py, pc in every]


class Disc(NamedTuple):
    """A filled circle; whole px of the grid."""

    x: int
    y: int
    radius: int
    color: Color
    opacity: float
    box: Box


class Patch(NamedTuple):
    """A filled convex polygon, (n, 2) int32 px of the grid."""

    outline: np.ndarray
    color: Color
    opacity: float
    box: Box


Shape = Disc | Patch


def disc(spot: Spot | None, radius: int, color: Color, opacity: float = 1.0) -> list[Shape]:
    """A disc about a keypoint, its place truncated to whole pixels; none if there is none."""
    if spot is None:
        return []
    x, y = int(spot[0]), int(spot[1])
    box = x - radius, y - radius, x + radius + 1, y + radius + 1
    return [Disc(x, y, radius, color, opacity, box)]


def limb(
    start: Spot | None, end: Spot | None, half_width: int, color: Color, opacity: float
) -> list[Shape]:
    """A limb between two keypoints; none if either is missing."""
    if start is None or end is None:
        return []
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return [patch(limb_outline(start, end, (int(x), int(y)), half_width), color, opacity)]


def limb_outline(start: Spot, end: Spot, center: tuple[int, int], half_width: int) -> np.ndarray:
    """The release's flat ellipse, half-length and angle (degrees) truncated: (n, 2) int32."""
    across, along = start[0] - end[0], start[1] - end[1]
    half_length = int(math.sqrt(across * across + along * along) / 2)
    angle = int(math.degrees(math.atan2(along, across)))
    return np.asarray(cv2.ellipse2Poly(center, (half_length, half_width), angle, 0, 360, 1))


def patch(outline: np.ndarray, color: Color, opacity: float = 1.0) -> Patch:
    """A filled convex polygon of whole-pixel vertices."""
    x, y, width, height = cv2.boundingRect(outline)
    return Patch(outline, color, opacity, (x, y, x + width, y + height))


def outer_box(shapes: Sequence[Shape]) -> Box:
    """The smallest box around at least one shape, px of the grid."""
    lefts, tops, rights, bottoms = zip(*(shape.box for shape in shapes), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def paint(shapes: Sequence[Shape], grid: Grid) -> np.ndarray:
    """Shapes one over the other: (H, W, 3) uint8 RGB, white where nothing is drawn."""
    label = np.full((*grid.size, 3), WHITE, np.uint8)
    boxes = _boxes(outer_box(shapes), grid) if shapes else None
    if boxes is None:
        return label
    inside, box = boxes
    drawn = np.full((box[3] - box[1], box[2] - box[0], 3), WHITE, np.uint8)
    for shape in shapes:
        _paint_shape(drawn, shape, box[:2])
    left, top, right, bottom = inside
    label[top:bottom, left:right] = _shrink(drawn, grid.scale, inside, box)
    return label


def _boxes(drawn: Box, grid: Grid) -> tuple[Box, Box] | None:
    """The box of the canvas that one of the grid becomes, and what the filter reads for it.

    None where nothing of it is in the picture.
    """
    scale, reach = grid.scale, LANCZOS_REACH if grid.scale > 1 else 0
    (rows, columns), (height, width) = grid.shape, grid.size
    x0, y0 = max(drawn[0], 0), max(drawn[1], 0)
    x1, y1 = min(drawn[2], columns), min(drawn[3], rows)
    if x1 <= x0 or y1 <= y0:
        return None
    left, top = (max(0, int(one / scale) - reach) for one in (x0, y0))
    right = min(width, math.ceil(x1 / scale) + reach)
    bottom = min(height, math.ceil(y1 / scale) + reach)
    read = (
        max(0, int((left - reach) * scale)),
        max(0, int((top - reach) * scale)),
        min(columns, math.ceil((right + reach) * scale)),
        min(rows, math.ceil((bottom + reach) * scale)),
    )
    return (left, top, right, bottom), read


def _shrink(drawn: np.ndarray, scale: float, inside: Box, box: Box) -> np.ndarray:
    """The drawing of a box of the grid -> the px of the canvas ``inside``."""
    if scale == 1:
        return drawn
    # Across, then down, in two calls: Pillow rounds between the two, and version 13 chooses the
    # order by the picture's proportions.
    rows, columns = drawn.shape[:2]
    (left, top, right, bottom), (x0, y0) = inside, box[:2]
    across = (left * scale - x0, 0, min(right * scale - x0, columns), rows)
    down = (0, top * scale - y0, right - left, min(bottom * scale - y0, rows))
    narrow = Image.fromarray(drawn).resize((right - left, rows), LANCZOS, across)
    return np.asarray(narrow.resize((right - left, bottom - top), LANCZOS, down))


def _paint_shape(drawn: np.ndarray, shape: Shape, origin: tuple[int, int]) -> None:
    rows, columns = drawn.shape[:2]
    left, top = origin
    x0, y0 = max(shape.box[0] - left, 0), max(shape.box[1] - top, 0)
    x1, y1 = min(shape.box[2] - left, columns), min(shape.box[3] - top, rows)
    if x1 <= x0 or y1 <= y0:
        return
    part = drawn[y0:y1, x0:x1]
    painted = part if shape.opacity == 1 else part.copy()
    if isinstance(shape, Disc):
        place = shape.x - left - x0, shape.y - top - y0
        cv2.circle(painted, place, shape.radius, shape.color, -1)
    else:
        cv2.fillConvexPoly(painted, shape.outline - (left + x0, top + y0), shape.color)
    if shape.opacity < 1:
        cv2.addWeighted(part, 1 - shape.opacity, painted, shape.opacity, 0, dst=part)
