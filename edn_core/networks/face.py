"""The face networks (paper, section 3.3)."""

from torch import Tensor, nn

from edn_core.config import NetworkConfig
from edn_core.networks.discriminator import Features, discriminator_stages
from edn_core.networks.generator import GlobalGenerator


class FaceDiscriminator(nn.Module):
    """One patch discriminator with BatchNorm2d on [label crop, image crop] (paper, section 3.3)."""

    def __init__(self, in_channels: int, channels: int, layers: int = 3) -> None:
        super().__init__()
        stages = discriminator_stages(in_channels, channels, layers, norm=nn.BatchNorm2d)
        self.facemodel = nn.Sequential(*(module for stage in stages for module in stage))

    def forward(self, x: Tensor) -> Features:
        """(B, in_channels, h, w) -> one scale with one map, the patch score."""
        return [[self.facemodel(x)]]


def face_generator(label_channels: int, config: NetworkConfig) -> GlobalGenerator:
    """The residual on the face crop (paper, section 3.3): r = G_f([label crop, generated crop]).

    Input (B, C + 3, h, w), output (B, 3, h, w) in [-1, 1], to be added to the generated crop.
    """
    return GlobalGenerator(
        label_channels + 3,
        3,
        config.face_generator_channels,
        config.face_downsamplings,
        config.face_residual_blocks,
    )


def face_discriminator(label_channels: int, config: NetworkConfig) -> FaceDiscriminator:
    """The face discriminator on label and image crop."""
    return FaceDiscriminator(label_channels + 3, config.face_discriminator_channels)
