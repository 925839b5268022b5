"""AlexNet and its weight file, for LPIPS: how different two pictures look to a network.

Zhang, Isola, Efros, Shechtman, Wang: "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric" (CVPR 2018). The features are torchvision's weights, from a file of the user's;
the five linear heads (version 0.1, BSD 2-clause) lie in the package torchmetrics, whose own
network asks for torchvision.
"""

import importlib.util
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edn_core.networks.weight_file import read_foreign_file, read_weight_file

# What the heads were trained with: ImageNet's mean and deviation for images in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_CHANNELS = (64, 192, 384, 256, 256)
_RELUS = (1, 4, 7, 9, 11)
_HEADS = Path("functional", "image", "lpips_models", "alex.pth")
_HEADS_SHA256 = "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"


class AlexNetFeatures(nn.Module):
    """AlexNet (Krizhevsky 2014) up to its last convolution.

    State-dict keys are torchvision's (``features.0.weight`` ...).
    """

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four, five = _CHANNELS
        self.features = nn.Sequential(
            *(nn.Conv2d(3, one, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(one, two, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(two, three, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(three, four, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(four, five, 3, padding=1), nn.ReLU()),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W), at least 31 px, to the five outputs behind its ReLUs."""
        outputs = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _RELUS:
                outputs.append(x)
        return outputs


class Lpips(nn.Module):
    """LPIPS with AlexNet, version 0.1: 0 for equal pictures, more for less alike ones."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = AlexNetFeatures()
        self.heads = nn.ModuleList(nn.Conv2d(c, 1, 1, bias=False) for c in _CHANNELS)
        self.register_buffer("shift", torch.tensor(_SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE)[:, None, None], persistent=False)

    def forward(self, images: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Compare images, (B, 3, H, W) in [-1, 1], with another, (1, 3, H, W).

        (B,) the published measure, each layer's mean over the picture, summed; (B, H, W) the same
        layers enlarged to the picture and summed, for the mean over a region.
        """
        all_of_them = (torch.cat([images, other]) - self.shift) / self.scale
        value = images.new_zeros(len(images))
        places = images.new_zeros(len(images), 1, *images.shape[2:])
        for features, head in zip(self.network(all_of_them), self.heads, strict=True):
            norm = torch.sqrt(features.square().sum(dim=1, keepdim=True) + 1e-8)
            unit = features / norm
            layer = head((unit[:-1] - unit[-1:]).square())
            value = value + layer.mean(dim=(1, 2, 3))
            places = places + F.interpolate(layer, images.shape[2:], mode="bilinear")
        return value, places[:, 0]


def read_lpips(path: str | Path, sha256: str) -> Lpips:
    """AlexNet from torchvision's weight file, and the heads: frozen, on the CPU.

    ``path`` is ``alexnet-owt-7be5be79.pth``, ``sha256`` how its checksum begins. Refused: no such
    file, another checksum, or not AlexNet's weights; says what to do.
    """
    remedy = (
        "set evaluation.alexnet to auto or the path of torchvision's alexnet-owt-7be5be79.pth "
        "(and its checksum as evaluation.alexnet_sha256), or leave both out: no LPIPS then"
    )
    lpips = Lpips()
    read_weight_file(lpips.network, path, sha256, "AlexNet", remedy)
    for head, weight in zip(lpips.heads, read_heads(), strict=True):
        head.load_state_dict({"weight": weight})
    return lpips.eval().requires_grad_(False)


def read_heads() -> list[Tensor]:
    """The weights of the five linear heads, (1, C, 1, 1) each, from the package torchmetrics.

    The package itself is not imported: it brings a thousand modules along. Refused where it is not
    there, or holds another file.
    """
    package = importlib.util.find_spec("torchmetrics")
    path = Path((package.submodule_search_locations or [""])[0] if package else "", _HEADS)
    weights = read_foreign_file(
        path,
        "LPIPS' linear heads, which come with the package torchmetrics",
        "install the version of torchmetrics that requirements.lock names",
        _HEADS_SHA256,
    )
    return [weights[f"lin{number}.model.1.weight"] for number in range(len(_CHANNELS))]
