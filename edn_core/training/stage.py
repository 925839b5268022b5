"""What a training stage is: networks, what is trained, and from which terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from edn_core.checkpoint import TrainedGenerator, Weights
from edn_core.config import NetworkConfig, StageConfig, TrainingConfig
from edn_core.losses import feature_matching_loss, gan_loss, l1_loss, perceptual_loss
from edn_core.networks import Features, Vgg19Features

Networks = Mapping[str, nn.Module]
Terms = dict[str, torch.Tensor]
Batch = dict[str, Any]
"""As Feed.batch describes it."""


@dataclass(frozen=True)
class Start:
    """What a stage's networks are built from."""

    network: NetworkConfig  # sizes
    label_channels: int  # channels of a label
    has_matte: bool  # whether the dancer is painted alone, with his matte
    previous: TrainedGenerator | None  # the generator of the stage before; None for the first stage
    discriminator: Weights | None  # that stage's discriminator; None where its file is gone
    seed: torch.Generator  # torch generator for the weights drawn anew


@dataclass(frozen=True)
class Weighting:
    """Weights of the loss terms."""

    config: StageConfig  # of the stage, with the weights
    vgg: Vgg19Features | None  # the perceptual network, or None
    vgg19_input: str = "reference"  # how images enter it
    face_side: int = 0  # of the face boxes, px

    def image_term(
        self,
        fake: torch.Tensor,
        real: torch.Tensor,
        frames: int = 1,
        matte: torch.Tensor | None = None,
    ) -> Terms:
        """Perceptual loss, or the L1 term that stands in for it, summed over the frames of a pair.

        Fake and real are (frames * B, 3, H, W), all frames of all pairs in one pass; the true matte
        (frames * B, 1, H, W) is for the weight of the dancer's pixels.
        """
        if self.vgg is not None:
            weight = frames * self.config.perceptual
            distance = perceptual_loss(self.vgg, fake, real, self.vgg19_input)
            return {"perceptual": weight * distance}
        if matte is not None and self.config.person:
            counts = 1 + self.config.person * matte
            counts = counts / counts.mean(dim=(1, 2, 3), keepdim=True)
            fake, real = fake * counts, real * counts
        return {"l1": frames * self.config.l1 * l1_loss(fake, real)}

    def matte_term(
        self, painted: torch.Tensor | None, truth: torch.Tensor | None, frames: int = 1
    ) -> Terms:
        """L1 between the painted matte and the true one (frames * B, 1, H, W); none without one."""
        if truth is None or painted is None:
            return {}
        return {"matte": frames * self.config.matte * l1_loss(painted, truth)}

    def judged(
        self, judge: nn.Module, labels: torch.Tensor, real: torch.Tensor, fake: torch.Tensor
    ) -> tuple[Terms, Terms]:
        """Weighted GAN and feature matching terms of the generator, GAN terms of the discriminator.

        The discriminator sees every image once; the step takes each side's gradients for its own
        parameters only, so the result is that of passes of its own for each use. Labels are (B, C,
        H, W), real and fake (not detached) are (B, 3 * frames, H, W): of one frame or of a pair.
        """
        pictures = [torch.cat([labels, images], dim=1) for images in (real, fake)]
        if fake.is_cuda:
            # As a pass for each: instance normalization treats every item by itself.
            features = judge(torch.cat(pictures))
            score_real, score_fake = (
                [[layer.chunk(2)[half] for layer in scale] for scale in features] for half in (0, 1)
            )
        else:
            # A CPU gains nothing by the larger batch, and saves the gradients of the real half
            # that the generator's side would throw away.
            score_real, score_fake = (judge(one) for one in pictures)
        generator_terms = {
            "gan": self.config.gan * gan_loss(score_fake, is_real=True),
            "feature_matching": self.config.feature_matching
            * feature_matching_loss(score_fake, score_real),
        }
        return generator_terms, discriminator_terms(score_real, score_fake)


def discriminator_terms(score_real: Features, score_fake: Features) -> Terms:
    """The discriminator's side of the GAN loss."""
    return {
        "real": 0.5 * gan_loss(score_real, is_real=True),
        "fake": 0.5 * gan_loss(score_fake, is_real=False),
    }


class Painted(NamedTuple):
    """What a generator gives."""

    image: torch.Tensor  # (B, 3, H, W) in [-1, 1]; where it paints the dancer alone, on ground 0
    matte: torch.Tensor | None  # his, (B, 1, H, W) in [0, 1]; None of a whole picture

    def where(self, filmed: torch.Tensor | None) -> "Painted":
        """The same without what nobody knows: 0 where ``filmed`` (B, 1, H, W) is 0."""
        if filmed is None or self.matte is None:
            return self
        return Painted(self.image * filmed, self.matte * filmed)


def generate(generator: nn.Module, label: torch.Tensor, previous: torch.Tensor) -> Painted:
    """One frame of the whole window's generator.

    From the label (B, C, H, W) in [0, 1] and the picture before (B, 3, H, W) in [-1, 1]; zeros for
    the first frame.
    """
    output = generator(torch.cat([label, previous], dim=1))
    return Painted(output[:, :3], output[:, 3:] if output.shape[1] > 3 else None)


def both(batch: Batch, name: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Of a pair of frames, what the batch has of each; None where it has none."""
    return tuple(batch[name].unbind(dim=1)) if name in batch else (None, None)


@dataclass(frozen=True)
class Stage:
    """One training stage."""

    name: str  # as in the configuration
    build: Callable[[Start], dict[str, nn.Module]]  # makes the networks from what came before
    # (networks, batch, weighting) -> (generator terms, discriminator terms), weighted
    losses: Callable[[Networks, Batch, Weighting], tuple[Terms, Terms]]
    generator: str = "generator"  # which network is trained as such; its average is saved
    discriminator: str = "discriminator"  # likewise
    needs_face: bool = False  # only frames with a face are of use
    # trained for each frame that is validated, so that this takes a tenth (measured on a CPU)
    pairs_per_frame: int = 2
    architecture: str | None = "halved"  # of networks.ARCHITECTURES; None: the stage before's
    # called before every step with the networks, the options and how much of the training is done
    # (0 to 1): which weights are fixed follows from that alone
    fix: Callable[[Networks, TrainingConfig, float], None] | None = None

    @property
    def is_halved(self) -> bool:
        """Whether it is trained at half the window, as pix2pixHD's global generator is."""
        return self.architecture == "halved"
