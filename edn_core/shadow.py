"""The shadow at a dancer's feet: measured once in the target's video, painted under other feet.

    log(frame / room) = sum over both feet of shadow((place - foot) / height)

by least squares over the bare pixels of the frames that the room is built from. Not in the paper,
whose generator paints the whole picture (``background: paint``). What the body casts farther away
is not known here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.sparse import csr_matrix

from edn_core.compose import GROUND
from edn_core.keypoints import Keypoints
from edn_core.normalize import interpolated
from edn_core.store import read_json

SCHEMA = "edn-room"
SCHEMA_VERSION = 2
"""Of room.json, which holds it; here, as `room` needs a video decoder, and painting does not."""
Painted = TypeVar("Painted", np.ndarray, np.ndarray | None)
CELLS = np.array([30, 22])
"""Columns and rows of a shadow; the foot is in the middle."""
CELL = np.array([0.03, 0.02])  # width and height of one, in heights of the figure
SOLE = ("ankle", "heel", "big_toe", "small_toe")
FADING = 0.06  # of the figure's height above the ground: there 1/e of a foot's shadow is left
STANDING_S = 0.25  # so near in time the lower foot stood on the ground, s
SAMPLES = 100  # rows of pixels looked at per height of the figure
CHANGE = -1.2, 0.4  # of log(frame / room); more is no shadow
ALIKE, SMALL = 0.1, 0.002  # weights: of neighbouring cells' difference, of a cell's own size
DARKEST = 0.55  # so that a shadow is never more than half opaque, which the dancer is
MARGIN = 0.04  # of the figure's height, within which a shadow ends at the window's edge
EXPLAINED = 0.2
"""Part of the squared change about the feet that a shadow must explain in frames it was not
measured in. Measured: a drawn shadow 0.37; real clips without one to be seen, or one that stands
still and so is part of the room, 0.04 and below, and there it made held-out frames worse."""


def feet_of(keypoints: Keypoints, heights: np.ndarray | float) -> np.ndarray:
    """Where both feet are, and how much of their shadow is to be seen.

    (T, 2, 3) float64: x, y of the sole's middle, px; 0 to 1, 0 where a foot was not found. Above
    the ground a foot's shadow fades; the ground is where the lower foot lately stood. Heights (T,)
    px say how tall the figure stands, or one for all.
    """
    soles = np.stack(
        [[keypoints.point(f"{side}_{part}") for part in SOLE] for side in ("right", "left")]
    ).astype(np.float64)
    is_found = ~np.isnan(soles[..., 0])
    n_found = is_found.sum(axis=1)
    feet = np.nansum(soles, axis=1) / np.maximum(n_found, 1)[..., None]
    lower = np.where(n_found > 0, feet[..., 1], -np.inf).max(axis=0)
    lower = interpolated(np.where(np.isfinite(lower), lower, np.nan))
    ground = maximum_filter1d(lower, 2 * round(STANDING_S * float(keypoints.fps)) + 1)
    above = (ground - feet[..., 1]) / heights / FADING
    share = np.where(n_found > 0, np.exp(-(above**2)), 0)
    return np.dstack([feet, share]).transpose(1, 0, 2)


def shade_of(
    shadow: np.ndarray, feet: np.ndarray, height: float, size: tuple[int, int]
) -> np.ndarray:
    """What is left of the light about a dancer's feet: (H, W) float32, DARKEST to 1.

    Args:
        shadow: (22, 30), log of what one foot leaves.
        feet: (2, 3) of one frame, by feet_of.
        height: how tall the figure stands, px.
        size: (H, W) of the picture.
    """
    total = np.zeros(size, np.float32)
    step = height * CELL
    for *place, share in feet[feet[:, 2] > 0]:
        to_picture = np.column_stack([np.diag(step), place + step * (1 - CELLS) / 2])
        values = (share * shadow).astype(np.float32)
        total += cv2.warpAffine(values, to_picture, size[::-1], flags=cv2.INTER_CUBIC)
    return np.asarray(np.exp(np.clip(total, np.log(DARKEST), 0)))


def read_shadow(report_path: str | Path | None) -> np.ndarray | None:
    """(22, 30) of an ``edn-room`` file (measure_shadow); None where there is none to be seen."""
    if report_path is None:
        return None
    shadow = read_json(report_path, (SCHEMA, SCHEMA_VERSION))["shadow"]
    return np.array(shadow) if shadow else None


def casting(
    shadow: np.ndarray | None, dancer: Keypoints, figure_px: float
) -> Callable[[int, Painted], Painted]:
    """What paints the shadow into painted windows, as black that is partly opaque.

    A function of a frame's number and (h, w, 4) uint8, the dancer on GROUND and his matte (None:
    nobody is there), to the same with the shadow about and below him. Keypoints are in px of the
    window, in which he stands ``figure_px`` tall. Without a shadow, pictures stay as they are.
    """
    if shadow is None:
        return lambda frame, picture: picture
    feet, (height, width) = feet_of(dancer, figure_px), (dancer.height, dancer.width)
    shade = partial(shade_of, shadow, height=figure_px, size=(height, width))
    across, down = (np.minimum(np.arange(side), np.arange(side)[::-1]) for side in (width, height))
    ending = np.minimum(np.minimum(across, down[:, None]) / (MARGIN * figure_px), 1)

    def cast(frame: int, picture: Painted) -> Painted:
        if picture is None:
            return picture
        opaque = ending * (1 - shade(feet[frame]))
        x, y, width, height = cv2.boundingRect((opaque > 0).astype(np.uint8))
        place = np.s_[y : y + height, x : x + width]
        cast_on, added = picture[place], opaque[place] * (255.0 - picture[place][..., 3])
        change = added[..., None] * np.array([-GROUND / 255] * 3 + [1])
        result = picture.copy()
        result[place] = (cast_on + change).round().clip(0, 255)
        return result

    return cast


def measure_shadow(
    images: Sequence[np.ndarray],
    bare: Sequence[np.ndarray],
    room: np.ndarray,
    feet: np.ndarray,
    heights: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Measure the shadow of a foot.

    Args:
        images: N of (H, W, 3) uint8, in the order of time.
        bare: N of (H, W) bool, where they show the room.
        room: (H, W, 3) uint8.
        feet: (N, 2, 3) by feet_of.
        heights: (N,) px, how tall the figure stands.

    Returns:
        (22, 30), log of what is left of the light; and what part of the squared change about the
        feet that explains (EXPLAINED), from the first half for the second and the other way round,
        the worse of both.
    """
    log_room = np.log(cv2.cvtColor(room, cv2.COLOR_RGB2GRAY) + 2.0)
    n = int(CELLS.prod())
    # Each half's normal equations.
    products, sides, squares = np.zeros((2, n, n)), np.zeros((2, n)), np.zeros(2)
    for i, image in enumerate(images):
        known, change = _about_feet(image, bare[i], log_room, feet[i], heights[i])
        half = 2 * i // len(images)
        products[half] += (known.T @ known).toarray()
        sides[half] += known.T @ change
        squares[half] += change @ change
    explained = []
    for half in (0, 1):
        other = _solved(products[1 - half], sides[1 - half])
        gain = 2 * other @ sides[half] - other @ products[half] @ other
        explained.append(float(gain / max(squares[half], 1e-9)))
    shadow = _solved(products.sum(axis=0), sides.sum(axis=0))
    return shadow.reshape(CELLS[::-1]), min(explained)


