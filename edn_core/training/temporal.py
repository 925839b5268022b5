"""Temporal: two frames in a row, the second fed the first (paper, section 3.1, equation 1)."""

from collections.abc import Sequence

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
            "temporal: no discriminator.safetensors beside the body stage's generator: another one starts "
            "from nothing"
        )
        initialize(networks["discriminator"], start.seed)
    else:
        networks["discriminator"].load_state_dict(
            widen_discriminator_for_pairs(start.discriminator, start.label_channels)
        )
    return networks


def losses(networks: Networks, batch: Batch, weighting: Weighting) -> tuple[Terms, Terms]:
    """Full objective of frames in a row; every pair of neighbours is judged.

    The paper has two frames, the first fed zeros; with more, terms are means over the pairs and the
    frames, so that their weights stay those of one pair. No output is detached: a later frame
    teaches the earlier ones too. Before them may come warm-up frames, which are not learned from:
    the first frame is then fed the last of them.
    """
    generator, background = networks["generator"], batch.get("background")
    labels, images = batch["label"].unbind(dim=1), batch["image"].unbind(dim=1)
    fakes: list[torch.Tensor] = []
    previous = torch.zeros_like(images[0])
    first = weighting.warm_up_frames
    with torch.no_grad():
        for label in labels[:first]:
            previous = generate(generator, label, previous, background)
    labels, images = labels[first:], images[first:]
    for label in labels:
        previous = generate(generator, label, previous, background)
        fakes.append(previous)

    n_pairs = len(labels) - 1
    view = batch.get("view")
    if view is not None:
        view = {name: drawn.repeat(n_pairs, 1) for name, drawn in view.items()}
    generator_terms, discriminator_terms = weighting.judged(
        networks["discriminator"], _pairs(labels), _pairs(images), _pairs(fakes), view
    )
    fake, real = torch.cat(fakes), torch.cat(images)
    generator_terms |= weighting.image_term(fake, real, frames=2)
    if weighting.hand_crops:
        boxes = torch.cat(batch["hand_box"][:, first:].unbind(dim=1))
        generator_terms |= weighting.hand_term(fake, real, boxes, frames=2)
    return generator_terms, discriminator_terms


def _pairs(pictures: Sequence[torch.Tensor]) -> torch.Tensor:
    """L times (B, C, H, W) -> (B * (L - 1), 2 C, H, W): neighbours, pair after pair."""
    return torch.cat([torch.cat([*pictures[i : i + 2]], dim=1) for i in range(len(pictures) - 1)])


TEMPORAL = Stage(name="temporal", build=build, losses=losses, is_unrolled=True)
