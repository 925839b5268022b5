"""One step of the recurrence: label and previous output in, output out.

Nothing here waits for the device or asks what a tensor holds: the step can be exported, and
captured as a CUDA graph.
"""

from collections.abc import Mapping

import torch
from torch import nn


def synthesize_step(
    networks: Mapping[str, nn.Module],
    label: torch.Tensor,
    previous: torch.Tensor,
    boxes: torch.Tensor | None = None,
    box_size: int = 0,
    items: torch.Tensor | None = None,
) -> torch.Tensor:
    """Synthesize the next frame of each item of a batch.

    Args:
        networks: "generator" and, if faces are to be drawn, "face_generator".
        label: (B, C, H, W) in [0, 1].
        previous: (B, 3, H, W) in [-1, 1], the outputs before; zeros: none.
        boxes: (N, 4) int64 x0, y0, x1, y1, half-open squares of one size inside the canvas; an
            item whose x0 is negative has no face. None: no item has one.
        box_size: their side, px.
        items: (N,) int64, which item of the batch each box is of, none twice; None: each item has
            its box, N = B.

    Returns:
        (B, 3, H, W) in [-1, 1], where the generator's own output is.
    """
    image = networks["generator"](torch.cat([label, previous], dim=1))
    face_network = networks.get("face_generator")
    if face_network is None or boxes is None:
        return image
    own_label, own_image = label, image
    if items is not None:
        own_label, own_image = label[items], image[items]
    # Unclamped, a residual overshooting white would grow from frame to frame.
    drawn = _add_faces(face_network, own_label, own_image, boxes, box_size).clamp(-1, 1)
    has_face = (boxes[:, 0] >= 0)[:, None, None, None]
    drawn = torch.where(has_face, drawn, own_image)
    return drawn if items is None else image.index_copy(0, items, drawn)


def _add_faces(
    face_network: nn.Module,
    label: torch.Tensor,
    image: torch.Tensor,
    boxes: torch.Tensor,
    box_size: int,
) -> torch.Tensor:
    """Add the face residual to each item's face box.

    Args:
        face_network: (B, C + 3, S, S) -> residual (B, 3, S, S).
        label: (B, C, H, W) in [0, 1].
        image: (B, 3, H, W) in [-1, 1].
        boxes: (B, 4), squares of one size; an item whose x0 is negative comes back as it is.
        box_size: S, px.

    Returns:
        (B, 3, H, W); values may leave [-1, 1] inside the box.
    """
    inside = _pixels_of(boxes, box_size)
    crops = _at(image, inside)
    residual = face_network(torch.cat([_at(label, inside), crops], dim=1))
    # Without a face the crop goes back unchanged to where it was taken from.
    has_face = (boxes[:, 0] >= 0)[:, None, None, None]
    faces = torch.where(has_face, crops + residual, crops).to(image.dtype)
    item, rows, columns = inside
    # index_put wants the indexed dimensions in front.
    pasted = image.permute(0, 2, 3, 1).index_put((item, rows, columns), faces.permute(0, 2, 3, 1))
    return pasted.permute(0, 3, 1, 2).contiguous()


Pixels = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _pixels_of(boxes: torch.Tensor, size: int) -> Pixels:
    """Item, row and column of the pixels in each item's box, to be broadcast to (B, S, S).

    By arithmetic, since slicing would need the boxes' numbers on the host. Without a face: the top
    left corner.
    """
    steps = torch.arange(size, device=boxes.device)
    columns = boxes[:, 0].clamp(min=0)[:, None, None] + steps[None, None, :]
    rows = boxes[:, 1].clamp(min=0)[:, None, None] + steps[None, :, None]
    item = torch.arange(boxes.shape[0], device=boxes.device)[:, None, None]
    return item, rows, columns


def _at(images: torch.Tensor, pixels: Pixels) -> torch.Tensor:
    """(B, C, H, W) -> (B, C, S, S)."""
    item, rows, columns = pixels
    return images.permute(0, 2, 3, 1)[item, rows, columns].permute(0, 3, 1, 2).contiguous()


def to_levels(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [-1, 1] -> (B, H, W, 3) uint8, on the same device."""
    return ((images.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).byte()
