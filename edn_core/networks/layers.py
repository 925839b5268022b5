"""Layers that the networks share, and how their weights begin."""

import torch
from torch import Tensor, nn


def normalization(channels: int) -> nn.Module:
    """Instance normalization as pix2pixHD's: eps 1e-5, nothing learnt, nothing remembered."""
    # A group of its own for each channel is instance normalization, and on a CPU torch does that
    # several times as fast. Without affine weights nothing of it enters the state dict.
    return nn.GroupNorm(channels, channels, affine=False)


def at_least_float32(x: Tensor) -> Tensor:
    """Numbers of half the bits (autocast) in float32; others as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class PreciseTanh(nn.Module):
    """tanh, in float32 also under autocast: the picture has 256 levels to tell apart."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, values in [-1, 1]."""
        return torch.tanh(at_least_float32(x))


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
    return [nn.ReflectionPad2d(3), nn.Conv2d(channels, out_channels, 7), PreciseTanh()]


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


@torch.no_grad()
def initialize(module: nn.Module, seed_generator: torch.Generator) -> None:
    """Draw all weights anew, from the given generator alone (pix2pixHD's distributions).

    Convolutions: weight N(0, 0.02), bias uniform in +-1 / sqrt(fan in), PyTorch's default.
    BatchNorm2d: weight N(1, 0.02), bias 0, running statistics reset. Drawn on the CPU: the same
    seed gives the same weights on every device.
    """

    def draw(tensor: Tensor, mean: float, deviation: float) -> None:
        drawn = torch.empty(tensor.shape).normal_(mean, deviation, generator=seed_generator)
        tensor.copy_(drawn)

    for one in module.modules():
        if isinstance(one, nn.Conv2d | nn.ConvTranspose2d):
            draw(one.weight, 0.0, 0.02)
            if one.bias is not None:
                # PyTorch takes the second axis for the fan in, also of transposed convolutions.
                bound = one.weight[0].numel() ** -0.5
                drawn = torch.empty(one.bias.shape).uniform_(
                    -bound, bound, generator=seed_generator
                )
                one.bias.copy_(drawn)
        elif isinstance(one, nn.BatchNorm2d):
            draw(one.weight, 1.0, 0.02)
            one.bias.zero_()
            one.reset_running_stats()
