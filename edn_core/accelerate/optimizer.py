"""Adam with one kernel for all weights, whose steps a CUDA graph may hold."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def adam(
    parameters: Iterable[nn.Parameter],
    rate: float,
    betas: tuple[float, float],
    device: torch.device,
    is_recorded: bool = False,
) -> torch.optim.Adam:
    """Adam with one kernel for all weights.

    Args:
        parameters: to optimize.
        rate: learning rate; see set_rate.
        betas: of the moments.
        device: where the weights are.
        is_recorded: its steps go into a CUDA graph: counter and rate are on the device.
    """
    return torch.optim.Adam(
        parameters,
        lr=torch.tensor(rate, device=device) if is_recorded else rate,
        betas=betas,
        fused=True,
        capturable=is_recorded,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give an optimizer its learning rate, in place where a CUDA graph reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def adam_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """What to save of an optimizer: the same on every device."""
    state = optimizer.state_dict()
    for group in state["param_groups"]:
        group["lr"], group["capturable"] = float(group["lr"]), False
    return state


def restore_adam(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Give an optimizer the moments that were saved; how it computes stays its own."""
    own = [{name: group[name] for name in ("lr", "capturable")} for group in optimizer.param_groups]
    groups = [{**group, **kept} for group, kept in zip(state["param_groups"], own, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})
    # load_state_dict copies; a graph reads the tensor it was recorded with.
    for group, kept in zip(optimizer.param_groups, own, strict=True):
        group["lr"] = kept["lr"]
