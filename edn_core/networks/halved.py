"""Half the window and back: what body and temporal are trained on."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edn_core.config import NetworkConfig
from edn_core.networks.generator import generator


def halve_label(label: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H / 2, W / 2), as the local enhancer pools its own input.

    So the coarse generator inside the enhancer goes on seeing what it was trained on. Lines keep
    some of their colour, class maps become shares of each class.
    """
    return F.avg_pool2d(label, 3, stride=2, padding=1, count_include_pad=False)


def halve_image(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H / 2, W / 2): each pixel is the mean of the four it covers."""
    return F.avg_pool2d(image, 2)


class HalvedGenerator(nn.Module):
    """A generator of half the window, used on the whole.

    Label and previous output are halved, its output is doubled, bilinear. A doubling that halving
    undoes to the bit was tried and leaves stairs along every outline; what is fed back is a little
    softer than in training for that.

    Args:
        network: (B, C + 3, H / 2, W / 2) -> (B, 3 or 4, H / 2, W / 2), matte in [0, 1].
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C + 3, H, W), label ++ previous output -> (B, 3 or 4, H, W) in [-1, 1].

        Raises:
            ValueError: H or W is odd, or half of it does not fit the network.
        """
        height, width = x.shape[-2:]
        if height % 2 or width % 2:
            raise ValueError(
                f"a generator of half the window was given {height} x {width} (H x W); both must "
                "be even: use labels of the target's own window"
            )
        halved = torch.cat([halve_label(x[:, :-3]), halve_image(x[:, -3:])], dim=1)
        painted: Tensor = self.network(halved)
        return F.interpolate(painted, scale_factor=2, mode="bilinear", align_corners=False)


def halved_generator(
    config: NetworkConfig, label_channels: int, has_matte: bool
) -> HalvedGenerator:
    """A global generator of half the window: (B, label_channels + 3, H, W) -> (B, 3 or 4, H, W).

    Args:
        config: sizes.
        label_channels: channels of the label.
        has_matte: whether it paints the dancer alone, with his matte: a fourth channel.
    """
    return HalvedGenerator(generator(config, label_channels, has_matte))


def check_halved_size(size: tuple[int, int], downsamplings: int) -> None:
    """Refuse a window that a generator of half of it, or the enhancer around one, cannot paint.

    Args:
        size: (H, W) px.
        downsamplings: of that generator.

    Raises:
        ValueError: H or W is no multiple of 2 ** (downsamplings + 1), or too small for the padding;
            names the sizes next to it that fit.
    """
    factor = 2 ** (downsamplings + 1)
    least = 2 * max(4, factor)  # twice the coarse generator's own
    smaller = tuple(max(least, side // factor * factor) for side in size)
    larger = tuple(max(least, -(-side // factor) * factor) for side in size)
    if smaller == larger == size:
        return
    fitting = " or ".join(dict.fromkeys(f"{one[0]} x {one[1]}" for one in (smaller, larger)))
    raise ValueError(
        f"a window of {size[0]} x {size[1]} (H x W) cannot be halved {downsamplings + 1} times: "
        f"both must be multiples of {factor} and at least {least}; choose {fitting}, or fewer "
        "network.downsamplings"
    )
