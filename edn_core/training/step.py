"""One optimizer step of both sides."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from edn_core.accelerate import autocast
from edn_core.training.stage import Batch, Stage, Terms, Weighting

Reduce = Callable[[Iterable[nn.Parameter]], None]
"""What becomes of gradients before the optimizers use them: averaged over processes."""


def optimize(
    stage: Stage,
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    weighting: Weighting,
    batch: Batch,
    reduce: Reduce | None = None,
    precision: str = "float32",
) -> Terms:
    """One step: both sides' gradients from one forward pass, then both optimizers.

    Each side's gradients are taken for its own parameters only: the generator's terms would
    otherwise leave gradients in the discriminator.

    Args:
        stage: what is trained.
        networks: of the stage.
        optimizers: of its generator and its discriminator, by network.
        weighting: of the terms.
        batch: on the networks' device.
        reduce: called with each side's parameters once their gradients are there.
        precision: of products (autocast); losses are taken in float32 in any case.

    Returns:
        The weighted terms, detached, named G/... and D/....
    """
    with autocast(precision, batch["image"].device):
        sides = stage.losses(networks, batch, weighting)
    for name, terms in zip((stage.generator, stage.discriminator), sides, strict=True):
        optimizers[name].zero_grad(set_to_none=True)
        parameters = [one for one in networks[name].parameters() if one.requires_grad]
        # The sides share the discriminator's pass over real and fake.
        keep = name == stage.generator
        torch.stack(list(terms.values())).sum().backward(inputs=parameters, retain_graph=keep)
        if reduce is not None:
            reduce(parameters)
    for name in (stage.generator, stage.discriminator):
        optimizers[name].step()
    return {
        f"{side}/{name}": value.detach()
        for side, terms in zip("GD", sides, strict=True)
        for name, value in terms.items()
    }


def learning_rate(initial: float, step: int, total: int) -> float:
    """Constant for the first half of the steps, then linear to 0 (pix2pixHD's schedule)."""
    half = total / 2
    return initial * min(1.0, (total - step) / half)
