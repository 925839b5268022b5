"""What a training stage is: networks, what is trained, and from which terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edn_core.checkpoint import TrainedGenerator, Weights
from edn_core.config import NetworkConfig, StageConfig
from edn_core.losses import feature_matching_loss, gan_loss, l1_loss, perceptual_loss
from edn_core.networks import Features, Vgg19Features

Networks = Mapping[str, nn.Module]
Terms = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Start:
    """What a stage's networks are built from.

    Attributes:
        network: sizes.
        label_channels: channels of a label.
        background: plate (3, H, W) in [-1, 1] and seen (1, H, W), or None.
        previous: the generator of the stage before; None for the first stage.
        discriminator: that stage's discriminator; None where its file is gone.
        seed: torch generator for the weights drawn anew.
    """

    network: NetworkConfig
    label_channels: int
    background: tuple[torch.Tensor, torch.Tensor] | None
    previous: TrainedGenerator | None
    discriminator: Weights | None
    seed: torch.Generator


@dataclass(frozen=True)
class Weighting:
    """Weights of the loss terms, the perceptual network or None, and how images enter it."""

    config: StageConfig
    vgg: Vgg19Features | None
    vgg19_input: str = "reference"

    def image_term(self, fake: torch.Tensor, real: torch.Tensor, frames: int = 1) -> Terms:
        """Perceptual loss, or the L1 term that stands in for it, summed over the frames of a pair.

        Args:
            fake: (frames * B, 3, H, W), all frames of all pairs in one pass.
            real: the truth, likewise.
            frames: how many of them belong together.
        """
        if self.vgg is not None:
            weight = frames * self.config.perceptual
            distance = perceptual_loss(self.vgg, fake, real, self.vgg19_input)
            return {"perceptual": weight * distance}
        return {"l1": frames * self.config.l1 * l1_loss(fake, real)}

    def generator_terms(self, score_fake: Features, score_real: Features) -> Terms:
        """GAN and feature matching terms of the generator."""
        return {
            "gan": self.config.gan * gan_loss(score_fake, is_real=True),
            "feature_matching": self.config.feature_matching
            * feature_matching_loss(score_fake, score_real),
        }


@dataclass(frozen=True)
class Stage:
    """One training stage.

    Attributes:
        name: as in the configuration.
        build: makes the networks from what came before.
        losses: (networks, batch, weighting) -> (generator terms, discriminator terms), weighted.
        generator: which network the generator's optimizer trains; its average is saved.
        discriminator: which network the discriminator's optimizer trains.
        needs_face: only frames with a face are of use.
    """

    name: str
    build: Callable[[Start], dict[str, nn.Module]]
    losses: Callable[[Networks, dict[str, Any], Weighting], tuple[Terms, Terms]]
    generator: str = "generator"
    discriminator: str = "discriminator"
    needs_face: bool = False
