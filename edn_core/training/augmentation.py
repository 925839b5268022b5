"""Training frames changed at random: mirrored, moved, and what the discriminator sees of them.

Not in the paper. Whatever is drawn follows from the seed, the step and the frame alone: a training
that was interrupted, or goes on with another number of processes, draws the same.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from edn_core.config import VIEWS
from edn_core.networks import Background

View = Mapping[str, torch.Tensor]
"""What is drawn for the discriminator: name of VIEWS -> (B, n) float32 in [0, 1)."""
Move = tuple[int, int]
"""Px to the right and px down."""
TRANSLATION = 1 / 8  # of height and width, at most (Zhao et al.)
HOLE = 1 / 2  # of height and width (Zhao et al.)
_DRAWN = {"colour": 3, "translation": 2, "cutout": 2}


def draw(seed: int, step: int, frame: int, purpose: int, count: int) -> np.ndarray:
    """(count,) float64 in [0, 1): numbers that follow from the arguments alone."""
    return np.random.default_rng((seed % 2**32, step, frame, purpose)).random(count)


def draw_moves(batch: Mapping[str, Any], seed: int, step: int, fraction: float) -> list[Move]:
    """How far each item of a batch is moved.

    No farther than its face boxes stay inside the canvas: a face network learns from nothing else.

    Args:
        batch: with ``label``, ``face_box`` and ``frame``.
        seed: of the training.
        step: number of the step.
        fraction: of the canvas's width and height, at most.

    Returns:
        Per item px to the right and px down.
    """
    height, width = batch["label"].shape[-2:]
    moves: list[Move] = []
    for frame, boxes in zip(batch["frame"].tolist(), batch["face_box"], strict=True):
        faces = boxes[boxes[:, 0] >= 0]
        move: list[int] = []
        for axis, length in ((0, width), (1, height)):
            most = int(fraction * length)
            wanted = round((2 * float(draw(seed, step, frame, axis, 1)[0]) - 1) * most)
            if len(faces):
                low, high = -int(faces[:, axis].min()), length - int(faces[:, axis + 2].max())
                wanted = min(max(wanted, low), high)
            move.append(wanted)
        moves.append((move[0], move[1]))
    return moves


def moved(
    images: torch.Tensor, dx: int, dy: int, blank: torch.Tensor | None = None
) -> torch.Tensor:
    """Pictures moved as a whole.

    Args:
        images: (N, C, H, W).
        dx: px to the right; the picture's edge is repeated behind it.
        dy: px down.
        blank: (C, 1, 1) to be put there instead.
    """
    height, width = images.shape[-2:]
    x0, x1, y0, y1 = max(dx, 0), width + min(dx, 0), max(dy, 0), height + min(dy, 0)
    inside = images[..., y0 - dy : y1 - dy, x0 - dx : x1 - dx]
    if blank is None:
        return F.pad(inside, (x0, width - x1, y0, height - y1), mode="replicate")
    result = blank.expand_as(images).clone()
    result[..., y0:y1, x0:x1] = inside
    return result


def moved_boxes(boxes: torch.Tensor, dx: int, dy: int, size: tuple[int, int]) -> torch.Tensor:
    """Boxes (..., 4) moved; -1 where they were, or where they leave a canvas of (H, W)."""
    height, width = size
    there = boxes + torch.tensor([dx, dy, dx, dy])
    is_inside = (there[..., :2] >= 0).all(dim=-1) & (there[..., 2] <= width)
    is_inside &= (there[..., 3] <= height) & (boxes[..., 0] >= 0)
    return torch.where(is_inside[..., None], there, -1)


def moved_background(
    generator: nn.Module, mirrored: list[bool], moves: list[Move]
) -> Background | None:
    """The generator's plate as each item of a batch needs it; where none was seen, none is.

    Args:
        generator: whose plate is meant.
        mirrored: per item.
        moves: per item, px to the right and down; after mirroring.

    Returns:
        (B, 3, H, W) and (B, 1, H, W); None for a generator without a plate.
    """
    if not hasattr(generator, "plate"):
        return None
    plate, seen = (torch.as_tensor(one)[None] for one in (generator.plate, generator.seen))
    plates, known = (
        torch.cat(
            [
                moved(one.flip(-1) if is_mirrored else one, *move)
                for is_mirrored, move in zip(mirrored, moves, strict=True)
            ]
        )
        for one in (plate, seen)
    )
    return plates, known


def draw_views(batch: Mapping[str, Any], seed: int, step: int, names: tuple[str, ...]) -> View:
    """What the discriminator shall see, drawn for each item of a batch.

    Args:
        batch: with ``label`` and ``frame``.
        seed: of the training.
        step: number of the step.
        names: of VIEWS.
    """
    device = batch["label"].device
    return {
        name: torch.from_numpy(
            np.stack(
                [
                    draw(seed, step, frame, 2 + VIEWS.index(name), _DRAWN[name])
                    for frame in batch["frame"].tolist()
                ]
            ).astype(np.float32)
        ).to(device, non_blocking=True)
        for name in names
    }


def as_judged(
    labels: torch.Tensor, images: torch.Tensor, view: View | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and images as the discriminator sees them (Zhao et al. 2020, DiffAugment).

    Colour changes the images alone; a translation and a hole are the same in labels and images,
    and in all frames of an item. What is left behind is 0. Differentiable.

    Args:
        labels: (B, C, H, W): one or more labels of an item.
        images: (B, 3 * frames, H, W): as many images.
        view: drawn for these items; None: nothing is changed.

    Returns:
        Labels and images of the same shapes; the image values may leave [-1, 1].
    """
    if not view:
        return labels, images
    if "colour" in view:
        images = _recoloured(images, view["colour"])
    weight = torch.ones_like(images[:, :1])
    pictures = torch.cat([labels, images], dim=1)
    if "translation" in view:
        offsets = (2 * view["translation"] - 1) * TRANSLATION
        for axis, share in ((-1, offsets[:, 0]), (-2, offsets[:, 1])):
            pictures, weight = _translated(pictures, weight, axis, share)
    if "cutout" in view:
        weight = weight * _holes(pictures, view["cutout"])
    pictures = pictures * weight
    return pictures[:, : labels.shape[1]], pictures[:, labels.shape[1] :]


