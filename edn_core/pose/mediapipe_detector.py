"""MediaPipe's person detector: where in a picture people are, as the circles around them.

Written after MediaPipe's graph descriptions (Apache-2.0; Bazarevsky et al., "BlazePose", 2020).
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import expit

from edn_core.pose.regions import (
    Region,
    cut_region,
    make_region,
    region_around_line,
    to_image_points,
)
from edn_core.pose.tracking import box_overlap

Network = Callable[[np.ndarray], dict[str, np.ndarray]]
"""(H, W, 3) float32 -> outputs by name, without their batch dimension."""

DETECTOR_SIZE = 224
MIN_DETECTION = 0.5  # MediaPipe's min_detection_confidence
MIN_OVERLAP = 0.3  # detections that overlap more (IoU) are of one person
PART = 0.6  # of the picture's shorter side: squares that are searched for small people
BODY_SCALE = 1.25


def detector_anchors() -> np.ndarray:
    """Centres the detector's boxes are relative to: (2254, 2) x, y as part of the input's side.

    Two per cell of the 8-pixel grid, two of the 16-pixel grid, three times two of the 32-pixel
    grid, row by row.
    """
    centres = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        n_cells = DETECTOR_SIZE // stride
        y, x = np.mgrid[:n_cells, :n_cells]
        cells = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / n_cells
        centres.append(np.repeat(cells, per_cell, axis=0))
    return np.concatenate(centres)


_ANCHORS = detector_anchors()


def search_squares(size: tuple[int, int], is_thorough: bool) -> list[Region]:
    """Where the detector looks: the whole (H, W) picture; thoroughly, overlapping parts too."""
    height, width = size
    squares = [make_region(np.array([width / 2, height / 2]), max(size), 0.0)]
    if is_thorough:
        side = PART * min(size)
        rows, columns = (
            np.linspace(side / 2, length - side / 2, math.ceil((length - side) / (0.6 * side)) + 1)
            for length in size
        )
        squares += [make_region(np.array([x, y]), side, 0.0) for y in rows for x in columns]
    return squares


def detect(network: Network, image: np.ndarray, squares: list[Region]) -> list[Region]:
    """Circles of all people in these parts of an image, in each part the largest first."""
    circles: list[Region] = []
    for square in squares:
        crop, to_image = cut_region(image, square, DETECTOR_SIZE)
        outputs = network(crop.astype(np.float32) / 127.5 - 1)
        scores = expit(outputs["Identity_1"][:, 0].astype(np.float64))
        is_likely = scores >= MIN_DETECTION
        # Per anchor: box centre, box size, then points, of which the first two span the circle.
        values = outputs["Identity"][is_likely].reshape(-1, 6, 2) / DETECTOR_SIZE
        values[:, [0, 2, 3, 4, 5]] += _ANCHORS[is_likely, None]
        lines = merge_detections(values[:, 0], values[:, 1], values[:, 2:4], scores[is_likely])
        found = [
            region_around_line(to_image_points(line * DETECTOR_SIZE, to_image), scale=BODY_SCALE)
            for line in lines
        ]
        circles += sorted(found, key=lambda circle: -circle.size)
    return circles


def merge_detections(
    centres: np.ndarray, sizes: np.ndarray, points: np.ndarray, scores: np.ndarray
) -> list[np.ndarray]:
    """Weighted non-maximum suppression: boxes that overlap the best one are averaged with it.

    For boxes of (N, 2) centres and sizes with (N, P, 2) points and (N,) scores 0..1, which are the
    weights: (P, 2) averaged points per person, best score first.
    """
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    people = []
    remaining = np.argsort(-scores, kind="stable")
    while len(remaining):
        is_same = box_overlap(boxes[remaining], boxes[remaining[0]]) > MIN_OVERLAP
        is_same[0] = True
        same = remaining[is_same]
        people.append(np.average(points[same], axis=0, weights=scores[same]))
        remaining = remaining[~is_same]
    return people
