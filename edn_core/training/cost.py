"""What one training step costs: operations, bytes moved, memory; counted without doing it.

The real step function runs on tensors that have shapes but no values (FakeTensorMode), so that
sizes no machine at hand could bear can be counted in seconds.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from edn_core.checkpoint import core_network
from edn_core.config import Config, NetworkConfig, StageConfig, TrainingConfig
from edn_core.face import face_box_size
from edn_core.networks import (
    Vgg19Features,
    discriminator,
    enhancer,
    face_discriminator,
    face_generator,
    generator,
)
from edn_core.training import STAGES
from edn_core.training.run import ADAM_BETAS
from edn_core.training.stage import Stage, Weighting
from edn_core.training.step import optimize

_CONVOLUTIONS = {
    torch.ops.aten.convolution.default,
    torch.ops.aten.convolution_backward.default,
}


@dataclass(frozen=True)
class Cost:
    """Of one optimizer step, both sides.

    Attributes:
        flops: floating-point operations of convolutions (a multiplication and an addition are 2).
        convolution_bytes: read and written by them; what fused kernels cannot avoid.
        optimizer_bytes: read and written by Adam: 28 for each trained weight.
        fixed_bytes: weights, gradients, Adam's moments, the averaged generator, VGG19.
        peak_bytes: the most that is alive at one time, all of it included.
    """

    flops: int
    convolution_bytes: int
    optimizer_bytes: int
    fixed_bytes: int
    peak_bytes: int


def training_cost(
    stage: Stage,
    network: NetworkConfig,
    training: TrainingConfig,
    size: tuple[int, int],
    with_vgg19: bool = True,
    with_enhancer: bool = False,
) -> Cost:
    """Count one step of a stage.

    Args:
        stage: one of STAGES.
        network: sizes.
        training: precision, frames in a row, and the stage's batch size.
        size: (H, W) that the stage trains at, px; of stages before enhance half the canvas.
        with_vgg19: the perceptual loss, or the L1 term.
        with_enhancer: face after enhance: its frozen generator is the local enhancer.
    """
    config: StageConfig = getattr(training, stage.name)
    tracker = _Tracker()
    with FakeTensorMode(), tracker:
        networks = _networks(stage, network, with_enhancer)
        vgg = Vgg19Features().requires_grad_(False) if with_vgg19 else None
        weighting = Weighting(config, vgg)
        averaged = [
            value.clone() for value in core_network(networks[stage.generator]).state_dict().values()
        ]
        trained = [networks[name] for name in (stage.generator, stage.discriminator)]
        optimizers = {
            name: torch.optim.Adam(networks[name].parameters(), betas=ADAM_BETAS)
            for name in (stage.generator, stage.discriminator)
        }
        batch = _batch(stage, training, config.batch_size, size)
        cost = tracker.live
        for _ in range(2):  # Adam's moments are there from the first on
            tracker.begin()
            autocast = torch.autocast(
                "cpu", torch.bfloat16, enabled=training.precision == "bfloat16"
            )
            with FlopCounterMode(display=False) as counter, autocast:
                optimize(stage, networks, optimizers, weighting, batch)
            torch.clear_autocast_cache()
    n_trained = sum(one.numel() for module in trained for one in module.parameters())
    del averaged
    return Cost(
        flops=counter.get_total_flops(),
        convolution_bytes=tracker.convolution_bytes,
        optimizer_bytes=28 * n_trained,
        fixed_bytes=cost + 12 * n_trained,
        peak_bytes=tracker.peak,
    )


def _generators(network: NetworkConfig, with_enhancer: bool) -> dict[str, nn.Module]:
    make: Callable[..., nn.Module] = enhancer if with_enhancer else generator
    return {"generator": make(network, 3, None)}


def _networks(stage: Stage, network: NetworkConfig, with_enhancer: bool) -> dict[str, nn.Module]:
    """The stage's networks without the files and weights that its own build begins from."""
    networks = _generators(
        network, stage.name == "enhance" or (stage.name == "face" and with_enhancer)
    )
    if stage.name == "face":
        networks["generator"].requires_grad_(False)
        return networks | {
            "face_generator": face_generator(3, network),
            "face_discriminator": face_discriminator(3, network),
        }
    channels = 6 if stage.name == "body" else 12
    more = 1 if stage.name == "enhance" else 0
    return networks | {"discriminator": discriminator(channels, network, more_scales=more)}


class _Boxes:
    """Face boxes in the corner, which Python reads: a tensor without values has none to give."""

    def __init__(self, boxes: list[list[int]]) -> None:
        self._boxes = boxes

    def __getitem__(self, _: Any) -> "_Boxes":
        return self

    def tolist(self) -> list[list[int]]:
        return self._boxes


def _batch(
    stage: Stage, training: TrainingConfig, batch_size: int, size: tuple[int, int]
) -> dict[str, Any]:
    length = training.unroll_frames if stage.is_unrolled else 2
    side = face_box_size(size[0])
    return {
        "label": torch.zeros(batch_size, length, 3, *size),
        "image": torch.zeros(batch_size, length, 3, *size),
        "face_box": _Boxes([[0, 0, side, side]] * batch_size),
    }


class _Tracker(TorchDispatchMode):
    """Bytes of all storages that are alive, the most of them at one time, and convolutions'."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = self.convolution_bytes = 0
        self._known: dict[int, weakref.finalize] = {}

    def begin(self) -> None:
        """Forget peak and convolutions so far."""
        self.peak, self.convolution_bytes = self.live, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in _CONVOLUTIONS:
            tensors = [one for one in tree_leaves((args, result)) if isinstance(one, torch.Tensor)]
            self.convolution_bytes += sum(one.numel() * one.element_size() for one in tensors)
        for one in tree_leaves(result):
            if isinstance(one, torch.Tensor):
                self._note(one.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        if id(storage) in self._known:
            return
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        self._known[id(storage)] = weakref.finalize(storage, self._forget, id(storage), size)

    def _forget(self, number: int, size: int) -> None:
        self.live -= size
        del self._known[number]


OVERHEAD, CONTEXT_BYTES = 1.2, 600_000_000
"""What is taken beyond the bytes that are alive: for the allocator's gaps and the convolutions' own
buffers a fifth, as measured on a CPU (tests/test_cost.py); for a CUDA context a guess."""


def stage_costs(config: Config, size: tuple[int, int]) -> dict[str, Cost]:
    """The cost of a step of every stage of a configuration, with the perceptual loss.

    Args:
        config: networks and training.
        size: (H, W) of the canvas, px.
    """
    stages = config.training.stages
    costs = {}
    for name in stages:
        is_halved = "enhance" in stages and name in ("body", "temporal")
        costs[name] = training_cost(
            STAGES[name],
            config.network,
            config.training,
            (size[0] // 2, size[1] // 2) if is_halved else size,
            with_enhancer="enhance" in stages,
        )
    return costs


def needs_gb(costs: Iterable[Cost]) -> float:
    """GPU memory of a training whose stages cost this, in GB of 10**9 bytes."""
    return (OVERHEAD * max(cost.peak_bytes for cost in costs) + CONTEXT_BYTES) / 1e9


def preset_canvas(config: Config) -> tuple[int, int]:
    """(H, W) of a canvas twice as wide as high, which presets are counted for."""
    height = round((config.canvas.pixels / 2) ** 0.5)
    return height, 2 * height