def _recoloured(images: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Brightness by +-0.5, saturation by 0 to 2, contrast by 0.5 to 1.5; each frame by itself."""
    numbers = drawn.to(images.dtype)[:, :, None, None, None, None]
    brightness, saturation, contrast = numbers.unbind(dim=1)
    frames = images.unflatten(1, (-1, 3)) + brightness - 0.5
    grey = frames.mean(dim=2, keepdim=True)
    frames = (frames - grey) * (2 * saturation) + grey
    mean = frames.mean(dim=(2, 3, 4), keepdim=True)
    return ((frames - mean) * (contrast + 0.5) + mean).flatten(1, 2)


def _translated(
    pictures: torch.Tensor, weight: torch.Tensor, axis: int, share: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures moved along an axis by a share of its length; weight 0 where they left nothing."""
    length = pictures.shape[axis]
    shape = [len(pictures), 1, 1, 1]
    shape[axis] = length
    source = torch.arange(length, device=pictures.device) - (share * length).round()[:, None]
    is_inside = ((source >= 0) & (source < length)).view(shape)
    index = source.clamp(0, length - 1).long().view(shape)
    return (
        pictures.gather(axis, index.expand_as(pictures)),
        weight.gather(axis, index.expand_as(weight)) * is_inside,
    )


def _holes(pictures: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W): 0 in a box of half the height and width around a place anywhere, else 1."""
    inside = torch.ones_like(pictures[:, :1], dtype=torch.bool)
    for axis, place in ((-1, drawn[:, 0]), (-2, drawn[:, 1])):
        length = pictures.shape[axis]
        shape = [len(pictures), 1, 1, 1]
        shape[axis] = length
        position = torch.arange(length, device=pictures.device) + 0.5
        near = (position - place[:, None] * length).abs() < HOLE * length / 2
        inside = inside & near.view(shape)
    return (~inside).to(pictures.dtype)