def _about_feet(
    image: np.ndarray, bare: np.ndarray, log_room: np.ndarray, feet: np.ndarray, height: float
) -> tuple[csr_matrix, np.ndarray]:
    """Of M bare pixels: (M, cells) how much of which cell's shadow they are in; their change."""
    feet = feet[feet[:, 2] > 0]
    n_cells, reach = int(CELLS.prod()), height * CELLS * CELL / 2
    if not len(feet):
        return csr_matrix((0, n_cells)), np.zeros(0)
    ends = feet[:, :2].min(axis=0) - reach, feet[:, :2].max(axis=0) + reach
    (x0, y0), (x1, y1) = (np.clip(end, 0, bare.shape[::-1]).astype(int) for end in ends)
    step = max(1, round(height / SAMPLES))
    part = np.s_[y0:y1:step, x0:x1:step]
    grey = image[part] @ np.array([0.299, 0.587, 0.114])
    change = (np.log(grey + 2) - log_room[part])[bare[part]].clip(*CHANGE)
    places, rows = np.mgrid[part][::-1, bare[part]].T, np.arange(len(change))
    known = csr_matrix((len(change), n_cells))
    for *foot, share in feet:
        cell = np.floor((places - foot + reach) / (height * CELL)).astype(int)
        near = ((cell >= 0) & (cell < CELLS)).all(axis=1)
        at = rows[near], cell[near] @ [1, CELLS[0]]
        known += csr_matrix((np.full(near.sum(), share), at), known.shape)
    return known, change


def _solved(product: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Least squares in which neighbours are alike, and there is nothing beyond the last cells."""
    n = len(side)
    cells = np.pad(np.eye(n).reshape(*CELLS[::-1], n), ((1, 1), (1, 1), (0, 0)))
    across, down = (np.diff(cells, axis=axis).reshape(-1, n) for axis in (1, 0))
    prior = ALIKE * (across.T @ across + down.T @ down) + SMALL * np.eye(n)
    return np.linalg.solve(product + max(np.trace(product), 1) / n * prior, side)
