"""Layers that the generators share, and the normalization of generators and discriminators."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MATRIX_WEIGHTS = 2**20
"""Smaller layers gain nothing by being one matrix product."""


def normalization(channels: int) -> nn.Module:
    """Instance normalization as pix2pixHD's: eps 1e-5, nothing learnt, nothing remembered."""
    # A group of its own for each channel is instance normalization, and on a CPU torch does that
    # several times as fast. Without affine weights nothing of it enters the state dict.
    return nn.GroupNorm(channels, channels, affine=False)


class Convolution(nn.Conv2d):
    """A convolution that can be computed in more than one way.

    The results differ by rounding only; which way is fast depends on the device (``accelerate``).

    Attributes:
        way: ``direct``: as torch does it. ``matrix``: as one matrix product, where the weights are
            larger than the picture. ``blocks``: four neighbouring outputs at once, where there are
            few output channels; wants stride 1 and no padding. ``packed``: with weights that oneDNN
            has brought into its own order once; they must not change any more, and nothing is
            differentiated. All three are for float32 on a CPU; anything else is done directly.
    """

    way = "direct"
    _packed: tuple[torch.Size, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, h, w)."""
        is_compiled = torch.compiler.is_compiling()  # or exported: a compiler has ways of its own
        is_float32 = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        if self.way == "direct" or not x.is_cpu or not is_float32 or is_compiled:
            return super().forward(x)
        if self.way == "packed" and not torch.is_grad_enabled():
            return self._with_packed_weights(x)
        if self.way == "matrix" and x.numel() < self.weight.numel() >= MATRIX_WEIGHTS:
            return self._as_matrices(x) if x.is_contiguous() else super().forward(x)
        if self.way == "blocks" and self._is_even(x):
            return self._by_blocks(x)
        return super().forward(x)

    def _is_even(self, x: Tensor) -> bool:
        is_simple = self.stride == (1, 1) and self.padding == (0, 0)
        return is_simple and not any((x.shape[2 + i] - self.kernel_size[i] + 1) % 2 for i in (0, 1))

    def _as_matrices(self, x: Tensor) -> Tensor:
        # oneDNN would bring the weights into another order at every call; this reads them once.
        result: Tensor = torch.ops.aten.thnn_conv2d(
            x, self.weight, self.kernel_size, self.bias, self.stride, self.padding
        )
        return result

    def _by_blocks(self, x: Tensor) -> Tensor:
        # oneDNN computes 16 output channels at a time, used or not. The kernel, shifted four ways
        # in a window one larger, makes each block of 2 x 2 outputs four channels of one.
        shifts = [(left, 1 - left, top, 1 - top) for top in range(2) for left in range(2)]
        weight = torch.stack([F.pad(self.weight, shift) for shift in shifts], dim=1).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, weight, bias, stride=2), 2)

    def _with_packed_weights(self, x: Tensor) -> Tensor:
        # What torch.compile's freezing does, without its minutes of compiling.
        how = (self.padding, self.stride, self.dilation, self.groups)
        if self._packed is None or self._packed[0] != x.shape:
            pack = torch.ops.mkldnn._reorder_convolution_weight
            self._packed = x.shape, pack(self.weight.detach(), *how, x.shape)
        convolve = torch.ops.mkldnn._convolution_pointwise
        result: Tensor = convolve(x, self._packed[1], self.bias, *how, "none", [], "")
        return result


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
        Convolution(in_channels, channels, 7),
        normalization(channels),
        nn.ReLU(inplace=True),
    ]


def halve(channels: int) -> list[nn.Module]:
    """(B, channels, h, w) -> (B, 2 channels, h / 2, w / 2)."""
    return [
        Convolution(channels, 2 * channels, 3, stride=2, padding=1),
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
    return [nn.ReflectionPad2d(3), Convolution(channels, out_channels, 7), PreciseTanh()]


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions of x; shape (B, C, h, w) is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            Convolution(channels, channels, 3),
            normalization(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            Convolution(channels, channels, 3),
            normalization(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, channels, h, w)."""
        return x + self.conv_block(x)
