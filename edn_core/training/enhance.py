"""Enhance: the local enhancer paints the whole window (pix2pixHD, section 3.1; the paper's 3.4).

Body and temporal have trained the coarse generator at half of it. Losses are temporal's.
"""

from typing import cast

from torch import nn

from edn_core.checkpoint import core_network
from edn_core.config import TrainingConfig
from edn_core.logs import LOGGER
from edn_core.networks import (
    LocalEnhancer,
    discriminator,
    enhance_from,
    enhancer,
    extend_from,
    initialize,
)
from edn_core.training.stage import Networks, Stage, Start
from edn_core.training.temporal import losses


def build(start: Start) -> dict[str, nn.Module]:
    """The local enhancer around the coarse generator, and a discriminator of one more scale.

    Of the coarse generator all but its last layer is carried over, of its discriminator all: every
    scale goes on judging the resolution it was trained at. The enhancer's own layers begin at
    random, the one that paints among them: the first pictures are noise, as in pix2pixHD.
    """
    if start.previous is None:
        raise ValueError(
            "the enhance stage starts from a generator trained at half the window: train body and "
            "temporal first"
        )
    generator = enhancer(start.network, start.label_channels, start.has_matte)
    judge = discriminator(2 * (start.label_channels + 3), start.network, more_scales=1)
    local = cast(LocalEnhancer, core_network(generator))
    for network in (local, judge):
        initialize(network, start.seed)
    LOGGER.info(f"enhance: generator: {enhance_from(local, start.previous.weights)}")
    if start.discriminator is None:
        LOGGER.warning(
            "enhance: no discriminator.safetensors beside the temporal stage's generator: another "
            "one starts from nothing"
        )
    else:
        LOGGER.info(f"enhance: discriminator: {extend_from(judge, start.discriminator)}")
    return {"generator": generator, "discriminator": judge}


def fix_coarse(networks: Networks, training: TrainingConfig, done: float) -> None:
    """In the first part of the training only the enhancer's own layers learn (pix2pixHD).

    A fixed weight has no gradient, so the optimizer neither moves it nor begins its moments.
    ``done`` is how much of the training is, 0 to 1.
    """
    local = cast(LocalEnhancer, core_network(networks["generator"]))
    local.model.requires_grad_(done >= training.fix_coarse)


ENHANCE = Stage("enhance", build, losses, architecture="enhancer", fix=fix_coarse)
