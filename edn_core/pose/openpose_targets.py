"""What a network of heatmaps and part affinity fields is trained towards.

Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields, sections 2.2, 2.3.
The maps' cell (row i, column j) lies at x = stride j + (stride - 1) / 2, likewise y: the middle of
the pixels it stands for. A keypoint with a coordinate that is NaN contributes nothing.
"""

import numpy as np

from edn_core.pose.paf_layout import PAF_LAYOUTS, STRIDE
from edn_core.skeleton import Skeleton

MAX_EXPONENT = 4.6052
"""Beyond this exponent (a value of 0.01) a keypoint's Gaussian ends."""


def heatmap_targets(
    people: np.ndarray, size: tuple[int, int], stride: int = STRIDE, sigma_px: float = 7.0
) -> np.ndarray:
    """Where each keypoint is, as maps (equations 6 and 7).

    Args:
        people: (P, K, 2 or more) px; further columns, as the score, are not read.
        size: (H, W) px of the network's input, multiples of ``stride``.
        stride: px per cell.
        sigma_px: standard deviation of a keypoint's Gaussian.

    Returns:
        (K + 1, H / stride, W / stride) float32 in 0..1: per keypoint the highest of the people's
        Gaussians, and last the background, 1 less the highest of all keypoints.

    Raises:
        ValueError: people or size of the wrong shape.
    """
    x, y = _cells(people, size, stride)
    squared = np.square(people[:, :, None, None, 0] - x) + np.square(
        people[:, :, None, None, 1] - y[:, None]
    )
    exponent = squared / (2 * sigma_px**2)
    # The comparison is false for NaN: a missing keypoint's Gaussian is 0 everywhere.
    gaussians = np.where(exponent <= MAX_EXPONENT, np.exp(-exponent), 0)
    parts = gaussians.max(axis=0, initial=0)
    background = 1 - parts.max(axis=0)
    return np.concatenate([parts, background[None]]).astype(np.float32)


def paf_targets(
    people: np.ndarray,
    size: tuple[int, int],
    skeleton: Skeleton,
    stride: int = STRIDE,
    half_width_cells: float = 1.0,
) -> np.ndarray:
    """Which way each limb runs, as part affinity fields (equations 8 and 9).

    Args:
        people: (P, K, 2 or more) px; further columns are not read.
        size: (H, W) px of the network's input, multiples of ``stride``.
        skeleton: COCO_18 or BODY_25.
        stride: px per cell.
        half_width_cells: a limb covers the cells no farther than this from the line between its
            keypoints, their ends rounded.

    Returns:
        (2 L, H / stride, W / stride) float32: at its layout's channels x and y of the unit vector
        from a limb's start to its end, 0 away from it; where people's limbs overlap, the mean.

    Raises:
        ValueError: people or size of the wrong shape, or a skeleton without known fields.
    """
    if skeleton.name not in PAF_LAYOUTS or people.shape[1] != len(skeleton):
        raise ValueError(
            f"people {people.shape} of skeleton {skeleton.name}: expected (P, K, 2 or more) of "
            f"one of {', '.join(PAF_LAYOUTS)}"
        )
    x, y = _cells(people, size, stride)
    limbs = PAF_LAYOUTS[skeleton.name].limbs
    fields = np.zeros((2 * len(limbs), len(y), len(x)), np.float32)
    for limb in limbs:
        start = people[:, skeleton.index(limb.start), :2].astype(np.float64)
        along = people[:, skeleton.index(limb.end), :2] - start
        length = np.hypot(along[:, 0], along[:, 1])
        # False for NaN, too. Keypoints on top of each other have no direction.
        is_limb = length > 0
        start, along, length = start[is_limb], along[is_limb], length[is_limb]
        unit = along / length[:, None]
        away_x = x - start[:, 0, None, None]
        away_y = y[:, None] - start[:, 1, None, None]
        unit_x, unit_y = unit[:, 0, None, None], unit[:, 1, None, None]
        on_line = np.clip(away_x * unit_x + away_y * unit_y, 0, length[:, None, None])
        distance = np.hypot(away_x - on_line * unit_x, away_y - on_line * unit_y)
        covers = distance <= half_width_cells * stride
        total = np.einsum("pyx,pc->cyx", covers, unit)
        fields[limb.channel : limb.channel + 2] = total / np.maximum(covers.sum(axis=0), 1)
    return fields


def _cells(people: np.ndarray, size: tuple[int, int], stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middles of columns (x) and of rows (y) lie, px."""
    if people.ndim != 3 or people.shape[2] < 2:
        raise ValueError(f"people must be (P, K, 2 or more), got {people.shape}")
    if size[0] % stride or size[1] % stride:
        raise ValueError(
            f"an input of {size[0]} x {size[1]} px does not divide into cells of {stride} px; "
            "pad it to a multiple"
        )
    middle = (stride - 1) / 2
    return (
        np.arange(middle, size[1], stride, dtype=np.float64),
        np.arange(middle, size[0], stride, dtype=np.float64),
    )
