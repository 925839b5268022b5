"""A generator that paints over a clean plate of the room; not in the paper."""

from torch import Tensor, nn

Background = tuple[Tensor, Tensor]
"""The clean plate (3, H, W) in [-1, 1] and where it was seen (1, H, W) in {0, 1}."""


class PlatedGenerator(nn.Module):
    """A generator that paints the dancer over a fixed picture of the room.

    The network has four outputs, the image and a mask m; the result is

        m * image + (1 - m) * plate        with m = 1 wherever the plate was never seen

    Args:
        network: (B, C + 3, H, W) -> (B, 4, H, W) in [-1, 1]; its state dict is pix2pixHD's own.
        plate: (3, H, W) in [-1, 1], the room without the dancer.
        seen: (1, H, W) in {0, 1}, where the plate is known.

    Raises:
        ValueError: plate and seen disagree in size, or hold other values.
    """

    plate: Tensor
    seen: Tensor

    def __init__(self, network: nn.Module, plate: Tensor, seen: Tensor) -> None:
        super().__init__()
        if plate.ndim != 3 or len(plate) != 3 or seen.shape != (1, *plate.shape[1:]):
            raise ValueError(
                f"the plate has shape {tuple(plate.shape)} and its seen mask "
                f"{tuple(seen.shape)}; expected (3, H, W) and (1, H, W) of one size"
            )
        # Also refuses NaN, which would survive the multiplication with a mask of 0.
        if not (plate.abs() <= 1).all() or not ((seen == 0) | (seen == 1)).all():
            raise ValueError("the plate must lie in [-1, 1] and its seen mask hold only 0 and 1")
        self.network = network
        self.register_buffer("plate", plate.detach().float())
        self.register_buffer("seen", seen.detach().float())

    def forward(self, x: Tensor, background: Background | None = None) -> Tensor:
        """(B, C + 3, H, W), label ++ previous output -> (B, 3, H, W) in [-1, 1].

        Args:
            x: of the plate's own canvas.
            background: another plate (B, 3, H, W) and where it was seen (B, 1, H, W) for each item,
                as a training on moved pictures needs it; None: the own one.

        Raises:
            ValueError: H or W is not the plate's.
        """
        if x.shape[-2:] != self.plate.shape[-2:]:
            raise ValueError(
                f"the generator was given {tuple(x.shape[-2:])} (H, W), its background plate is "
                f"{tuple(self.plate.shape[-2:])}; use labels of the target's own canvas"
            )
        plate, seen = (self.plate, self.seen) if background is None else background
        painted = self.network(x)
        # Written so that the mask is exactly 1 where nothing was seen.
        mask = 1 - seen * (1 - painted[:, 3:]) / 2
        return mask * painted[:, :3] + (1 - mask) * plate
