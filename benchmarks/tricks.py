"""Training steps and synthesis with every trick of speed switchable, for the benchmarks of speed.

Everything here runs where there is only torch and numpy. The plain way is how pix2pixHD's training
is usually written: the discriminator is asked three times, weights are averaged one after another,
every batch is made on the host.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from edn_core.accelerate import (
    Acceleration,
    Recorded,
    accelerate,
    accelerated_for_inference,
    adam,
)
from edn_core.config import NetworkConfig, StageConfig
from edn_core.losses import feature_matching_loss, gan_loss
from edn_core.networks import (
    Vgg19Features,
    discriminator,
    face_generator,
    generator,
    initialize,
)
from edn_core.networks.enhancer import enhancer
from edn_core.synthesize.step import synthesize_step
from edn_core.training.averaging import average_weight, update_average
from edn_core.training.finite import STEPS_BETWEEN_LOOKS, LossWatch
from edn_core.training.stage import Batch, Networks, Terms, Weighting
from edn_core.training.step import optimize
from edn_core.training.temporal import TEMPORAL

BETAS = (0.5, 0.999)
DECAY = 0.995
N_FRAMES = 16  # that batches are made of
FACE = 4  # the face box is so many times smaller than the canvas is high


@dataclass(frozen=True)
class Tricks:
    """What is switched on; nothing: the plain way."""

    one_pass: bool = False
    fused_adam: bool = False
    average_at_once: bool = False
    group_norm: bool = False
    resident: bool = False
    bfloat16: bool = False
    channels_last: bool = False
    compile: bool = False
    cuda_graphs: bool = False

    def with_(self, *names: str) -> "Tricks":
        """These, and more."""
        return replace(self, **dict.fromkeys(names, True))

    @property
    def precision(self) -> str:
        """Of products."""
        return "bfloat16" if self.bfloat16 else "float32"


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        name: to be printed.
        size: (H, W) px.
        network: sizes.
        is_training: a step on two frames in a row; otherwise the synthesis of a frame.
        is_enhanced: the local enhancer, and one more scale of the discriminator.
        has_vgg: the perceptual loss, with random weights.
        has_face: the face network too.
        batch: pairs of a step, or pieces of a video side by side.
        target: pairs or frames per second to be reached on an H200, or None.
    """

    name: str
    size: tuple[int, int]
    network: NetworkConfig
    is_training: bool
    is_enhanced: bool = False
    has_vgg: bool = False
    has_face: bool = False
    batch: int = 1
    target: float | None = None


def make(case: Case, tricks: Tricks, device: torch.device) -> Callable[[], Any]:
    """A function that makes one step of training, or the next frame of each piece."""
    return _training(case, tricks, device) if case.is_training else _synthesis(case, tricks, device)


def _networks(case: Case, tricks: Tricks, device: torch.device) -> dict[str, nn.Module]:
    seed = torch.Generator().manual_seed(0)
    plate = torch.rand(3, *case.size, generator=seed) * 2 - 1, torch.ones(1, *case.size)
    build = enhancer if case.is_enhanced else generator
    networks: dict[str, nn.Module] = {"generator": build(case.network, 3, plate)}
    if case.is_training:
        more = 1 if case.is_enhanced else 0
        networks["discriminator"] = discriminator(12, case.network, more_scales=more)
    if case.has_face:
        networks["face_generator"] = face_generator(3, case.network)
    for network in networks.values():
        initialize(getattr(network, "network", network), seed)
        if not tricks.group_norm:
            _use_instance_norm(network)
        network.to(device)
    return networks


def _use_instance_norm(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.InstanceNorm2d(child.num_channels))


def _use_layout(networks: Mapping[str, nn.Module], tricks: Tricks) -> None:
    for network in networks.values():
        if not tricks.channels_last:  # on a CPU accelerate has its own opinion
            network.to(memory_format=torch.contiguous_format)


def _acceleration(tricks: Tricks) -> Acceleration:
    return Acceleration(tricks.compile, tricks.channels_last, tricks.cuda_graphs)


def _training(case: Case, tricks: Tricks, device: torch.device) -> Callable[[], Terms]:
    networks = _networks(case, tricks, device)
    vgg = None
    if case.has_vgg:
        vgg = Vgg19Features().requires_grad_(False).eval().to(device)
    weighting = Weighting(StageConfig(steps=1), vgg)
    averaged = AveragedModel(
        networks["generator"], avg_fn=None if tricks.average_at_once else _averaged_one_by_one
    )
    trained = [*networks.values(), *([vgg] if vgg else [])]
    accelerate(trained, device, _acceleration(tricks), is_training=True)
    _use_layout(networks, tricks)
    optimizers: dict[str, torch.optim.Optimizer] = {}
    for name in ("generator", "discriminator"):
        own = networks[name].parameters()
        if tricks.fused_adam:
            optimizers[name] = adam(own, 2e-4, BETAS, device, is_recorded=tricks.cuda_graphs)
        else:
            optimizers[name] = torch.optim.Adam(own, lr=2e-4, betas=BETAS)
    stage = TEMPORAL if tricks.one_pass else replace(TEMPORAL, losses=separate_losses)

    def compute(batch: Batch) -> Terms:
        return optimize(stage, networks, optimizers, weighting, batch, precision=tricks.precision)

    run: Callable[[Batch], Terms] = Recorded(compute, case.name) if tricks.cuda_graphs else compute
    batches = _batches(case, tricks.resident, device)
    between = STEPS_BETWEEN_LOOKS if device.type == "cuda" else 1
    watch = LossWatch("benchmark", 2e-4, between)
    count = 0

    def step() -> Terms:
        nonlocal count
        count += 1
        terms = run(next(batches))
        if tricks.average_at_once:
            watch.note(terms, count)
            update_average(averaged, networks["generator"], DECAY)
            return terms
        assert all(torch.isfinite(value) for value in terms.values())
        averaged.update_parameters(networks["generator"])
        return terms

    return step


