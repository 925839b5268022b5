"""pix2pixHD's local enhancer, which paints at twice the size of the generator inside it."""

from torch import Tensor, nn

from edn_core.config import NetworkConfig, check_enhancer
from edn_core.networks.generator import MattedGenerator, global_layers
from edn_core.networks.halved import check_halved_size
from edn_core.networks.layers import ResidualBlock, double, first_layers, halve, last_layers


class LocalEnhancer(nn.Module):
    """pix2pixHD's coarse-to-fine generator with one local enhancer (pix2pixHD, section 3.1).

    The coarse generator's features of the halved input are added to the enhancer's own:

        enhanced = model1_2(model1_1(x) + model(pool(x)))

    ``channels`` are those of the first layer at full size. The coarse generator inside has twice as
    many, so that 32 fit a coarse generator of 64; it halves its input ``downsamplings`` times.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        downsamplings: int,
        residual_blocks: int,
        local_residual_blocks: int = 3,
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *global_layers(in_channels, 2 * channels, downsamplings, residual_blocks)
        )
        self.model1_1 = nn.Sequential(*first_layers(in_channels, channels), *halve(channels))
        self.model1_2 = nn.Sequential(
            *(ResidualBlock(2 * channels) for _ in range(local_residual_blocks)),
            *double(channels),
            *last_layers(channels, out_channels),
        )
        self.downsample = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
        self.downsamplings = downsamplings

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1]; check_halved_size."""
        height, width = x.shape[-2:]
        check_halved_size((height, width), self.downsamplings)
        result: Tensor = self.model1_2(self.model1_1(x) + self.model(self.downsample(x)))
        return result


def enhancer(
    config: NetworkConfig, label_channels: int, has_matte: bool
) -> LocalEnhancer | MattedGenerator:
    """The local enhancer around a generator of these sizes: as ``generator``, at twice the size.

    The enhancer has half of ``generator_channels``. ValueError for sizes that no enhancer can have;
    names the setting.
    """
    check_enhancer(config)
    network = LocalEnhancer(
        label_channels + 3,
        4 if has_matte else 3,
        config.generator_channels // 2,
        config.downsamplings,
        config.residual_blocks,
        config.enhancer_residual_blocks,
    )
    return MattedGenerator(network) if has_matte else network
