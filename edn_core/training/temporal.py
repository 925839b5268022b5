"""Temporal: two frames in a row, the second fed the first (paper, section 3.1, equation 1)."""

from typing import Any

import torch
from torch import nn

from edn_core.logs import LOGGER
from edn_core.losses import gan_loss
from edn_core.networks import discriminator, initialize, widen_discriminator_for_pairs
from edn_core.training.stage import Networks, Stage, Start, Terms, Weighting


def build(start: Start) -> dict[str, nn.Module]:
    """The body stage's generator, and a discriminator of [labels, images] of two frames."""
    if start.previous is None:
        raise ValueError(
            "the temporal stage starts from the body stage's generator: train it first"
        )
    networks = {
        "generator": start.previous.build()["generator"],
        "discriminator": discriminator(2 * (start.label_channels + 3), start.network),
    }
    if start.discriminator is None:
        LOGGER.warning(
            "temporal: no discriminator.pt beside the body stage's generator: another one starts "
            "from nothing"
        )
        initialize(networks["discriminator"], start.seed)
    else:
        networks["discriminator"].load_state_dict(
            widen_discriminator_for_pairs(start.discriminator, start.label_channels)
        )
    return networks


def losses(networks: Networks, batch: dict[str, Any], weighting: Weighting) -> tuple[Terms, Terms]:
    """Full objective of a pair; the first output is not detached, so the second teaches it too."""
    generator, judge = networks["generator"], networks["discriminator"]
    previous_label, label = batch["label"].unbind(dim=1)
    previous_image, image = batch["image"].unbind(dim=1)
    previous_fake = generator(torch.cat([previous_label, torch.zeros_like(previous_image)], dim=1))
    fake = generator(torch.cat([label, previous_fake], dim=1))

    labels = torch.cat([previous_label, label], dim=1)
    fake_pair = torch.cat([labels, previous_fake, fake], dim=1)
    score_real = judge(torch.cat([labels, previous_image, image], dim=1))
    score_fake = judge(fake_pair)
    generator_terms = weighting.generator_terms(score_fake, score_real) | weighting.image_term(
        torch.cat([previous_fake, fake]), torch.cat([previous_image, image]), frames=2
    )
    discriminator_terms = {
        "real": 0.5 * gan_loss(score_real, is_real=True),
        "fake": 0.5 * gan_loss(judge(fake_pair.detach()), is_real=False),
    }
    return generator_terms, discriminator_terms


TEMPORAL = Stage(name="temporal", build=build, losses=losses)
