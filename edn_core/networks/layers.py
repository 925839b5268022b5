"""Layers that the generators share, and the normalization of generators and discriminators."""

from torch import Tensor, nn


def normalization(channels: int) -> nn.Module:
    """Instance normalization as pix2pixHD's: eps 1e-5, nothing learnt, nothing remembered."""
    # Without affine weights and running statistics: nothing of it enters the state dict.
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


def first_layers(in_channels: int, channels: int) -> list[nn.Module]:
    """(B, in_channels, h, w) -> (B, channels, h, w)."""
    return [
        nn.ReflectionPad2d(3),
        nn.Conv2d(in_channels, channels, 7),
        normalization(channels),
        nn.ReLU(inplace=True),
    ]


def halve(channels: int) -> list[nn.Module]:
    """(B, channels, h, w) -> (B, 2 channels, h / 2, w / 2)."""
    return [
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        normalization(2 * channels),
        nn.ReLU(inplace=True),
    ]


def double(channels: int) -> list[nn.Module]:
    """(B, 2 channels, h, w) -> (B, channels, 2 h, 2 w)."""
    return [
        nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1),
        normalization(channels),
        nn.ReLU(inplace=True),
    ]


def last_layers(channels: int, out_channels: int) -> list[nn.Module]:
    """(B, channels, h, w) -> (B, out_channels, h, w) in [-1, 1]."""
    return [nn.ReflectionPad2d(3), nn.Conv2d(channels, out_channels, 7), nn.Tanh()]


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions of x; shape (B, C, h, w) is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            normalization(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            normalization(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, channels, h, w)."""
        return x + self.conv_block(x)
