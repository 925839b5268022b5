"""Training frames changed at random: mirrored and moved.

Not in the paper. Whatever is drawn follows from the seed, the step and the frame alone: a training
that was interrupted, or goes on with another number of processes, draws the same.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

Move = tuple[int, int]
"""Px to the right and px down."""


def draw_moves(
    frames: Sequence[int],
    face_boxes: torch.Tensor,
    size: tuple[int, int],
    seed: int,
    step: int,
    fraction: float,
) -> list[Move]:
    """How far each pair of a batch is moved, px to the right and px down.

    No farther than its face boxes (B, 2, 4) (x0 y0 x1 y1; -1 where no face) stay inside the picture
    (H, W): a face network learns from nothing else; and at most by a fraction of its width and
    height. ``frames`` are the numbers of each pair's second frame.
    """
    moves: list[Move] = []
    for frame, boxes in zip(frames, face_boxes, strict=True):
        faces = boxes[boxes[:, 0] >= 0]
        move: list[int] = []
        for axis, length in ((0, size[1]), (1, size[0])):
            most = int(fraction * length)
            drawn = float(np.random.default_rng((seed % 2**32, step, frame, axis)).random())
            wanted = round((2 * drawn - 1) * most)
            if len(faces):
                low, high = -int(faces[:, axis].min()), length - int(faces[:, axis + 2].max())
                wanted = min(max(wanted, low), high)
            move.append(wanted)
        moves.append((move[0], move[1]))
    return moves


def moved(
    images: torch.Tensor, dx: int, dy: int, blank: torch.Tensor | None = None
) -> torch.Tensor:
    """Pictures (N, C, H, W) moved as a whole, px to the right and down.

    Behind them is ``blank`` (C, 1, 1); without it the picture's edge is repeated.
    """
    height, width = images.shape[-2:]
    x0, x1, y0, y1 = max(dx, 0), width + min(dx, 0), max(dy, 0), height + min(dy, 0)
    inside = images[..., y0 - dy : y1 - dy, x0 - dx : x1 - dx]
    if blank is None:
        return F.pad(inside, (x0, width - x1, y0, height - y1), mode="replicate")
    result = blank.expand_as(images).clone()
    result[..., y0:y1, x0:x1] = inside
    return result


def moved_boxes(boxes: torch.Tensor, moves: Sequence[Move]) -> torch.Tensor:
    """Boxes (B, 2, 4) moved along with their pictures; -1 where there was no face."""
    there = boxes + torch.tensor([[dx, dy, dx, dy] for dx, dy in moves])[:, None]
    return torch.where(boxes[..., :1] >= 0, there, -1)
