"""Temporal: two frames in a row, the second fed the first (paper, section 3.1, equation 1)."""

import torch
from torch import nn

from edn_core.logs import LOGGER
from edn_core.networks import discriminator, initialize, widen_discriminator_for_pairs
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
    """The body stage's generator, and a discriminator of [labels, images] of two frames."""
    if start.previous is None:
        raise ValueError(
            "the temporal stage starts from the body stage's generator: train it first"
        )
    networks = {
        "generator": start.previous.build_trained(),
        "discriminator": discriminator(2 * (start.label_channels + 3), start.network),
    }
    if start.discriminator is None:
        LOGGER.warning(
            "temporal: no discriminator.safetensors beside the body stage's generator: another one "
            "starts from nothing"
        )
        initialize(networks["discriminator"], start.seed)
    else:
        networks["discriminator"].load_state_dict(
            widen_discriminator_for_pairs(start.discriminator, start.label_channels)
        )
    return networks


def losses(networks: Networks, batch: Batch, weighting: Weighting) -> tuple[Terms, Terms]:
    """Full objective of a pair of frames (paper, equations 1 and 4).

    The first is fed zeros, the second the first; that is not detached, so the second frame teaches
    the first one too.
    """
    generator = networks["generator"]
    previous_label, label = batch["label"].unbind(dim=1)
    previous_image, image = batch["image"].unbind(dim=1)
    first = generate(generator, previous_label, torch.zeros_like(previous_image))
    second = generate(generator, label, first.image)
    painted = [
        one.where(filmed)
        for one, filmed in zip((first, second), both(batch, "filmed"), strict=True)
    ]
    fakes = [one.image for one in painted]

    generator_terms, discriminator_terms = weighting.judged(
        networks["discriminator"],
        labels=torch.cat([previous_label, label], dim=1),
        real=torch.cat([previous_image, image], dim=1),
        fake=torch.cat(fakes, dim=1),
    )
    mattes = torch.cat(batch["matte"].unbind(dim=1)) if "matte" in batch else None
    generator_terms |= weighting.image_term(
        torch.cat(fakes), torch.cat([previous_image, image]), frames=2, matte=mattes
    )
    found = [one.matte for one in painted if one.matte is not None]
    matte_term = weighting.matte_term(torch.cat(found) if found else None, mattes, frames=2)
    return generator_terms | matte_term, discriminator_terms


TEMPORAL = Stage(name="temporal", build=build, losses=losses)
