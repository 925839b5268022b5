"""One video in order: each frame waits for the one before."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import nn

from edn_core.dataset import label_to_tensor
from edn_core.render import LABEL_STYLES, LabelStyle
from edn_core.synthesize.step import synthesize_step, to_levels


@torch.no_grad()
def synthesize(
    networks: Mapping[str, nn.Module],
    labels: Iterable[np.ndarray],
    boxes: np.ndarray,
    device: torch.device,
    style: LabelStyle = LABEL_STYLES["edn"],
) -> Iterator[np.ndarray]:
    """Synthesize a sequence; the first frame is fed zeros as its previous output.

    Args:
        networks: "generator" and, if faces are to be drawn, "face_generator".
        labels: (H, W, 3) uint8 labels as stored, in order.
        boxes: (T, 4) int face boxes, -1 where no face.
        device: where the networks are.
        style: of the labels.

    Yields:
        (H, W, 3) uint8 RGB, one per label.
    """
    previous: torch.Tensor | None = None
    for label_image, box in zip(labels, boxes, strict=True):
        label = label_to_tensor(label_image, style)[None].to(device)
        if previous is None:
            previous = label.new_zeros(1, 3, *label.shape[2:])
        previous = synthesize_step(networks, label, previous, *face_arguments(box[None], device))
        yield to_levels(previous)[0].cpu().numpy()


def face_arguments(
    boxes: np.ndarray, device: torch.device
) -> tuple[torch.Tensor | None, int, torch.Tensor | None]:
    """What synthesize_step is told of the faces of one moment, decided on the host.

    Args:
        boxes: (B, 4) int, -1 where no face.
        device: where the networks are.

    Returns:
        The boxes of those who show a face, or None; their side, px; and which items of the batch
        they are, or None for all: the face network is never run for nothing.
    """
    items = np.flatnonzero(boxes[:, 0] >= 0)
    if len(items) == 0:
        return None, 0, None
    size = int(boxes[items[0], 2] - boxes[items[0], 0])
    found = torch.from_numpy(boxes[items].astype(np.int64)).to(device)
    return found, size, None if len(items) == len(boxes) else torch.from_numpy(items).to(device)
