"""Networks laid out for a device, compiled and recorded."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from edn_core.accelerate.compiling import compiling_pays, seconds_per_call
from edn_core.accelerate.recorded import Recorded
from edn_core.accelerate.switches import PLAIN, Acceleration, autocast, check_precision

WORKSPACE_MB = "512"
"""Of a convolution in cuDNN, at most, by an environment variable that torch documents; the user's
own value wins. Where kernels are tried, those that want more are passed over."""


def accelerate(
    networks: Iterable[nn.Module], device: torch.device, acceleration: Acceleration = PLAIN
) -> None:
    """Make networks fast on the device where they are; state dicts stay what they are."""
    if device.type == "cuda":
        os.environ.setdefault("CUDNN_CONV_WSCAP_DBG", WORKSPACE_MB)
        torch.backends.cudnn.benchmark = True  # all steps have one shape
    if not acceleration.compile:
        return
    for network in networks:
        if device.type == "cuda":
            # Eager normalization turns the channels outwards again, so only where it is compiled.
            # torch has no overload for a module alone.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.compile(dynamic=False)


@torch.no_grad()
def lay_out_moments(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Adam's moments in memory as their weights are: the fused one goes by memory alone."""
    for weights, moments in (item for each in optimizers for item in each.state.items()):
        for name, one in moments.items():
            if one.shape == weights.shape and one.stride() != weights.stride():
                moments[name] = torch.empty_like(weights).copy_(one)


class _ForInference(nn.Module):
    """A network without gradients, in a precision, recorded if asked for; float32 comes out."""

    def __init__(
        self, network: nn.Module, device: torch.device, precision: str, is_recorded: bool
    ) -> None:
        super().__init__()
        self.network, self._device, self._precision = network, device, precision
        self._run: Callable[[Tensor], Tensor] = self._forward
        if is_recorded:
            self._run = Recorded(self._forward, "synthesis")

    def forward(self, x: Tensor) -> Tensor:
        """As the network."""
        return self._run(x)

    def _forward(self, x: Tensor) -> Tensor:
        with torch.no_grad(), autocast(self._precision, self._device):
            result: Tensor = self.network(x)
        return result.float()


def accelerated_for_inference(
    networks: Mapping[str, nn.Module],
    device: torch.device,
    acceleration: Acceleration = PLAIN,
    precision: str = "float32",
    shape: tuple[int, ...] = (),
    count: int = 0,
) -> dict[str, nn.Module]:
    """The networks as synthesis calls them: fast on the device, float32 in and out.

    They must be on the device already, and not be trained any more. So many calls of the generator
    with this shape may be worth compiling. Refused: a precision that the device does not have.
    """
    check_precision(precision, device, "synthesis.precision")
    if acceleration.if_it_pays and count:
        acceleration, x = replace(acceleration, if_it_pays=False), torch.zeros(shape, device=device)
        fast = accelerated_for_inference(networks, device, acceleration, precision)["generator"]
        seconds = count * seconds_per_call(lambda: fast(x), device)
        pays = compiling_pays("synthesis", seconds, networks.values(), shape, precision)
        acceleration = replace(acceleration, compile=pays)
    accelerate(networks.values(), device, acceleration)
    if precision == "float32" and not acceleration.cuda_graphs:
        return dict(networks)
    return {
        name: _ForInference(network, device, precision, acceleration.cuda_graphs)
        for name, network in networks.items()
    }