def _averaged_one_by_one(
    averaged: torch.Tensor, current: torch.Tensor, count: torch.Tensor | int
) -> torch.Tensor:
    return averaged + (current - averaged) * (1 - average_weight(DECAY, int(count)))


def separate_losses(networks: Networks, batch: Batch, weighting: Weighting) -> tuple[Terms, Terms]:
    """The temporal stage's terms, the discriminator asked once for each use of its answer."""
    network, judge = networks["generator"], networks["discriminator"]
    labels, images = batch["label"].unbind(dim=1), batch["image"].unbind(dim=1)
    first = network(torch.cat([labels[0], torch.zeros_like(images[0])], dim=1))
    fakes = [first, network(torch.cat([labels[1], first], dim=1))]
    fake_input = torch.cat([*labels, *fakes], dim=1)
    score_real = judge(torch.cat([*labels, *images], dim=1))
    score_fake = judge(fake_input)
    config = weighting.config
    of_generator = {
        "gan": config.gan * gan_loss(score_fake, is_real=True),
        "feature_matching": config.feature_matching * feature_matching_loss(score_fake, score_real),
    }
    of_generator |= weighting.image_term(torch.cat(fakes), torch.cat(images), frames=2)
    of_discriminator = {
        "real": 0.5 * gan_loss(score_real, is_real=True),
        "fake": 0.5 * gan_loss(judge(fake_input.detach()), is_real=False),
    }
    return of_generator, of_discriminator


def _batches(case: Case, is_resident: bool, device: torch.device) -> Iterator[Batch]:
    """Pairs of random pictures: made on the host and sent, or on the device from bytes there."""
    seed = torch.Generator().manual_seed(1)
    shape = (N_FRAMES, *case.size, 3)
    stored = [torch.randint(0, 256, shape, generator=seed).byte() for _ in range(2)]
    if is_resident:
        stored = [one.to(device) for one in stored]
    step = 0
    while True:
        rows = torch.tensor([[(step + i) % (N_FRAMES - 1)] * 2 for i in range(case.batch)])
        rows[:, 1] += 1
        step += case.batch
        if is_resident:
            rows = rows.to(device)  # the loader of the training does not wait for the device here
            label, image = (one[rows].permute(0, 1, 4, 2, 3).contiguous() for one in stored)
            yield {"label": label.float() / 255, "image": image.float() / 127.5 - 1}
            continue
        label, image = (
            torch.stack(
                [torch.stack([one[row].permute(2, 0, 1).float() for row in run]) for run in rows]
            )
            for one in stored
        )
        yield {
            "label": (label / 255).to(device, non_blocking=True),
            "image": (image / 127.5 - 1).to(device, non_blocking=True),
        }


@torch.no_grad()
def _synthesis(case: Case, tricks: Tricks, device: torch.device) -> Callable[[], torch.Tensor]:
    networks = {
        name: network.eval().requires_grad_(False)
        for name, network in _networks(case, tricks, device).items()
    }
    fast = accelerated_for_inference(networks, device, _acceleration(tricks), tricks.precision)
    _use_layout(networks, tricks)
    label = torch.rand(case.batch, 3, *case.size, device=device)
    side = case.size[0] // FACE
    boxes = torch.tensor([[8, 4, 8 + side, 4 + side]] * case.batch, device=device)
    previous = torch.zeros(case.batch, 3, *case.size, device=device)

    @torch.no_grad()
    def step() -> torch.Tensor:
        nonlocal previous
        with_face = (boxes, side) if case.has_face else ()
        previous = synthesize_step(fast, label, previous, *with_face)
        return previous

    return step


@dataclass(frozen=True)
class Work:
    """Of one step: operations, the bytes convolutions must move in bfloat16, Adam's bytes."""

    flops: int
    convolution_bytes: int
    adam_bytes: int


def count(case: Case, device: torch.device) -> Work:
    """Count one step, as it is done with one pass of the discriminator and nothing else switched.

    A multiplication and an addition are two operations.
    """
    step = make(case, Tricks(group_norm=True, one_pass=True), device)
    moved = _Moved()
    with moved, FlopCounterMode(display=False) as counter:
        step()
    weights = 0
    if case.is_training:
        networks = _networks(case, Tricks(), torch.device("cpu"))
        weights = sum(one.numel() for net in networks.values() for one in net.parameters())
    return Work(counter.get_total_flops(), moved.bytes, 28 * weights)


class _Moved(TorchDispatchMode):
    """Adds up what convolutions read and write, at two bytes a number."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if "convolution" in func.name():
            tensors = [one for one in tree_leaves((args, result)) if isinstance(one, torch.Tensor)]
            self.bytes += 2 * sum(one.numel() for one in tensors)
        return result
