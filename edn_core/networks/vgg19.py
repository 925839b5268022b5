"""VGG19 and its weight file, for the perceptual loss."""

from pathlib import Path

from torch import Tensor, nn

from edn_core.networks.weight_file import read_weight_file

# torchvision's vgg19 up to relu5_1: channels of the convolutions, "pool" between the groups.
_VGG19_LAYERS = (
    *(64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool"),
    *(512, 512, 512, 512, "pool", 512),
)
_VGG19_SLICE_ENDS = (1, 6, 11, 20, 29)


class Vgg19Features(nn.Module):
    """VGG19 (Simonyan & Zisserman 2015) up to relu5_1, for the perceptual loss.

    State-dict keys are torchvision's (``features.0.weight`` ...); weights come from read_vgg19.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for one in _VGG19_LAYERS:
            if isinstance(one, int):
                layers += [nn.Conv2d(channels, one, 3, padding=1), nn.ReLU(inplace=True)]
                channels = one
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W), at least 16 px -> relu1_1, relu2_1, ... relu5_1, at 1 to 1/16 of H, W."""
        outputs = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _VGG19_SLICE_ENDS:
                outputs.append(x)
        return outputs


def read_vgg19(path: str | Path, sha256: str) -> Vgg19Features:
    """VGG19 from torchvision's weight file: frozen, on the CPU; the classifier is ignored.

    ``path`` is ``vgg19-dcbb9e9d.pth``, ``sha256`` how its checksum begins. Refused: no such file,
    another checksum, or not VGG19's weights; says what to do.
    """
    remedy = (
        "set training.vgg19 to auto or the path of torchvision's vgg19-dcbb9e9d.pth (and its "
        "checksum as training.vgg19_sha256), or leave both out: an L1 term then stands in"
    )
    network = Vgg19Features()
    read_weight_file(network, path, sha256, "VGG19", remedy)
    return network.eval().requires_grad_(False)
