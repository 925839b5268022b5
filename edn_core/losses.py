"""The losses, pure and unweighted: weights belong to the stage (config's StageConfig).

Least-squares GAN, feature matching and VGG19 perceptual loss as in pix2pixHD (Wang et al. 2018,
section 3), which Everybody Dance Now (Chan et al. 2019, equations 2 and 4) takes over.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from edn_core.networks import Features

PERCEPTUAL_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 (pix2pixHD)."""


def gan_loss(features: Features, is_real: bool) -> Tensor:
    """Least-squares GAN loss of a discriminator's patch scores.

    The squared distance of the scores to 1 (real) or 0 (fake), averaged within each patch map and
    summed over scales.

    Args:
        features: of a discriminator; gradients flow through the last layer of each scale, and on
            into whatever the discriminator was given: detach images that shall not learn.
        is_real: whether the scores should say "real". The generator's own term is
            ``gan_loss(score_of_fake, is_real=True)``.

    Returns:
        () scalar, unweighted.
    """
    total = features[0][-1].new_zeros(())
    for scale in features:
        score = scale[-1]
        total = total + F.mse_loss(score, torch.full_like(score, float(is_real)))
    return total


def feature_matching_loss(fake: Features, real: Features) -> Tensor:
    """Mean L1 distance between discriminator features of fake and real images.

    The patch score (last layer) is left out: gan_loss owns it. Each layer counts
    4 / (number of layers - 1) and each scale 1 / number of scales, as in pix2pixHD.

    Args:
        fake: features of the generated images; gradients flow through these.
        real: features of the real images; detached here.

    Returns:
        () scalar, unweighted; config's ``feature_matching`` weight is applied by the stage.
    """
    total = fake[0][0].new_zeros(())
    for fake_scale, real_scale in zip(fake, real, strict=True):
        for fake_layer, real_layer in zip(fake_scale[:-1], real_scale[:-1], strict=True):
            distance = F.l1_loss(fake_layer, real_layer.detach())
            total = total + distance * 4 / (len(fake_scale) - 1)
    return total / len(fake)


def perceptual_loss(vgg: Callable[[Tensor], list[Tensor]], fake: Tensor, real: Tensor) -> Tensor:
    """L1 distance between VGG19 features of fake and real images.

    Summed over five layers with weights 1/32, 1/16, 1/8, 1/4 and 1. The images enter the network
    as they are, in [-1, 1], without ImageNet's mean and deviation: as in pix2pixHD.

    Args:
        vgg: a Vgg19Features; its weights are frozen.
        fake: (B, 3, H, W) in [-1, 1]; gradients flow through this.
        real: (B, 3, H, W) in [-1, 1]; no gradient is recorded.

    Returns:
        () scalar, unweighted.
    """
    with torch.no_grad():
        real_layers = vgg(real.detach())
    total = fake.new_zeros(())
    for weight, fake_layer, real_layer in zip(
        PERCEPTUAL_WEIGHTS, vgg(fake), real_layers, strict=True
    ):
        total = total + weight * F.l1_loss(fake_layer, real_layer)
    return total


def l1_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of images; stands in where no VGG19 weights are given.

    Args:
        fake: (B, 3, H, W) in [-1, 1]; gradients flow through this.
        real: (B, 3, H, W) in [-1, 1]; detached here.

    Returns:
        () scalar, unweighted.
    """
    return F.l1_loss(fake, real.detach())
