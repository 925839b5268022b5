"""The grid that labels are drawn on: 1080 rows, whole pixels, hard edges; then made smaller.

Made smaller by Pillow's LANCZOS, the release's filter, to the pixel what it makes of the whole
drawing, but only where something is drawn, since white stays white: 4.5 ms of a label of 6 ms at
1024 x 512 on one core, where the whole drawing takes 26 ms and the figure's box 6.7 ms.
``cv2.INTER_AREA`` of the box would take 2.4 ms; LANCZOS meets the 150 labels a second that were
asked for, so labels stay the release's. ``python -m benchmarks.label_speed`` measures it.
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
BAND = 96  # lines that are made smaller at once
MIN_GAP = 16  # px of the smaller picture; two figures nearer than this are made at once
WHITE = 255

Spot = tuple[float, float, float]
"""x and y in px of the grid, score."""


@dataclass(frozen=True)
class Grid:
    """How a canvas is drawn large.

    Attributes:
        size: (H, W) of the canvas, px.
        scale: px of the grid per px of the canvas: 1080 / H, or 1 above 1080 rows.
        unit: px of the grid per px of the release's widths.
    """

    size: tuple[int, int]
    scale: float
    unit: float

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

        Returns:
            Per keypoint x, y, score; None where the score is not above ``min_score``, the place is
            not finite, or absurdly far away.
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
    box: tuple[int, int, int, int]


class Patch(NamedTuple):
    """A filled convex polygon, (n, 2) int32 px of the grid."""

    outline: np.ndarray
    color: Color
    opacity: float
    box: tuple[int, int, int, int]


Shape = Disc | Patch


def disc(spot: Spot | None, radius: int, color: Color) -> list[Disc]:
    """A disc about a keypoint, its place truncated to whole pixels; none if there is none."""
    if spot is None:
        return []
    x, y = int(spot[0]), int(spot[1])
    return [Disc(x, y, radius, color, (x - radius, y - radius, x + radius + 1, y + radius + 1))]


def limb(
    start: Spot | None, end: Spot | None, half_width: int, color: Color, opacity: float
) -> list[Patch]:
    """A limb between two keypoints; none if either is missing."""
    if start is None or end is None:
        return []
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return [patch(limb_outline(start, end, (int(x), int(y)), half_width), color, opacity)]


def limb_outline(start: Spot, end: Spot, center: tuple[int, int], half_width: int) -> np.ndarray:
    """The release's flat ellipse: half-length and angle (degrees) truncated to whole numbers.

    Returns:
        (n, 2) int32, a vertex per degree.
    """
    across, along = start[0] - end[0], start[1] - end[1]
    half_length = int(math.sqrt(across * across + along * along) / 2)
    angle = int(math.degrees(math.atan2(along, across)))
    return np.asarray(cv2.ellipse2Poly(center, (half_length, half_width), angle, 0, 360, 1))


def patch(outline: np.ndarray, color: Color, opacity: float = 1.0) -> Patch:
    """A filled convex polygon of whole-pixel vertices."""
    x, y, width, height = cv2.boundingRect(outline)
    return Patch(outline, color, opacity, (x, y, x + width, y + height))


def outer_box(shapes: Sequence[Shape]) -> tuple[int, int, int, int]:
    """The smallest box around at least one shape, x0, y0, x1, y1 in px of the grid."""
    lefts, tops, rights, bottoms = zip(*(shape.box for shape in shapes), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


@dataclass(frozen=True)
class Region:
    """The part of a grid where something is drawn, and the part of the canvas it becomes.

    Attributes:
        grid: whose part it is.
        inside: x0, y0, x1, y1 in px of the canvas, half-open; everything beyond stays white.
        box: likewise in px of the grid; all that the filter reads to make ``inside``.
    """

    grid: Grid
    inside: tuple[int, int, int, int]
    box: tuple[int, int, int, int]

    @classmethod
    def around(cls, shapes: Sequence[Shape], grid: Grid) -> "Region | None":
        """The part where these shapes are; None if none of them is in the picture."""
        return cls.of_box(outer_box(shapes), grid) if shapes else None

    @classmethod
    def of_box(cls, drawn: tuple[int, int, int, int], grid: Grid) -> "Region | None":
        """The part where x0, y0, x1, y1 (half-open, px of the grid) is seen; None if nowhere."""
        scale, reach = grid.scale, LANCZOS_REACH if grid.scale > 1 else 0
        (rows, columns), (height, width) = grid.shape, grid.size
        x0, y0 = max(drawn[0], 0), max(drawn[1], 0)
        x1, y1 = min(drawn[2], columns), min(drawn[3], rows)
        if x1 <= x0 or y1 <= y0:
            return None
        left, top = (max(0, int(one / scale) - reach) for one in (x0, y0))
        right = min(width, math.ceil(x1 / scale) + reach)
        bottom = min(height, math.ceil(y1 / scale) + reach)
        box = (
            max(0, int((left - reach) * scale)),
            max(0, int((top - reach) * scale)),
            min(columns, math.ceil((right + reach) * scale)),
            min(rows, math.ceil((bottom + reach) * scale)),
        )
        return cls(grid, (left, top, right, bottom), box)

    def blank(self) -> np.ndarray:
        """(rows, columns, 3) uint8 of the region, white."""
        x0, y0, x1, y1 = self.box
        return np.full((y1 - y0, x1 - x0, 3), WHITE, np.uint8)

    def paint(self, drawn: np.ndarray, shapes: Sequence[Shape]) -> None:
        """Draw shapes in their order, in place; what leaves the region is cut off."""
        x0, y0 = self.box[:2]
        for shape in shapes:
            if isinstance(shape, Disc):
                cv2.circle(drawn, (shape.x - x0, shape.y - y0), shape.radius, shape.color, -1)
            else:
                _paint_patch(drawn, shape, (x0, y0))

    def finish(self, drawn: np.ndarray) -> np.ndarray:
        """The drawing of the region -> (H, W, 3) uint8 of the whole canvas."""
        label = np.full((*self.grid.size, 3), WHITE, np.uint8)
        left, top, right, bottom = self.inside
        if self.grid.scale == 1:
            label[top:bottom, left:right] = drawn
            return label
        # Across, then down, in two calls: Pillow rounds between the two, and version 13 chooses the
        # order by the picture's proportions.
        x0, y0 = self.box[:2]
        narrow = _shrink(drawn, 1, self.grid.scale, x0, (left, right))
        label[top:bottom, left:right] = _shrink(narrow, 0, self.grid.scale, y0, (top, bottom))
        return label


def _shrink(
    image: np.ndarray, axis: int, scale: float, start: int, made: tuple[int, int]
) -> np.ndarray:
    """Make a picture smaller along one axis, only where something is drawn in it.

    Args:
        image: (rows, columns, 3) uint8.
        axis: 0: fewer rows, 1: fewer columns.
        scale: px of the grid per px of the canvas.
        start: px of the grid at which the image begins.
        made: first and last + 1 px of the canvas to be made.

    Returns:
        The image with as many px along the axis as were to be made.
    """
    first, last = made
    shape = list(image.shape)
    shape[axis] = last - first
    small = np.full(shape, WHITE, np.uint8)
    for line in range(0, image.shape[1 - axis], BAND):
        lines = slice(line, line + BAND)
        strip = np.ascontiguousarray(image[lines] if axis == 1 else image[:, lines])
        if axis == 1:
            darkest = strip.reshape(len(strip), -1).min(axis=0).reshape(-1, 3).min(axis=1)
        else:
            darkest = strip.reshape(len(strip), -1).min(axis=1)
        for begin, end in _runs(np.flatnonzero(darkest != WHITE) + start, scale):
            begin, end = max(begin, first), min(end, last)
            source = max(0, int((begin - LANCZOS_REACH) * scale) - start)
            beyond = min(len(darkest), math.ceil((end + LANCZOS_REACH) * scale) - start)
            low = begin * scale - start - source
            high = min(end * scale - start, beyond) - source
            read, written = slice(source, beyond), slice(begin - first, end - first)
            part = Image.fromarray(strip[:, read] if axis == 1 else strip[read])
            if axis == 1:
                part = part.resize((end - begin, part.height), LANCZOS, (low, 0, high, part.height))
            else:
                part = part.resize((part.width, end - begin), LANCZOS, (0, low, part.width, high))
            small[(lines, written) if axis == 1 else (written, lines)] = np.asarray(part)
    return small


def _runs(drawn: np.ndarray, scale: float) -> list[tuple[int, int]]:
    """Which px of the canvas read any of these px of the grid, in runs [begin, end)."""
    if len(drawn) == 0:
        return []
    gaps = np.flatnonzero(np.diff(drawn) > MIN_GAP * scale)
    begins, ends = drawn[np.append(0, gaps + 1)].tolist(), drawn[np.append(gaps, -1)].tolist()
    return [
        (int(begin / scale) - LANCZOS_REACH, math.ceil((end + 1) / scale) + LANCZOS_REACH)
        for begin, end in zip(begins, ends, strict=True)
    ]


def _paint_patch(drawn: np.ndarray, shape: Patch, origin: tuple[int, int]) -> None:
    rows, columns = drawn.shape[:2]
    left, top = origin
    x0, y0 = max(shape.box[0] - left, 0), max(shape.box[1] - top, 0)
    x1, y1 = min(shape.box[2] - left, columns), min(shape.box[3] - top, rows)
    if x1 <= x0 or y1 <= y0:
        return
    part = drawn[y0:y1, x0:x1]
    painted = part if shape.opacity == 1 else part.copy()
    cv2.fillConvexPoly(painted, shape.outline - (left + x0, top + y0), shape.color)
    if shape.opacity < 1:
        cv2.addWeighted(part, 1 - shape.opacity, painted, shape.opacity, 0, dst=part)
