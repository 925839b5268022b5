"""The losses, pure and unweighted: weights belong to the stage (config's StageConfig).

Least-squares GAN, feature matching and VGG19 perceptual loss as in pix2pixHD (Wang et al. 2018,
section 3), which Everybody Dance Now (Chan et al. 2019, equations 2 and 4) takes over.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from edn_core.networks import Features
from edn_core.networks.layers import at_least_float32

PERCEPTUAL_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 (pix2pixHD)."""
# Of the pictures that VGG19 was trained on, R, G, B in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def gan_loss(features: Features, is_real: bool) -> Tensor:
    """Least-squares GAN loss of a discriminator's patch scores; (), unweighted.

    The squared distance of the scores to 1 (real) or 0 (fake), averaged within each patch map and
    summed over scales. Gradients flow on into whatever the discriminator was given: detach images
    that shall not learn. The generator's own term is ``gan_loss(score_of_fake, is_real=True)``.
    """
    total = features[0][-1].new_zeros(())
    for scale in features:
        score = at_least_float32(scale[-1])
        total = total + F.mse_loss(score, torch.full_like(score, float(is_real)))
    return total


def feature_matching_loss(fake: Features, real: Features) -> Tensor:
    """Mean L1 distance between discriminator features of fake and (detached) real; (), unweighted.

    The patch score (last layer) is left out: gan_loss owns it. Each layer counts 4 / (number of
    layers - 1) and each scale 1 / number of scales, as in pix2pixHD.
    """
    total = fake[0][0].new_zeros(())
    for fake_scale, real_scale in zip(fake, real, strict=True):
        for fake_layer, real_layer in zip(fake_scale[:-1], real_scale[:-1], strict=True):
            distance = _l1(fake_layer, real_layer.detach())
            total = total + distance * 4 / (len(fake_scale) - 1)
    return total / len(fake)


def to_vgg19_input(images: Tensor, vgg19_input: str) -> Tensor:
    """Images (B, 3, H, W) RGB in [-1, 1] as they enter VGG19.

    ``reference``: as they are, which is what pix2pixHD does; ``imagenet``: in 0..1, less the mean,
    by the deviation of ImageNet, which is what VGG19 was trained on.
    """
    if vgg19_input == "reference":
        return images
    channels = [
        ((images[:, i] + 1) / 2 - mean) / deviation
        for i, (mean, deviation) in enumerate(zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True))
    ]
    return torch.stack(channels, dim=1)


def perceptual_loss(
    vgg: Callable[[Tensor], list[Tensor]],
    fake: Tensor,
    real: Tensor,
    vgg19_input: str = "reference",
) -> Tensor:
    """L1 distance of VGG19 features of fake and real (pix2pixHD's L_VGG); (), unweighted.

    Images are (B, 3, H, W) in [-1, 1], all of a step. Summed over five layers with weights 1/32,
    1/16, 1/8, 1/4 and 1. All real images pass the network at once and leave no graph behind, then
    all fake ones at once: in one pass with them the real half would be differentiated too, and
    thrown away.
    """
    with torch.no_grad():
        real_layers = vgg(to_vgg19_input(real.detach(), vgg19_input))
    total = fake.new_zeros(())
    for weight, fake_layer, real_layer in zip(
        PERCEPTUAL_WEIGHTS, vgg(to_vgg19_input(fake, vgg19_input)), real_layers, strict=True
    ):
        total = total + weight * _l1(fake_layer, real_layer)
    return total


def l1_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of fake and (detached) real images; (), unweighted."""
    return _l1(fake, real.detach())


def _l1(one: Tensor, other: Tensor) -> Tensor:
    return F.l1_loss(at_least_float32(one), at_least_float32(other))
