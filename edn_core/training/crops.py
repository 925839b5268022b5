"""Parts of the picture that training looks at once more."""

import torch


def crop_hands(
    fake: torch.Tensor, real: torch.Tensor, boxes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The hands in synthesized and true images.

    Args:
        fake: (B, 3, H, W).
        real: (B, 3, H, W).
        boxes: (B, 2, 4) int64 on the CPU, squares of one size, half-open; -1 where no hand.

    Returns:
        (N, 3, S, S) of each, N the hands that have a box; None if none has.
    """
    found = [
        (item, box) for item, hands in enumerate(boxes.tolist()) for box in hands if box[0] >= 0
    ]
    if not found:
        return None
    crops = [
        torch.stack([images[item, :, y0:y1, x0:x1] for item, (x0, y0, x1, y1) in found])
        for images in (fake, real)
    ]
    return crops[0], crops[1]
