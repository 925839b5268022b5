"""One step of the recurrence: label and previous output in, output out.

Nothing here waits for the device or asks what a tensor holds: the step can be exported, and
captured as a CUDA graph.
"""

from collections.abc import Mapping

import torch
from torch import nn

from edn_core.dataset import crop_faces, paste_faces


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
    places = boxes.clamp(min=0)  # without a face: the top left corner, which then stays as it was
    crops = crop_faces(own_image, places, box_size)
    residual = face_network(torch.cat([crop_faces(own_label, places, box_size), crops], dim=1))
    # Unclamped, a residual overshooting white would grow from frame to frame.
    drawn = paste_faces(own_image, crops + residual, places).clamp(-1, 1)
    has_face = (boxes[:, 0] >= 0)[:, None, None, None]
    drawn = torch.where(has_face, drawn, own_image)
    return drawn if items is None else image.index_copy(0, items, drawn)


def to_levels(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [-1, 1] -> (B, H, W, 3) uint8, on the same device."""
    return ((images.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).byte()
