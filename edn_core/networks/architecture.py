"""What a full-image generator can be, by the name that stands in its file."""

from collections.abc import Callable

from torch import nn

from edn_core.config import NetworkConfig
from edn_core.networks.enhancer import enhancer
from edn_core.networks.generator import generator
from edn_core.networks.halved import halved_generator
from edn_core.networks.plate import Background

ARCHITECTURES: dict[str, Callable[[NetworkConfig, int, Background | None], nn.Module]] = {
    "global": generator,
    "halved": halved_generator,
    "enhancer": enhancer,
}
"""Sizes, channels of the label and clean plate of the whole canvas -> a generator of the whole
canvas: (B, C + 3, H, W) -> (B, 3, H, W)."""
