"""The band around a dancer's skeleton: where he may be, by his keypoints alone."""

import cv2
import numpy as np

from edn_core.keypoints import Keypoints, Person
from edn_core.skeleton import Skeleton, part_skeleton

BAND = 0.09  # part of the frame height; what counts as the person where there is no matte
REACH = 0.22  # of the dancer's own size: limb, clothes, hair, shadow, motion blur, errors of pose
TORSO = (("right", "shoulder"), ("left", "shoulder"), ("left", "hip"), ("right", "hip"))


def dancer_band(
    person: Person, skeleton: Skeleton, size: tuple[int, int], width_px: float
) -> np.ndarray:
    """The region around a dancer's skeleton.

    Args:
        person: part -> (K, 3) of x, y, score; missing points are left out.
        skeleton: of the body part.
        size: (H, W) px.
        width_px: of the band.

    Returns:
        (H, W) bool; True within the band around limbs and single points.
    """
    band = np.zeros(size, np.uint8)
    width = max(1, round(width_px))
    for part, points in person.items():
        found = np.isfinite(points[:, :2]).all(axis=1) & (points[:, 2] > 0)
        # Far outside the picture cv2's fixed-point coordinates would overflow.
        pixels = np.clip(np.nan_to_num(points[:, :2]), -8 * max(size), 8 * max(size))
        pixels = np.round(pixels).astype(int)
        for x, y in pixels[found]:
            cv2.circle(band, (int(x), int(y)), width // 2, 1, -1)
        part_of = part_skeleton(part, skeleton)
        for first, second in part_of.limbs:
            a, b = part_of.index(first), part_of.index(second)
            if found[a] and found[b]:
                cv2.line(band, tuple(pixels[a].tolist()), tuple(pixels[b].tolist()), 1, width)
        if part == "body":
            corners = [part_of.index(f"{side}_{one}") for side, one in TORSO]
            if found[corners].all():
                cv2.fillConvexPoly(band, cv2.convexHull(pixels[corners]), 1)
    return band.astype(bool)


def dancer_size(keypoints: Keypoints) -> float:
    """Median of the body box's longer side, px, over the frames with a body; 0 without any."""
    body = keypoints.xy["body"][keypoints.is_seen]
    sides = np.nanmax(body, axis=1) - np.nanmin(body, axis=1)
    return float(np.median(sides.max(axis=1))) if len(body) else 0.0
