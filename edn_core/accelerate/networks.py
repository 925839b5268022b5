"""Networks laid out for a device, compiled and recorded."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from edn_core.accelerate.recorded import Recorded
from edn_core.accelerate.switches import PLAIN, Acceleration, autocast, check_precision


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
        torch.backends.cudnn.benchmark = True  # all steps have one shape
    if not acceleration.compile:
        return
    is_frozen = device.type == "cpu" and not is_training
    for network in networks:
        if device.type == "cuda":
            # Eager normalization turns the channels outwards again, so only where it is compiled.
            # torch has no overload for a module alone.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.compile(dynamic=False, options={"freezing": True} if is_frozen else None)


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
) -> dict[str, nn.Module]:
    """The networks as synthesis calls them: fast on the device, float32 in and out.

    They must be on the device already, and not be trained any more. Refused: a precision (of
    products) that the device does not have.
    """
    check_precision(precision, device, "synthesis.precision")
    accelerate(networks.values(), device, acceleration)
    if precision == "float32" and not acceleration.cuda_graphs:
        return dict(networks)
    return {
        name: _ForInference(network, device, precision, acceleration.cuda_graphs)
        for name, network in networks.items()
    }
