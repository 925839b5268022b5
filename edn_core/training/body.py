"""Body: every frame by itself (the paper's frame-by-frame model; previous output = zeros)."""

from typing import Any

import torch
from torch import nn

from edn_core.checkpoint import core_network
from edn_core.losses import gan_loss
from edn_core.networks import discriminator, generator, initialize
from edn_core.training.stage import Networks, Stage, Start, Terms, Weighting


def build(start: Start) -> dict[str, nn.Module]:
    """Fresh generator, and a discriminator of [label, image]."""
    networks: dict[str, nn.Module] = {
        "generator": generator(start.network, start.label_channels, start.background),
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


def losses(networks: Networks, batch: dict[str, Any], weighting: Weighting) -> tuple[Terms, Terms]:
    """Full objective of one frame (paper, equation 1 without the temporal terms)."""
    label, image = batch["label"][:, 1], batch["image"][:, 1]
    fake = networks["generator"](torch.cat([label, torch.zeros_like(image)], dim=1))

    judge = networks["discriminator"]
    score_real = judge(torch.cat([label, image], dim=1))
    score_fake = judge(torch.cat([label, fake], dim=1))
    generator_terms = weighting.generator_terms(score_fake, score_real) | weighting.image_term(
        fake, image
    )
    discriminator_terms = {
        "real": 0.5 * gan_loss(score_real, is_real=True),
        "fake": 0.5 * gan_loss(judge(torch.cat([label, fake.detach()], dim=1)), is_real=False),
    }
    return generator_terms, discriminator_terms


BODY = Stage(name="body", build=build, losses=losses)
