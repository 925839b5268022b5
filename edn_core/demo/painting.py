"""Anti-aliased limbs, areas, lines and shadows, painted into a part of the image."""

import cv2
import numpy as np

from edn_core.demo.dancers import Colour


def _crop(image: np.ndarray, points: np.ndarray, margin: float) -> tuple[np.ndarray, int, int]:
    """The part of the image around some points, and where it starts (x, y)."""
    height, width = image.shape[:2]
    low = np.floor(points.min(axis=0) - margin).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    x0, y0 = (int(value) for value in np.clip(low, 0, (width, height)))
    x1, y1 = (int(value) for value in np.clip(high, 0, (width, height)))
    return image[y0 : max(y0, y1), x0 : max(x0, x1)], x0, y0


def coordinates(crop: np.ndarray, x0: float, y0: float) -> tuple[np.ndarray, np.ndarray]:
    """The x (1, w) and y (h, 1) px of a crop that starts at (x0, y0)."""
    height, width = crop.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] + np.float32(x0)
    return x, np.arange(height, dtype=np.float32)[:, None] + np.float32(y0)


def _blend(crop: np.ndarray, colour: Colour, light: np.ndarray, cover: np.ndarray) -> None:
    paint = np.minimum(light[..., None] * np.array(colour, np.float32), 255)
    crop[:] = crop + (paint - crop) * cover[..., None] + 0.5


def paint_limb(
    image: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    radii: tuple[float, float],
    colour: Colour,
) -> None:
    """Paint a round, lit limb between two points (px), one radius at each end."""
    crop, x0, y0 = _crop(image, np.stack([start, end]), max(radii) + 1)
    if crop.size == 0:
        return
    x, y = coordinates(crop, x0 - start[0], y0 - start[1])
    dx, dy = (float(value) for value in end - start)
    part = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
    radius = radii[0] + (radii[1] - radii[0]) * part
    off_x, off_y = (x - part * dx) / radius, (y - part * dy) / radius
    square = off_x * off_x + off_y * off_y
    cover = np.clip((1 - np.sqrt(square)) * radius + 0.5, 0, 1)
    light = 1.05 - 0.14 * off_x - 0.08 * off_y - 0.22 * np.minimum(square, 1)
    _blend(crop, colour, light, cover)


def paint_area(
    image: np.ndarray, outline: np.ndarray, colour: Colour, half: np.ndarray | None = None
) -> None:
    """Paint a polygon (N, 2) px; with ``half``, its half width as a vector, rounded by light."""
    crop, x0, y0 = _crop(image, outline, 1)
    if crop.size == 0:
        return
    mask = np.zeros(crop.shape[:2], np.uint8)
    corners = np.round((outline - (x0, y0)) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    light: np.ndarray = np.ones((1, 1), np.float32)
    if half is not None:
        middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
        x, y = coordinates(crop, x0 - middle[0], y0 - middle[1])
        across = (x * float(half[0]) + y * float(half[1])) / float(half @ half)
        light = 1.06 - 0.14 * across - 0.26 * np.minimum(across * across, 1)
    _blend(crop, colour, light, mask * np.float32(1 / 255))


def paint_line(image: np.ndarray, points: np.ndarray, colour: Colour, width: float) -> None:
    """Draw a line through points (N, 2) px."""
    corners = np.round(points * 16).astype(np.int32)
    cv2.polylines(image, [corners], False, colour, max(1, round(width)), cv2.LINE_AA, 4)


def paint_shadow(image: np.ndarray, centre: np.ndarray, radius: float) -> None:
    """Darken the floor under a foot."""
    crop, x0, y0 = _crop(image, centre[None], 2 * radius)
    x, y = coordinates(crop, x0 - centre[0], y0 - centre[1])
    fall = np.exp(-((x / radius) ** 2) - (y / (0.28 * radius)) ** 2)
    crop[:] = crop * (1 - 0.42 * fall)[..., None]


def darker(colour: Colour, part: float = 0.72) -> Colour:
    """A part of a colour's brightness."""
    red, green, blue = colour
    return int(red * part), int(green * part), int(blue * part)
