"""Half the window and back: what the coarse stages are trained on before the local enhancer."""

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


def double_image(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2 H, 2 W), which halve_image makes into the same image again.

    Bilinear, and what that takes from each pixel's mean given back to its four: the recurrence of
    a halved generator in the whole window is then the one it was trained in. Values may leave the
    image's range by a quarter of it.
    """
    doubled = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    lost = image - halve_image(doubled)
    return doubled + F.interpolate(lost, scale_factor=2, mode="nearest")


class HalvedGenerator(nn.Module):
    """A generator of half the window, used on the whole.

    Label and previous output are halved, its output is doubled.

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
        doubled = double_image(self.network(halved)).clamp(-1, 1)
        return torch.cat([doubled[:, :3], doubled[:, 3:].clamp(min=0)], dim=1)  # a matte: 0 to 1


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
