"""Networks laid out for a device, compiled and recorded."""

import os
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from edn_core.accelerate.compiling import cache_folder, compiling_pays, seconds_per_call
from edn_core.accelerate.recorded import EAGER_CALLS, Recorded
from edn_core.accelerate.switches import PLAIN, Acceleration, autocast, check_precision

WORKSPACE_MB = "512"
"""Of a convolution in cuDNN, at most, by an environment variable that torch documents; the user's
own value wins. Where kernels are tried, those that want more are passed over."""


def accelerate(
    networks: Iterable[nn.Module],
    device: torch.device,
    acceleration: Acceleration = PLAIN,
    is_training: bool = False,
) -> None:
    """Make networks fast on the device where they are; state dicts stay what they are.

    Unless ``is_training``, a compiler may take their weights for constants.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUDNN_CONV_WSCAP_DBG", WORKSPACE_MB)
        torch.backends.cudnn.benchmark = True  # all steps have one shape
    if acceleration.compile:
        compile_networks(networks, device, is_training)


def compile_networks(
    networks: Iterable[nn.Module], device: torch.device, is_training: bool = False
) -> None:
    """Compile networks from their next call on, into the one cache; as ``accelerate`` says."""
    cache_folder()
    is_frozen = device.type == "cpu" and not is_training
    for network in networks:
        if device.type == "cuda":
            # Eager normalization turns the channels outwards again, so only where it is compiled.
            # torch has no overload for a module alone.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.compile(dynamic=False, options={"freezing": True} if is_frozen else None)


@torch.no_grad()
def lay_out_moments(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Adam's moments in memory as their weights are: the fused one goes by memory alone."""
    for optimizer in optimizers:
        for weights, moments in optimizer.state.items():
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
    work: tuple[Tensor, int] | None = None,
) -> dict[str, nn.Module]:
    """The networks as synthesis calls them: fast on the device, float32 in and out.

    They must be on the device already, and not be trained any more. ``work`` is an input of the
    generator and how many such will come: by them is decided whether compiling pays. Refused: a
    precision (of products) that the device does not have.
    """
    check_precision(precision, device, "synthesis.precision")
    accelerate(networks.values(), device, acceleration)

    def wrapped() -> dict[str, nn.Module]:
        if precision == "float32" and not acceleration.cuda_graphs:
            return dict(networks)
        return {
            name: _ForInference(network, device, precision, acceleration.cuda_graphs)
            for name, network in networks.items()
        }

    if acceleration.if_it_pays and work is not None:
        example, count = work
        generator = wrapped()["generator"]
        seconds = count * seconds_per_call(lambda: generator(example), device, EAGER_CALLS + 2)
        if compiling_pays(
            "synthesis", "synthesis", seconds, networks.values(), example.shape, precision
        ):
            compile_networks(networks.values(), device)
    return wrapped()
