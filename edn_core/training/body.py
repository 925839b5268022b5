"""Body: every frame by itself (the paper's frame-by-frame model; previous output = zeros)."""

import torch
from torch import nn

from edn_core.checkpoint import core_network
from edn_core.networks import discriminator, generator, initialize
from edn_core.training.stage import (
    Batch,
    Networks,
    Stage,
    Start,
    Terms,
    Weighting,
    both,
    generate,
)


def build(start: Start) -> dict[str, nn.Module]:
    """Fresh generator, and a discriminator of [label, image]."""
    networks: dict[str, nn.Module] = {
        "generator": generator(start.network, start.label_channels, start.has_matte),
        "discriminator": discriminator(start.label_channels + 3, start.network),
    }
    for network in networks.values():
        initialize(core_network(network), start.seed)
    # The previous output is always zero here, so its weights would stay the noise they are drawn
    # as, and disturb whoever feeds an output back: validation, synthesis, the temporal stage.
    first = next(one for one in networks["generator"].modules() if isinstance(one, nn.Conv2d))
    with torch.no_grad():
        first.weight[:, start.label_channels :] = 0
    return networks


def losses(networks: Networks, batch: Batch, weighting: Weighting) -> tuple[Terms, Terms]:
    """Full objective of one frame, the last (paper, equation 1 without the temporal terms)."""
    label, image = batch["label"][:, -1], batch["image"][:, -1]
    matte, filmed = both(batch, "matte")[-1], both(batch, "filmed")[-1]
    painted = generate(networks["generator"], label, torch.zeros_like(image)).where(filmed)
    generator_terms, discriminator_terms = weighting.judged(
        networks["discriminator"], label, image, painted.image
    )
    generator_terms |= weighting.image_term(painted.image, image, matte=matte)
    return generator_terms | weighting.matte_term(painted.matte, matte), discriminator_terms


BODY = Stage(name="body", build=build, losses=losses, pairs_per_frame=3)
