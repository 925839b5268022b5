"""One step of the recurrence: label and previous output in, output out.

Nothing here waits for the device or asks what a tensor holds: the step can be exported, and
captured as a CUDA graph.
"""

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from torch import nn

from edn_core.dataset import crop_faces, face_share, paste_faces


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
        previous: (B, 3, H, W) in [-1, 1], the pictures before; zeros: none.
        boxes: (N, 4) int64 x0, y0, x1, y1, half-open squares of one size inside the window; an
            item whose x0 is negative has no face. None: no item has one.
        box_size: their side, px.
        items: (N,) int64, which item of the batch each box is of, none twice; None: each item has
            its box, N = B.

    Returns:
        (B, 3, H, W) in [-1, 1]; or (B, 4, H, W), the dancer on ground 0 and his matte in [0, 1].
    """
    output = networks["generator"](torch.cat([label, previous], dim=1))
    face_network = networks.get("face_generator")
    if face_network is None or boxes is None:
        return output
    own_label, own = label, output
    if items is not None:
        own_label, own = label[items], output[items]
    places = boxes.clamp(min=0)  # without a face: the top left corner, which then stays as it was
    crops = crop_faces(own[:, :3], places, box_size)
    residual = face_network(torch.cat([crop_faces(own_label, places, box_size), crops], dim=1))
    if own.shape[1] > 3:
        residual = residual * face_share(own[:, 3:], places, box_size)
    # Unclamped, a residual overshooting white would grow from frame to frame.
    drawn = paste_faces(own[:, :3], crops + residual, places).clamp(-1, 1)
    has_face = (boxes[:, 0] >= 0)[:, None, None, None]
    drawn = torch.where(has_face, drawn, own[:, :3])
    whole = torch.cat([drawn, own[:, 3:]], dim=1)
    return whole if items is None else output.index_copy(0, items, whole)


def to_levels(outputs: torch.Tensor) -> torch.Tensor:
    """What synthesize_step gives -> (B, 3 or 4, H, W) uint8, on the same device."""
    levels = outputs.clone()
    levels[:, :3].add_(1).mul_(127.5)
    levels[:, 3:].mul_(255)
    return levels.round_().clamp_(0, 255).int().byte()  # a third of the time of byte alone


def to_picture(levels: torch.Tensor) -> np.ndarray:
    """(3 or 4, H, W) uint8 on the CPU -> (H, W, 3 or 4); 30 times as fast as torch or NumPy."""
    return np.asarray(cv2.merge([*levels.numpy()]))
