"""Hands and faces as OpenPose finds them: in squares that the body's keypoints point at.

Simon et al., "Hand Keypoint Detection in Single Images using Multiview Bootstrapping" (2017); the
squares are those of the published program. Its hand network knows right hands only: a left one is
shown to it in the mirror.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate

from edn_core.keypoints import Person
from edn_core.pose.backend import drop_unsure
from edn_core.pose.heatmap_peaks import STRIDE
from edn_core.pose.openpose_networks import PoseNetwork, run_network
from edn_core.pose.regions import Region, cut_region, to_image_points
from edn_core.skeleton import Skeleton

CROP_SIZE = {"hand_left": 368, "hand_right": 368, "face": 384}
"""Side of the networks' input, px: OpenPose's own for hands, that of facenet.pth for faces."""
MIN_BODY_SCORE = 0.25  # a body point less sure than this does not place a square
MIN_SIZE = 40.0  # px of the image; a smaller square shows too little (OpenPose's bound for faces)
MIN_SCORE = 0.05  # a point whose heatmap is nowhere as high as this is missing


class Crop(NamedTuple):
    """Where to look for one part of one person."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    person: Person
    part: str  # hand_left, hand_right or face
    region: Region  # upright square in the image


def part_regions(body: np.ndarray, skeleton: Skeleton) -> dict[str, Region]:
    """Upright squares where hands and face must be, seen from a body of (K, 3) x px, y px, score.

    A hand's square lies around a point a third of the forearm beyond the wrist, its side one and a
    half times the longer of the forearm and 0.9 upper arms. A face's square is the mean of up to
    three: one by neck and nose (in profile by these, eye and ear), one by the eyes, one by the
    ears. Those whose points are not surely seen, or that would be too small to show anything, are
    left out.
    """
    seen = {
        name: point[:2].astype(np.float64)
        for name, point in zip(skeleton.keypoints, body, strict=True)
        if point[2] > MIN_BODY_SCORE
    }
    regions = {"face": _face_region(seen)}
    for side in ("left", "right"):
        regions[f"hand_{side}"] = _hand_region(seen, side)
    return {
        part: region
        for part, region in regions.items()
        if region is not None and region.size >= MIN_SIZE
    }


def _hand_region(seen: dict[str, np.ndarray], side: str) -> Region | None:
    names = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist")]
    if not all(name in seen for name in names):
        return None
    shoulder, elbow, wrist = (seen[name] for name in names)
    x, y = wrist + 0.33 * (wrist - elbow)
    size = 1.5 * max(_distance(wrist, elbow), 0.9 * _distance(elbow, shoulder))
    return Region(float(x), float(y), size, 0.0)


def _face_region(seen: dict[str, np.ndarray]) -> Region | None:
    squares: list[tuple[np.ndarray, float]] = []  # centre, side
    if "nose" in seen and "neck" in seen:
        nose, neck = seen["nose"], seen["neck"]
        shown = {
            side: [f"{side}_{name}" in seen for name in ("eye", "ear")]
            for side in ("left", "right")
        }
        whole = [side for side, found in shown.items() if all(found)]
        hidden = [side for side, found in shown.items() if not any(found)]
        if whole and hidden:
            eye, ear = seen[f"{whole[0]}_eye"], seen[f"{whole[0]}_ear"]
            reach = _distance(nose, eye) + _distance(nose, ear) + _distance(nose, neck)
            squares.append(((eye + ear + nose) / 3, 0.85 * reach))
        else:
            squares.append(((neck + nose) / 2, 2 * _distance(neck, nose)))
    for name, times in (("eye", 3.0), ("ear", 2.0)):
        if f"left_{name}" in seen and f"right_{name}" in seen:
            left, right = seen[f"left_{name}"], seen[f"right_{name}"]
            squares.append(((left + right) / 2, times * _distance(left, right)))
    if not squares:
        return None
    x, y = np.mean([centre for centre, _ in squares], axis=0)
    return Region(float(x), float(y), float(np.mean([size for _, size in squares])), 0.0)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.hypot(*(one - other)))


def find_parts(
    network: PoseNetwork, crops: list[Crop], batch_size: int, device: torch.device
) -> list[np.ndarray]:
    """Find hands, or faces, with a network for them: per point the highest place of its heatmap.

    For each crop (K, 3) float32 of x px, y px of its image, score in 0..1; NaN, NaN, 0 where
    nothing was found or it lies outside the image.
    """
    found = []
    for start in range(0, len(crops), batch_size):
        some = crops[start : start + batch_size]
        cuts = [cut_part(crop) for crop in some]
        heatmaps, _ = run_network(network, np.stack([image for image, _ in cuts]), device)
        for crop, maps, (_, to_image) in zip(some, heatmaps, cuts, strict=True):
            # One after another: the enlarged maps of a whole batch would fill a gigabyte.
            with torch.inference_mode():
                enlarged = interpolate(maps[None, :-1], scale_factor=STRIDE, mode="bicubic")[0]
                score, position = enlarged.flatten(1).max(dim=1)
            y, x = np.divmod(position.cpu().numpy(), enlarged.shape[-1])
            points = to_image_points(np.column_stack([x, y]), to_image)
            points = np.column_stack([points, score.cpu().numpy()])
            found.append(drop_unsure(points, MIN_SCORE, crop.image.shape[:2]))
    return found


def cut_part(crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """Cut a hand or a face out of its image, a left hand mirrored: (S, S, 3) uint8.

    S is as CROP_SIZE says; black outside the image. And (2, 3) float64, px of the cut -> px of the
    image.
    """
    size = CROP_SIZE[crop.part]
    cut, to_image = cut_region(crop.image, crop.region, size)
    if crop.part == "hand_left":
        cut = cut[:, ::-1]
        to_image[:, 2] += (size - 1) * to_image[:, 0]
        to_image[:, 0] *= -1
    return cut, to_image
