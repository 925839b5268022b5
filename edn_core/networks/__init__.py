"""The networks: pix2pixHD's generators and multiscale discriminator, the face networks, VGG19.

Everybody Dance Now (Chan et al. 2019) builds on pix2pixHD (Wang et al. 2018); layers and
state-dict keys are pix2pixHD's own, so its published checkpoints load. Tensors: a label is
(B, C, H, W) float32 in [0, 1], an image (B, 3, H, W) float32 in [-1, 1].
"""

from edn_core.networks.architecture import ARCHITECTURES
from edn_core.networks.carry_over import (
    CarryOver,
    enhance_from,
    extend_from,
    widen_discriminator_for_pairs,
)
from edn_core.networks.discriminator import Features, MultiscaleDiscriminator, discriminator
from edn_core.networks.enhancer import LocalEnhancer, check_enhancer_canvas, enhancer
from edn_core.networks.face import (
    FaceDiscriminator,
    FaceGenerator,
    face_discriminator,
    face_generator,
)
from edn_core.networks.generator import GlobalGenerator, generator
from edn_core.networks.halved import (
    HalvedGenerator,
    double_image,
    halve_background,
    halve_image,
    halve_label,
    halved_generator,
)
from edn_core.networks.initialization import initialize
from edn_core.networks.plate import Background, PlatedGenerator
from edn_core.networks.vgg19 import Vgg19Features, read_vgg19

__all__ = [
    "ARCHITECTURES",
    "Background",
    "CarryOver",
    "FaceDiscriminator",
    "FaceGenerator",
    "Features",
    "GlobalGenerator",
    "HalvedGenerator",
    "LocalEnhancer",
    "MultiscaleDiscriminator",
    "PlatedGenerator",
    "Vgg19Features",
    "check_enhancer_canvas",
    "discriminator",
    "double_image",
    "enhance_from",
    "enhancer",
    "extend_from",
    "face_discriminator",
    "face_generator",
    "generator",
    "halve_background",
    "halve_image",
    "halve_label",
    "halved_generator",
    "initialize",
    "read_vgg19",
    "widen_discriminator_for_pairs",
]
