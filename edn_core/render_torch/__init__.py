"""Labels drawn by torch, on the device that trains: the same pictures as ``render`` draws.

What styles ``edn`` and ``limb_index`` are made of is whole-numbered: discs of one mask, and convex
polygons whose rows run from one pixel to another. So the pictures are repeated, not approximated:
cv2's ellipse (its sine table of seven digits included), its line rule, its edge walk, its rounding
of a blend, and Pillow's fixed-point Lanczos weights, in float64 and integers. One thing is not
repeated: cv2 cuts a line at the border of the picture before it walks it, which may move a pixel
of a limb that leaves the picture by one.

Nothing is read back to the host but, once per batch, how large the drawing is.
"""

from functools import lru_cache

import torch
from torch import Tensor

from edn_core.config import LabelConfig
from edn_core.render.grid import FARTHEST, WHITE, Grid, Region
from edn_core.render.limb_index import LIMB_CLASSES, limb_unit
from edn_core.render.palettes import (
    FACE_DOTS,
    FACE_RADIUS,
    HAND_HALF_WIDTH,
    HAND_RADIUS,
    JOINT_RADIUS,
    LIMB_HALF_WIDTH,
    MIN_FACE_SCORE,
    MIN_HAND_SCORE,
    PALETTES,
)
from edn_core.render_torch.canvas import Canvas, shrink
from edn_core.render_torch.shapes import Discs, Limbs, limb_rows, make_limbs
from edn_core.skeleton import COCO_18, FACE_70, HAND_21, Skeleton

__all__ = ["render_labels_torch"]


def render_labels_torch(
    points: dict[str, Tensor], skeleton: Skeleton, size: tuple[int, int], config: LabelConfig
) -> Tensor:
    """Draw a batch of labels as the networks read them.

    Equal to ``dataset.label_to_tensor`` of ``render.render_label`` within one grey level (1 / 255)
    for people inside the picture.

    Args:
        points: part -> (B, K, 3) of x px, y px, score, on any device; NaN or score 0: not found.
            ``body`` is needed, the other parts may be left out.
        skeleton: of the body part.
        size: (H, W) of the canvas, px.
        config: style and thickness.

    Returns:
        (B, C, H, W) float32 in [0, 1] on the device of ``points``; not differentiable.

    Raises:
        ValueError: a style that only ``render`` draws; names those known here.
    """
    if config.style not in _DRAWN:
        raise ValueError(
            f"labels.style is {config.style!r}, which torch does not draw; it draws "
            f"{', '.join(_DRAWN)}; draw this one with render.render_labels"
        )
    with torch.no_grad():
        return _DRAWN[config.style](points, skeleton, size, config.thickness)


def _draw_stick_figure(
    points: dict[str, Tensor], skeleton: Skeleton, size: tuple[int, int], thickness: float
) -> Tensor:
    grid = Grid.of(size, thickness)
    layers = _figure_layers(points, skeleton, grid)
    device = points["body"].device
    label = torch.full((len(points["body"]), 3, *size), WHITE, dtype=torch.float32, device=device)
    measured = torch.stack([layer.measure(grid.shape) for layer in layers]).tolist()
    x0, y0 = (min(one[i] for one in measured) for i in (0, 1))
    x1, y1 = (max(one[i] for one in measured) for i in (2, 3))
    region = Region.of_box((x0, y0, x1, y1), grid)
    if region is not None:
        canvas = Canvas.blank(len(label), region, measured, device)
        for layer, (*_, height, width, steps) in zip(layers, measured, strict=True):
            if isinstance(layer, Discs):
                canvas.paint_discs(layer)
            else:
                canvas.paint_limbs(layer, (height, width), steps)
        left, top, right, bottom = region.inside
        label[:, :, top:bottom, left:right] = shrink(canvas.drawn(), region)
    return label / WHITE


def _figure_layers(
    points: dict[str, Tensor], skeleton: Skeleton, grid: Grid
) -> "list[Discs | Limbs]":
    """What the figure is made of, in drawing order; see render.stick_figure."""
    device = points["body"].device
    colors = _colors(skeleton.name, device)
    xy, seen = _place(points["body"], grid)
    firsts, seconds = limb_rows(skeleton)
    layers: list[Discs | Limbs] = [
        Discs(xy.trunc().long(), seen, grid.width(JOINT_RADIUS), colors),
        make_limbs(xy, seen, skeleton, grid.width(LIMB_HALF_WIDTH), colors[firsts]),
    ]
    if "face" in points:
        xy, seen = _place(points["face"], grid)
        scores = torch.where(seen, points["face"][..., 2].double(), 0.0)
        rows = [FACE_70.index(name) for name in FACE_DOTS]
        seen = seen[:, rows] & (scores.mean(dim=1, keepdim=True) >= MIN_FACE_SCORE)
        black = torch.zeros(len(rows), 3, dtype=torch.int16, device=device)
        layers.append(Discs(xy[:, rows].trunc().long(), seen, grid.width(FACE_RADIUS), black))
    colors = _colors(HAND_21.name, device)
    firsts, seconds = limb_rows(HAND_21)
    for part in ("hand_right", "hand_left"):
        if part in points:
            xy, seen = _place(points[part], grid, MIN_HAND_SCORE)
            layers += [
                Discs(xy.trunc().long(), seen, grid.width(HAND_RADIUS), colors),
                make_limbs(xy, seen, HAND_21, grid.width(HAND_HALF_WIDTH), colors[seconds]),
            ]
    return layers


def _draw_limb_index(
    points: dict[str, Tensor], skeleton: Skeleton, size: tuple[int, int], thickness: float
) -> Tensor:
    grid = Grid(size, scale=1.0, unit=limb_unit(size, thickness))
    xy, seen = _place(points["body"], grid)
    rows = [skeleton.index(name) for name in COCO_18.keypoints]
    numbers = torch.arange(1, LIMB_CLASSES, device=xy.device, dtype=torch.int16)[:, None]
    half_width = grid.width(LIMB_HALF_WIDTH)
    limbs = make_limbs(xy[:, rows], seen[:, rows], COCO_18, half_width, numbers, is_rounded=True)
    *_, height, width, steps = measured = limbs.measure(grid.shape).tolist()
    whole = Region(grid, (0, 0, size[1], size[0]), (0, 0, size[1], size[0]))
    canvas = Canvas.blank(len(xy), whole, [measured], xy.device, channels=1, value=0)
    canvas.paint_limbs(limbs, (height, width), steps, is_opaque=True)
    classes = torch.arange(LIMB_CLASSES, device=xy.device, dtype=torch.int16)
    return (canvas.drawn() == classes[:, None, None]).float()


_DRAWN = {"edn": _draw_stick_figure, "limb_index": _draw_limb_index}


@lru_cache(maxsize=16)
def _colors(name: str, device: torch.device) -> Tensor:
    return torch.tensor(PALETTES[name], dtype=torch.int16, device=device)


def _place(points: Tensor, grid: Grid, min_score: float = 0.0) -> tuple[Tensor, Tensor]:
    """As Grid.place: (B, K, 2) float64 px of the grid, 0 where not seen; (B, K) bool."""
    xy, score = points[..., :2].double(), points[..., 2].double()
    if grid.scale != 1:
        xy = (xy + 0.5) * grid.scale - 0.5
    rows, columns = grid.shape
    far = FARTHEST * max(rows, columns)
    seen = score > min_score
    for one, length in ((xy[..., 0], columns), (xy[..., 1], rows)):
        seen = seen & (one > -far) & (one < length + far)
    return torch.where(seen[..., None], xy, 0.0), seen
