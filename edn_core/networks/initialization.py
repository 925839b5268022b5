"""How weights begin."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def initialize(module: nn.Module, seed_generator: torch.Generator) -> None:
    """Draw all weights anew, from the given generator alone (pix2pixHD's distributions).

    Convolutions: weight N(0, 0.02), bias uniform in +-1 / sqrt(fan in), PyTorch's default.
    BatchNorm2d: weight N(1, 0.02), bias 0, running statistics reset.

    Args:
        module: changed in place.
        seed_generator: on the CPU; the same seed gives the same weights on every device.
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
