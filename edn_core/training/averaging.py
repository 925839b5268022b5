"""The running average of a generator's weights."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def average_weight(decay: float, count: int) -> float:
    """Part of the average that stays; rises from 0.1 to ``decay``: the first steps are forgotten.

    Args:
        decay: at the end, 0 to 1.
        count: weights averaged so far.
    """
    return min(decay, (1 + count) / (10 + count))


@torch.no_grad()
def update_average(averaged: AveragedModel, network: nn.Module, decay: float) -> None:
    """Take a network's weights into their running average; the first ones are copied.

    All weights at once: AveragedModel's own way takes several operations for each, and would wait
    for a GPU.

    Args:
        averaged: of the same network; its counter is on the CPU.
        network: after an optimizer step.
        decay: see average_weight.
    """
    count = int(averaged.n_averaged)
    means: list[torch.Tensor] = list(averaged.module.parameters())
    weights: list[torch.Tensor] = list(network.parameters())
    if count == 0:
        torch._foreach_copy_(means, weights)
    else:
        torch._foreach_lerp_(means, weights, 1 - average_weight(decay, count))
    averaged.n_averaged += 1
