"""How near an output is to the truth: on held-out frames of the target, where truth is known.

Structural similarity (Wang et al. 2004) and differences as maps, averaged over the frame, the
person or the face; the error of movement over time; and the distance between poses, which the
nearest-neighbour baseline of Everybody Dance Now (Chan et al. 2019, section 5) needs. Images are
(H, W, 3) uint8 RGB.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from edn_core.background import dancer_band
from edn_core.keypoints import Person
from edn_core.skeleton import Skeleton

_SSIM_WINDOW = 7
COLUMNS = ("ssim", "psnr", "ssim_person", "ssim_face", "temporal_difference")
"""What an evaluation gives for every method, in this order."""


def _check_same(*images: np.ndarray) -> None:
    for image in images:
        if image.shape != images[0].shape or image.dtype != np.uint8 or image.ndim != 3:
            raise ValueError(
                "expected (H, W, 3) uint8 images of one size, got "
                + " and ".join(f"{one.shape} {one.dtype}" for one in images)
                + "; compare frames of the same canvas"
            )


def ssim_map(output: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity around every pixel, mean of the three colours.

    Args:
        output: (H, W, 3) uint8.
        truth: (H, W, 3) uint8.

    Returns:
        (H, W) float64 in [-1, 1]; 1 where the 7 x 7 windows agree.

    Raises:
        ValueError: images of different sizes, or smaller than the window.
    """
    _check_same(output, truth)
    if min(truth.shape[:2]) < _SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs images of at least {_SSIM_WINDOW} x {_SSIM_WINDOW} px, got "
            f"{truth.shape[0]} x {truth.shape[1]}; compare larger ones"
        )
    _, similarity = structural_similarity(
        truth, output, win_size=_SSIM_WINDOW, data_range=255, channel_axis=2, full=True
    )
    return similarity.mean(axis=2)


def l1_map(output: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Absolute difference of every pixel, mean of the three colours: (H, W) float64 in [0, 1]."""
    _check_same(output, truth)
    return np.abs(output.astype(np.float64) - truth).mean(axis=2) / 255


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ssim": ssim_map,
    "l1": l1_map,
}
"""Metrics that are maps: (output, truth) -> (H, W); region_mean makes numbers of them."""


def region_mean(values: np.ndarray, region: np.ndarray) -> float:
    """Mean of a map over a region.

    Args:
        values: (H, W).
        region: (H, W) bool.

    Returns:
        The mean; NaN if the region is empty (no face in this frame): average with np.nanmean.

    Raises:
        ValueError: map and region differ in size.
    """
    if values.shape != region.shape:
        raise ValueError(
            f"the map has shape {values.shape}, the region {region.shape}; expected the same"
        )
    return float(values[region].mean()) if region.any() else float("nan")


def psnr(output: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two (H, W, 3) uint8 images, dB; infinite if they are equal."""
    _check_same(output, truth)
    squared = float(np.square(output.astype(np.float64) - truth).mean())
    return float(10 * np.log10(255**2 / squared)) if squared else float("inf")


def temporal_difference_error(
    previous_output: np.ndarray,
    output: np.ndarray,
    previous_truth: np.ndarray,
    truth: np.ndarray,
) -> float:
    """How far the change from one frame to the next is from the true change (flicker).

        mean | (output - previous_output) - (truth - previous_truth) | / 255

    Never read it alone: a picture that does not move at all has little of it.

    Args:
        previous_output: (H, W, 3) uint8, and so the others.
        output: the frame after it.
        previous_truth: the true frame that belongs to previous_output.
        truth: the true frame that belongs to output.

    Returns:
        0 (the same movement) to 2.
    """
    _check_same(previous_output, output, previous_truth, truth)
    change = output.astype(np.int16) - previous_output
    true_change = truth.astype(np.int16) - previous_truth
    return float(np.abs(change - true_change).mean() / 255)


def person_mask(
    person: Person, skeleton: Skeleton, size: tuple[int, int], width_fraction: float = 0.09
) -> np.ndarray:
    """The part of the frame that counts as the person: a band around the skeleton.

    Args:
        person: keypoints of one frame; parts not found are left out.
        skeleton: skeleton of the body part.
        size: (H, W) px.
        width_fraction: width of the band as part of H.

    Returns:
        (H, W) bool; all False if nothing was found.
    """
    return dancer_band(person, skeleton, size, width_fraction)


def pose_distance(person: Person, other: Person) -> float:
    """Mean distance between body keypoints found in both, px; infinite if there are none.

    The paper's d(p, p') = (1 / n) sum |p_k - p'_k|.

    Raises:
        ValueError: the two have different skeletons.
    """
    return float(_pose_distances(person, [other])[0])


def nearest_pose(person: Person, persons: Sequence[Person]) -> int:
    """Index of the person whose pose is nearest (the nearest-neighbour baseline).

    Args:
        person: keypoints of one frame.
        persons: those to choose from, in the same pixel frame.

    Returns:
        The index with the least pose_distance, the first of equals; 0 if none has a keypoint in
        common with ``person``.

    Raises:
        ValueError: nothing to choose from, or different skeletons.
    """
    if not persons:
        raise ValueError("no poses to choose the nearest from; expected at least one frame")
    return int(np.argmin(_pose_distances(person, persons)))


def metrics_table(result: dict[str, Any]) -> str:
    """The metrics as a table people can read: a line per method, a column per metric."""
    lines = [f"{'':14}" + "".join(f"{name:>21}" for name in COLUMNS)]
    for method, means in result["methods"].items():
        cells = ("-" if means[name] is None else f"{means[name]:.4f}" for name in COLUMNS)
        lines.append(f"{method:14}" + "".join(f"{cell:>21}" for cell in cells))
    return "\n".join(lines)


def _pose_distances(person: Person, persons: Sequence[Person]) -> np.ndarray:
    """pose_distance to each of the persons: (N,)."""
    shapes = {one["body"].shape for one in (person, *persons)}
    if len(shapes) > 1:
        raise ValueError(
            f"poses of different skeletons, {' and '.join(str(len_k) for len_k in sorted(shapes))} "
            "(K, 3); convert them to one skeleton first"
        )
    bodies = np.stack([one["body"] for one in persons])
    found = (bodies[..., 2] > 0) & (person["body"][:, 2] > 0)
    distances = np.linalg.norm(bodies[..., :2] - person["body"][:, :2], axis=-1)
    total = np.where(found, distances, 0).sum(axis=1)
    count = found.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)
