"""pix2pixHD's global generator, and what makes it paint the dancer alone, with a matte."""

import torch
from torch import Tensor, nn

from edn_core.config import NetworkConfig
from edn_core.networks.layers import ResidualBlock, double, first_layers, halve, last_layers


def global_layers(
    in_channels: int, channels: int, downsamplings: int, residual_blocks: int
) -> list[nn.Module]:
    """GlobalGenerator but for its last three layers: what the local enhancer keeps of it.

    (B, in_channels, H, W) -> (B, channels, H, W), at least 0.
    """
    widths = [channels * 2**level for level in range(downsamplings + 1)]
    return [
        *first_layers(in_channels, channels),
        *(layer for width in widths[:-1] for layer in halve(width)),
        *(ResidualBlock(widths[-1]) for _ in range(residual_blocks)),
        *(layer for width in reversed(widths[:-1]) for layer in double(width)),
    ]


class GlobalGenerator(nn.Module):
    """pix2pixHD's coarse-to-fine generator, the global part (pix2pixHD, section 3.1).

    The first layer has ``channels`` channels, doubled at every downsampling; ``residual_blocks``
    stand at the lowest resolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        downsamplings: int,
        residual_blocks: int,
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *global_layers(in_channels, channels, downsamplings, residual_blocks),
            *last_layers(channels, out_channels),
        )
        self.factor = 2**downsamplings

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1].

        ValueError: H or W is no multiple of 2 ** downsamplings, or too small for the padding.
        """
        height, width = x.shape[-2:]
        least = max(4, 2 * self.factor)
        if height % self.factor or width % self.factor or min(height, width) < least:
            raise ValueError(
                f"the generator was given {height} x {width} (H x W); both must be multiples of "
                f"{self.factor} and at least {least}: choose another window, or fewer "
                "network.downsamplings"
            )
        return self.model(x)


class MattedGenerator(nn.Module):
    """Paints the dancer on neutral ground, and says where he is; not in the paper.

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


def generator(
    config: NetworkConfig, label_channels: int, has_matte: bool
) -> GlobalGenerator | MattedGenerator:
    """The full-image generator: (B, label_channels + 3, H, W) -> (B, 3 or 4, H, W).

    Its input is the label and the previous output (zeros: none), concatenated. One that
    ``has_matte`` paints the dancer alone, with his matte: a fourth channel.
    """
    network = GlobalGenerator(
        label_channels + 3,
        4 if has_matte else 3,
        config.generator_channels,
        config.downsamplings,
        config.residual_blocks,
    )
    return MattedGenerator(network) if has_matte else network
