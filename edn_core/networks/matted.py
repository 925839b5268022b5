"""A generator that paints the dancer alone, with a matte; not in the paper."""

import torch
from torch import Tensor, nn


class MattedGenerator(nn.Module):
    """A generator that paints the dancer on neutral ground, and says where he is.

    The network (its state dict is pix2pixHD's own) has four outputs in [-1, 1], colours c and a
    mask; with the mask brought to m in [0, 1] the picture on ground 0, middle grey, is

        picture = m * c

    so that the finished frame is room (1 - m) + picture, whatever the room.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C + 3, H, W), label ++ previous picture -> (B, 4, H, W): picture, matte in [0, 1]."""
        painted = self.network(x)
        matte = (painted[:, 3:] + 1) / 2
        return torch.cat([matte * painted[:, :3], matte], dim=1)
