"""A generator that paints the dancer alone, with a matte; not in the paper."""

import torch
from torch import Tensor, nn


class MattedGenerator(nn.Module):
    """A generator that paints the dancer on neutral ground, and says where he is.

    The network has four outputs, colours c and a mask; with the mask brought to m in [0, 1] the
    picture on ground 0, middle grey, is

        picture = m * c

    so that the finished frame is room (1 - m) + picture, whatever the room.

    Args:
        network: (B, C + 3, H, W) -> (B, 4, H, W) in [-1, 1]; its state dict is pix2pixHD's own.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C + 3, H, W), label ++ previous picture -> (B, 4, H, W).

        Returns:
            The picture in [-1, 1] and, as fourth channel, the matte in [0, 1].
        """
        painted = self.network(x)
        matte = (painted[:, 3:] + 1) / 2
        return torch.cat([matte * painted[:, :3], matte], dim=1)
