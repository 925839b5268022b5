"""pix2pixHD's local enhancer, which paints at twice the size of the generator inside it."""

from torch import Tensor, nn

from edn_core.config import NetworkConfig, check_enhancer
from edn_core.networks.generator import global_layers
from edn_core.networks.layers import ResidualBlock, double, first_layers, halve, last_layers
from edn_core.networks.plate import Background, PlatedGenerator


class LocalEnhancer(nn.Module):
    """pix2pixHD's coarse-to-fine generator with local enhancers (pix2pixHD, section 3.1).

    The coarse generator's features of the halved input are added to the enhancer's own,

        enhanced = model1_2(model1_1(x) + model(pool(x)))

    and with more enhancers each one's result takes the place of model(pool(x)) in the next, at
    twice the size.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        channels: channels of the first layer at full size. The coarse generator inside has
            channels * 2 ** enhancers, so that 32 and one enhancer fit a coarse generator of 64.
        downsamplings: times the coarse generator halves its input.
        residual_blocks: residual blocks of the coarse generator.
        enhancers: how many, each doubling the size that is painted.
        local_residual_blocks: residual blocks of each enhancer.

    Raises:
        ValueError: no enhancer at all.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        downsamplings: int,
        residual_blocks: int,
        enhancers: int = 1,
        local_residual_blocks: int = 3,
    ) -> None:
        super().__init__()
        if enhancers < 1:
            raise ValueError(
                f"a local enhancer was given {enhancers} enhancers, expected at least 1; with none "
                "of them it is a GlobalGenerator"
            )
        self.enhancers = enhancers
        self.model = nn.Sequential(
            *global_layers(in_channels, channels * 2**enhancers, downsamplings, residual_blocks)
        )
        for number in range(1, enhancers + 1):
            width = channels * 2 ** (enhancers - number)
            down = [*first_layers(in_channels, width), *halve(width)]
            up = [*(ResidualBlock(2 * width) for _ in range(local_residual_blocks)), *double(width)]
            if number == enhancers:
                up += last_layers(width, out_channels)
            self.add_module(f"model{number}_1", nn.Sequential(*down))
            self.add_module(f"model{number}_2", nn.Sequential(*up))
        self.downsample = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
        self.downsamplings = downsamplings
        self.factor = 2 ** (downsamplings + enhancers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1].

        Raises:
            ValueError: H or W is no multiple of 2 ** (downsamplings + enhancers), or too small for
                the padding; names the sizes next to it that fit.
        """
        height, width = x.shape[-2:]
        check_enhancer_canvas((height, width), self.downsamplings, self.enhancers)
        pyramid = [x]
        for _ in range(self.enhancers):
            pyramid.append(self.downsample(pyramid[-1]))
        features = self.model(pyramid.pop())
        for number in range(1, self.enhancers + 1):
            own = self.get_submodule(f"model{number}_1")(pyramid.pop())
            features = self.get_submodule(f"model{number}_2")(own + features)
        return features


def check_enhancer_canvas(size: tuple[int, int], downsamplings: int, enhancers: int = 1) -> None:
    """Refuse a canvas that a local enhancer cannot paint.

    Args:
        size: (H, W) px.
        downsamplings: of the coarse generator.
        enhancers: how many.

    Raises:
        ValueError: H or W is no multiple of 2 ** (downsamplings + enhancers), or too small for the
            padding; names the sizes next to it that fit.
    """
    factor = 2 ** (downsamplings + enhancers)
    # The coarse generator's own least size, once for every doubling.
    least = max(4, 2 * 2**downsamplings) * 2**enhancers

    def multiples(side: int) -> tuple[int, int]:
        """The nearest allowed lengths, not above and not below (or the least one, twice)."""
        below = side // factor * factor
        above = below if below == side else below + factor
        return max(least, below), max(least, above)

    smaller, larger = zip(*(multiples(side) for side in size), strict=True)
    if smaller == larger == size:
        return
    fitting = " or ".join(dict.fromkeys(f"{one[0]} x {one[1]}" for one in (smaller, larger)))
    raise ValueError(
        f"the local enhancer was given {size[0]} x {size[1]} (H x W); both must be multiples of "
        f"{factor} and at least {least}: choose a canvas of {fitting}, or fewer "
        "network.downsamplings"
    )


def enhancer(
    config: NetworkConfig, label_channels: int, background: Background | None
) -> LocalEnhancer | PlatedGenerator:
    """The local enhancer around a generator of these sizes: as ``generator``, at twice the size.

    Args:
        config: sizes; the enhancer has half of ``generator_channels``.
        label_channels: channels of the label.
        background: clean plate and where it was seen; None: the network paints everything.

    Raises:
        ValueError: sizes that no enhancer can have; names the setting.
    """
    check_enhancer(config)
    network = LocalEnhancer(
        label_channels + 3,
        3 if background is None else 4,
        config.generator_channels // 2,
        config.downsamplings,
        config.residual_blocks,
        local_residual_blocks=config.enhancer_residual_blocks,
    )
    return network if background is None else PlatedGenerator(network, *background)
