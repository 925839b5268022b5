"""pix2pixHD's patch discriminators, at several scales."""

from collections.abc import Callable

from torch import Tensor, nn

from edn_core.config import NetworkConfig
from edn_core.networks.layers import normalization

Features = list[list[Tensor]]
"""What a discriminator returns: [scale][layer] (B, C, h, w), finest scale first; the last layer of
a scale is the patch score."""


def discriminator_stages(
    in_channels: int, channels: int, layers: int, norm: Callable[[int], nn.Module]
) -> list[list[nn.Module]]:
    """The stages of one patch discriminator: ``layers`` strided ones, one more, the score."""
    widths = [channels] + [min(channels * 2**level, 512) for level in range(1, layers + 1)]
    stages: list[list[nn.Module]] = [
        [nn.Conv2d(in_channels, channels, 4, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True)]
    ]
    for level in range(1, layers + 1):
        before, width = widths[level - 1 : level + 1]
        convolution = nn.Conv2d(before, width, 4, stride=2 if level < layers else 1, padding=2)
        stages.append([convolution, norm(width), nn.LeakyReLU(0.2, inplace=True)])
    stages.append([nn.Conv2d(widths[-1], 1, 4, stride=1, padding=2)])
    return stages


class MultiscaleDiscriminator(nn.Module):
    """pix2pixHD's patch discriminators on an image pyramid (pix2pixHD, section 3.2).

    Each of the ``scales`` discriminators sees half the resolution of the one before, and has
    ``layers`` strided layers: the first of ``channels`` channels, doubled per layer up to 512.
    """

    def __init__(self, in_channels: int, channels: int, layers: int, scales: int) -> None:
        super().__init__()
        self.layers = layers
        self.scales = scales
        for scale in range(scales):
            stages = discriminator_stages(in_channels, channels, layers, normalization)
            for layer, stage in enumerate(stages):
                self.add_module(f"scale{scale}_layer{layer}", nn.Sequential(*stage))
        self.downsample = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Features:
        """(B, in_channels, H, W) -> per scale, finest first, layers + 2 maps, patch score last."""
        features: Features = []
        # scale0 is the coarsest: a checkpoint of two scales then fits the lower two of three.
        for scale in reversed(range(self.scales)):
            maps: list[Tensor] = []
            for layer in range(self.layers + 2):
                stage = self.get_submodule(f"scale{scale}_layer{layer}")
                maps.append(stage(maps[-1] if maps else x))
            features.append(maps)
            if scale:
                x = self.downsample(x)
        return features


def discriminator(
    in_channels: int, config: NetworkConfig, more_scales: int = 0
) -> MultiscaleDiscriminator:
    """The full-image discriminator of C + 3 channels of a frame, or 2 (C + 3) of a pair.

    ``more_scales`` than those of the configuration: 1 for a window of twice the size.
    """
    return MultiscaleDiscriminator(
        in_channels,
        config.discriminator_channels,
        config.discriminator_layers,
        config.discriminator_scales + more_scales,
    )
