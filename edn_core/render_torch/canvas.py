"""The drawing of a batch: painted in place, then made smaller with Pillow's weights."""

from dataclasses import dataclass

import torch
from torch import Tensor

from edn_core.render.grid import LANCZOS_REACH, WHITE, Region
from edn_core.render.palettes import JOINT_RADIUS
from edn_core.render_torch.shapes import NOWHERE, Discs, Limbs, disc_offsets, spans

WEIGHT_BITS = 22  # of Pillow's weights


@dataclass(frozen=True)
class Canvas:
    """A batch of drawings of a region, with a margin that shapes may hang over.

    Attributes:
        pixels: (B, rows, columns, C) int16, changed in place.
        origin: x, y of its first pixel in px of the grid.
        margin: px before the region.
        region: which part of the grid it is.
    """

    pixels: Tensor
    origin: tuple[int, int]
    margin: int
    region: Region

    @classmethod
    def blank(
        cls,
        batch: int,
        region: Region,
        measured: list[list[int]],
        device: torch.device,
        channels: int = 3,
        value: int = WHITE,
    ) -> "Canvas":
        """A canvas with room for what was measured."""
        x0, y0, x1, y1 = region.box
        margin = 2 * region.grid.width(JOINT_RADIUS) + 1
        below, beside = (max(margin, *(one[i] for one in measured)) for i in (4, 5))
        shape = batch, margin + y1 - y0 + below, margin + x1 - x0 + beside, channels
        pixels = torch.full(shape, value, dtype=torch.int16, device=device)
        return cls(pixels, (x0 - margin, y0 - margin), margin, region)

    def drawn(self) -> Tensor:
        """(B, C, rows, columns) of the region."""
        x0, y0, x1, y1 = self.region.box
        inner = slice(self.margin, self.margin + y1 - y0), slice(self.margin, self.margin + x1 - x0)
        return self.pixels[:, inner[0], inner[1]].permute(0, 3, 1, 2)

    def _clamped(self, corner: Tensor, before: int) -> Tensor:
        """Corners (..., 2), moved to at most ``before`` px outside the region."""
        box = torch.tensor(self.region.box, device=corner.device)
        return torch.minimum(torch.maximum(corner, box[:2] - before), box[2:])

    def paint_discs(self, discs: Discs) -> None:
        """Each pixel gets the colour of the last disc over it."""
        batch, rows, columns, _ = self.pixels.shape
        offsets = disc_offsets(discs.radius, self.pixels.device)
        middle = self._clamped(discs.middle - discs.radius, 2 * discs.radius + 1) + discs.radius
        origin = torch.tensor(self.origin, device=self.pixels.device)
        x, y = (middle[:, :, None] + offsets - origin).flatten(1, 2).unbind(dim=-1)
        number = torch.arange(1, len(discs.colors) + 1, device=x.device)[:, None]
        number = (discs.seen[..., None] * number).expand(-1, -1, len(offsets)).flatten(1)
        last = torch.zeros(batch, rows * columns, dtype=torch.long, device=x.device)
        last = last.scatter_reduce(1, y * columns + x, number, "amax").view(batch, rows, columns, 1)
        colored = discs.colors[(last[..., 0] - 1).clamp(min=0)]
        self.pixels.copy_(torch.where(last > 0, colored, self.pixels))

    def paint_limbs(
        self, limbs: Limbs, window: tuple[int, int], steps: int, is_opaque: bool = False
    ) -> None:
        """Limb after limb, each in a window as large as the largest of them."""
        height, width = window
        corner = self._clamped(limbs.box()[0].clamp(min=0), 0)
        first, last = spans(limbs.vertices, corner[..., 1], height, steps)
        first = torch.where(limbs.seen[..., None], first, NOWHERE)
        device = self.pixels.device
        item = torch.arange(len(self.pixels), device=device)[:, None, None]
        down = torch.arange(height, device=device)
        beside = torch.arange(width, device=device)
        for n, color in enumerate(limbs.colors):
            x = corner[:, n, :1] + beside
            rows = (corner[:, n, 1:] + down - self.origin[1])[:, :, None]
            columns = (x - self.origin[0])[:, None]
            inside = (x[:, None] >= first[:, n, :, None]) & (x[:, None] <= last[:, n, :, None])
            under = self.pixels[item, rows, columns]
            # 0.4 of what is there and 0.6 of the colour; there are no half-way cases.
            painted = color if is_opaque else (2 * under + 3 * color + 2) // 5
            self.pixels[item, rows, columns] = torch.where(inside[..., None], painted, under)


def shrink(drawn: Tensor, region: Region) -> Tensor:
    """(B, 3, rows, columns) of a region -> (B, 3, h, w) float32 of its part of the canvas."""
    if region.grid.scale == 1:
        return drawn.float()
    rows, columns = region.grid.shape
    (left, top, right, bottom), (x0, y0, x1, y1) = region.inside, region.box
    for axis, part in ((-1, (left, right, x0, x1, columns)), (-2, (top, bottom, y0, y1, rows))):
        weights = _lanczos(region.grid.scale, *part, drawn.device)
        sums = weights @ drawn.double() if axis == -2 else drawn.double() @ weights.T
        rounded = torch.floor(sums / 2**WEIGHT_BITS + 0.5)
        drawn = rounded.clamp(0, 255)
    return drawn.float()


def _lanczos(
    scale: float, first: int, last: int, start: int, stop: int, length: int, device: torch.device
) -> Tensor:
    """Pillow's weights of pixels [start, stop) of ``length`` for pixels [first, last) made of them.

    Returns:
        (last - first, stop - start) float64, whole numbers, in 1 / 2**22.
    """
    reach = LANCZOS_REACH * scale
    middle = (torch.arange(first, last, device=device, dtype=torch.float64)[:, None] + 0.5) * scale
    pixel = torch.arange(start, stop, device=device, dtype=torch.float64)
    distance = (pixel - middle + 0.5) / scale
    weights = torch.sinc(distance) * torch.sinc(distance / LANCZOS_REACH)
    begin = (middle - reach + 0.5).floor().clamp(min=0)
    end = (middle + reach + 0.5).floor().clamp(max=length)
    is_read = (pixel >= begin) & (pixel < end) & (distance.abs() <= LANCZOS_REACH)
    weights = torch.where(is_read, weights, 0.0)
    weights = weights / weights.sum(dim=1, keepdim=True) * 2**WEIGHT_BITS
    return weights.sign() * (weights.abs() + 0.5).floor()
