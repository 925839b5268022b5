"""The networks: pix2pixHD's generators and multiscale discriminator, the face networks, VGG19.

Everybody Dance Now (Chan et al. 2019) builds on pix2pixHD (Wang et al. 2018); layers and
state-dict keys are pix2pixHD's own, so its published checkpoints load. Tensors: a label is
(B, C, H, W) float32 in [0, 1], an image (B, 3, H, W) float32 in [-1, 1].
"""

from collections.abc import Callable

from torch import nn

from edn_core.config import NetworkConfig
from edn_core.networks.carry_over import (
    enhance_from,
    extend_from,
    widen_discriminator_for_pairs,
)
from edn_core.networks.discriminator import Features, MultiscaleDiscriminator, discriminator
from edn_core.networks.enhancer import LocalEnhancer, enhancer
from edn_core.networks.face import (
    FaceDiscriminator,
    face_discriminator,
    face_generator,
)
from edn_core.networks.generator import GlobalGenerator, generator
from edn_core.networks.halved import (
    HalvedGenerator,
    check_halved_size,
    halve_image,
    halve_label,
    halved_generator,
)
from edn_core.networks.layers import initialize
from edn_core.networks.matted import MattedGenerator
from edn_core.networks.vgg19 import Vgg19Features, read_vgg19

ARCHITECTURES: dict[str, Callable[[NetworkConfig, int, bool], nn.Module]] = {
    "global": generator,
    "halved": halved_generator,
    "enhancer": enhancer,
}
"""What a full-image generator can be, by the name that stands in its file: sizes, channels of the
label and whether it has a matte -> a generator of the whole window, (B, C + 3, H, W) ->
(B, 3, H, W), or (B, 4, H, W) with the matte."""

__all__ = [
    "ARCHITECTURES",
    "FaceDiscriminator",
    "Features",
    "GlobalGenerator",
    "HalvedGenerator",
    "LocalEnhancer",
    "MattedGenerator",
    "MultiscaleDiscriminator",
    "Vgg19Features",
    "check_halved_size",
    "discriminator",
    "enhance_from",
    "enhancer",
    "extend_from",
    "face_discriminator",
    "face_generator",
    "generator",
    "halve_image",
    "halve_label",
    "halved_generator",
    "initialize",
    "read_vgg19",
    "widen_discriminator_for_pairs",
]
