"""VGG19 and its weight file, for the perceptual loss."""

import hashlib
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

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
        """(B, 3, H, W) -> relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, at 1 to 1/16 of H, W.

        H and W must be at least 16.
        """
        outputs = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _VGG19_SLICE_ENDS:
                outputs.append(x)
        return outputs


def read_vgg19(path: str | Path, sha256: str) -> Vgg19Features:
    """Read torchvision's vgg19 weight file; the classifier in it is ignored.

    Args:
        path: the weight file (``vgg19-dcbb9e9d.pth``).
        sha256: how its SHA-256 begins, hexadecimal.

    Returns:
        The frozen network, on the CPU.

    Raises:
        ValueError: no such file, another checksum, or not vgg19's weights; says what to do.
    """
    remedy = (
        "fetch torchvision's vgg19-dcbb9e9d.pth and give its path as training.vgg19, or leave "
        "training.vgg19 empty: an L1 term then stands in"
    )
    try:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if not found.startswith(sha256.lower()):
        raise ValueError(
            f"{path}: its SHA-256 begins {found[: max(8, len(sha256))]}, expected {sha256} "
            f"(training.vgg19_sha256): not the file meant, or damaged; {remedy}"
        )
    network = Vgg19Features()
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path}: does not hold vgg19's weights ({type(error).__name__}: {error}); {remedy}"
        ) from error
    return network.eval().requires_grad_(False)
