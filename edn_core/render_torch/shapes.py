"""Discs and limbs of a batch as tensors: where they are, which pixels they cover."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from edn_core.skeleton import Skeleton

EDGE_BITS = 16  # of the fraction in cv2's edge walk
NOWHERE = 1 << 30


@dataclass(frozen=True)
class Discs:
    """Discs, the later over the earlier: middle (B, N, 2) px, seen (B, N), colors (N, 3)."""

    middle: Tensor
    seen: Tensor
    radius: int
    colors: Tensor

    def measure(self, shape: tuple[int, int]) -> Tensor:
        """x0, y0, x1, y1 of all that are seen, and three zeros."""
        box = _outer_box(self.middle - self.radius, self.middle + self.radius + 1, self.seen)
        return torch.cat([box, torch.zeros_like(box[:3])])


@dataclass(frozen=True)
class Limbs:
    """Convex polygons: vertices (B, N, 361, 2) px, seen (B, N), colors (N, C)."""

    vertices: Tensor
    seen: Tensor
    colors: Tensor

    def box(self) -> tuple[Tensor, Tensor]:
        """(B, N, 2) x and y of the first pixel, and of the first one beyond."""
        return self.vertices.amin(dim=2), self.vertices.amax(dim=2) + 1

    def measure(self, shape: tuple[int, int]) -> Tensor:
        """x0, y0, x1, y1 of all; the largest one's height, width; the longest edge; px."""
        first, beyond = self.box()
        far = torch.tensor(shape[::-1], device=first.device)
        inside = (torch.minimum(beyond, far) - first.clamp(min=0)) * self.seen[..., None]
        edges = (self.vertices.diff(dim=2).abs()) * self.seen[..., None, None]
        largest = inside.clamp(min=0).amax(dim=(0, 1))
        numbers = [_outer_box(first, beyond, self.seen), largest.flip(0), edges.amax()[None] + 1]
        return torch.cat(numbers)


def _outer_box(first: Tensor, beyond: Tensor, seen: Tensor) -> Tensor:
    is_seen = seen[..., None]
    low = torch.where(is_seen, first, NOWHERE).amin(dim=(0, 1))
    high = torch.where(is_seen, beyond, -NOWHERE).amax(dim=(0, 1))
    return torch.cat([low, high])


def make_limbs(
    xy: Tensor,
    seen: Tensor,
    skeleton: Skeleton,
    half_width: int,
    colors: Tensor,
    is_rounded: bool = False,
) -> Limbs:
    """The flat ellipses of a skeleton's limbs, as cv2.ellipse2Poly makes them."""
    firsts, seconds = limb_rows(skeleton)
    start, end = xy[:, firsts], xy[:, seconds]
    middle = (start + end) / 2
    middle = middle.round() if is_rounded else middle.trunc()
    across, along = (start - end).unbind(dim=-1)
    half_length = ((across * across + along * along).sqrt() / 2).trunc()
    # Multiples of 45 degrees are the only whole ones that occur; they must not end up below.
    eighths = torch.atan2(along.sign(), across.sign())
    is_eighth = (across.abs() == along.abs()) | (across == 0) | (along == 0)
    angle = torch.rad2deg(torch.atan2(along, across))
    angle = torch.where(is_eighth, torch.rad2deg(eighths).round(), angle).trunc().long() % 360
    sines = _sines(xy.device)
    degree = torch.arange(361, device=xy.device)
    x = half_length[..., None] * sines[450 - degree]
    y = half_width * sines[degree]
    cosine, sine = sines[450 - angle][..., None], sines[angle][..., None]
    # In cv2's order of adding, so that half-way cases round the same way.
    vertices = torch.stack(
        [
            middle[..., :1] + x * cosine - y * sine,
            middle[..., 1:] + x * sine + y * cosine,
        ],
        dim=-1,
    )
    is_seen = seen[:, firsts] & seen[:, seconds]
    return Limbs(vertices.round().long(), is_seen, colors)


@lru_cache(maxsize=4)
def _sines(device: torch.device) -> Tensor:
    """cv2's table: sines of 0..450 degrees, written with seven digits, as float32."""
    table = np.round(np.sin(np.radians(np.arange(451))), 7).astype(np.float32)
    return torch.from_numpy(table.astype(np.float64)).to(device)


@lru_cache(maxsize=16)
def disc_offsets(radius: int, device: torch.device) -> Tensor:
    """(n, 2) x and y of the pixels of cv2's disc, from its middle."""
    disc = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
    cv2.circle(disc, (radius, radius), radius, 1, -1)
    return torch.from_numpy(np.argwhere(disc)[:, ::-1] - radius).to(device)


def limb_rows(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Rows of all limbs' first, and of their second keypoints."""
    first = [skeleton.index(one) for one, _ in skeleton.limbs]
    return first, [skeleton.index(other) for _, other in skeleton.limbs]


def spans(vertices: Tensor, top: Tensor, height: int, steps: int) -> tuple[Tensor, Tensor]:
    """First and last pixel of each row of convex polygons, as cv2.fillConvexPoly fills them.

    Args:
        vertices: (..., V, 2) int64 px.
        top: (...) the first row asked for.
        height: number of rows.
        steps: more than the length of any edge, px.

    Returns:
        (..., height) each; the first lies after the last where a row is empty.
    """
    start, end = vertices[..., :-1, None, :], vertices[..., 1:, None, :]
    step = torch.arange(steps, device=vertices.device)
    # The outline: each edge walked from left to right, a tie stays on the line.
    is_back = end[..., :1] < start[..., :1]
    left, right = torch.where(is_back, end, start), torch.where(is_back, start, end)
    across, down = (right - left).unbind(dim=-1)
    longer, shorter = torch.maximum(across, down.abs()), torch.minimum(across, down.abs())
    doubled = (2 * longer).clamp(min=1)
    aside = -torch.div(longer - 2 * shorter * step, doubled, rounding_mode="floor")
    is_steep = down.abs() > across
    x = left[..., 0] + torch.where(is_steep, aside, step)
    y = left[..., 1] + down.sign() * torch.where(is_steep, step, aside)
    # The filling: each edge walked from top to bottom in fixed point.
    is_up = end[..., 1:] < start[..., 1:]
    upper, lower = torch.where(is_up, end, start), torch.where(is_up, start, end)
    across, down = (lower - upper).unbind(dim=-1)
    doubled = (2 * down).clamp(min=1)
    slope = torch.div((across << EDGE_BITS + 1) + down, doubled, rounding_mode="trunc")
    half = 1 << EDGE_BITS - 1
    fill_x = upper[..., 0] + ((slope * step + half) >> EDGE_BITS)
    fill_y = upper[..., 1] + step
    x, y = torch.cat([x, fill_x], dim=-1).flatten(-2), torch.cat([y, fill_y], dim=-1).flatten(-2)
    is_pixel = torch.cat([step <= longer, step < down], dim=-1).flatten(-2)
    row = y - top[..., None]
    row = torch.where(is_pixel & (row >= 0) & (row < height), row, height)
    shape = (*row.shape[:-1], height + 1)
    first, last = (torch.full(shape, one * NOWHERE, device=x.device) for one in (1, -1))
    first = first.scatter_reduce(-1, row, x, "amin")
    last = last.scatter_reduce(-1, row, x, "amax")
    return first[..., :height], last[..., :height]
