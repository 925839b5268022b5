"""The networks: pix2pixHD's generator and multiscale discriminator, the face networks, VGG19.

Everybody Dance Now (Chan et al. 2019) builds on pix2pixHD (Wang et al. 2018); layers and
state-dict keys are pix2pixHD's own, so its published checkpoints load. Tensors: a label is
(B, C, H, W) float32 in [0, 1], an image (B, 3, H, W) float32 in [-1, 1].
"""

import hashlib
import pickle
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from edn_core.config import NetworkConfig

Features = list[list[Tensor]]
"""What a discriminator returns: [scale][layer] (B, C, h, w), finest scale first; the last layer of
a scale is the patch score."""

Background = tuple[Tensor, Tensor]
"""The clean plate (3, H, W) in [-1, 1] and where it was seen (1, H, W) in {0, 1}."""


def _normalization(channels: int) -> nn.Module:
    # Without affine weights and running statistics: nothing of it enters the state dict.
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


class _ResidualBlock(nn.Module):
    """x + two 3x3 convolutions of x; shape (B, C, h, w) is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            _normalization(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            _normalization(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class GlobalGenerator(nn.Module):
    """pix2pixHD's coarse-to-fine generator, the global part (pix2pixHD, section 3.1).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        channels: channels of the first layer; doubled at every downsampling.
        downsamplings: times the input is halved.
        residual_blocks: residual blocks at the lowest resolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        downsamplings: int,
        residual_blocks: int,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, channels, 7),
            _normalization(channels),
            nn.ReLU(inplace=True),
        ]
        widths = [channels * 2**level for level in range(downsamplings + 1)]
        for wide, wider in pairwise(widths):
            layers += [
                nn.Conv2d(wide, wider, 3, stride=2, padding=1),
                _normalization(wider),
                nn.ReLU(inplace=True),
            ]
        layers += [_ResidualBlock(widths[-1]) for _ in range(residual_blocks)]
        for wider, wide in pairwise(reversed(widths)):
            layers += [
                nn.ConvTranspose2d(wider, wide, 3, stride=2, padding=1, output_padding=1),
                _normalization(wide),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, out_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        self.factor = 2**downsamplings

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1].

        Raises:
            ValueError: H or W is no multiple of 2 ** downsamplings, or too small for the padding.
        """
        height, width = x.shape[-2:]
        least = max(4, 2 * self.factor)
        if height % self.factor or width % self.factor or min(height, width) < least:
            raise ValueError(
                f"the generator was given {height} x {width} (H x W); both must be multiples of "
                f"{self.factor} and at least {least}: choose another canvas, or fewer "
                "network.downsamplings"
            )
        return self.model(x)


class PlatedGenerator(nn.Module):
    """A generator that paints the dancer over a fixed picture of the room.

    The network has four outputs, the image and a mask m; the result is

        m * image + (1 - m) * plate        with m = 1 wherever the plate was never seen

    Args:
        network: (B, C + 3, H, W) -> (B, 4, H, W) in [-1, 1]; its state dict is pix2pixHD's own.
        plate: (3, H, W) in [-1, 1], the room without the dancer.
        seen: (1, H, W) in {0, 1}, where the plate is known.

    Raises:
        ValueError: plate and seen disagree in size, or hold other values.
    """

    plate: Tensor
    seen: Tensor

    def __init__(self, network: nn.Module, plate: Tensor, seen: Tensor) -> None:
        super().__init__()
        if plate.ndim != 3 or len(plate) != 3 or seen.shape != (1, *plate.shape[1:]):
            raise ValueError(
                f"the plate has shape {tuple(plate.shape)} and its seen mask "
                f"{tuple(seen.shape)}; expected (3, H, W) and (1, H, W) of one size"
            )
        # Also refuses NaN, which would survive the multiplication with a mask of 0.
        if not (plate.abs() <= 1).all() or not ((seen == 0) | (seen == 1)).all():
            raise ValueError("the plate must lie in [-1, 1] and its seen mask hold only 0 and 1")
        self.network = network
        self.register_buffer("plate", plate.detach().float())
        self.register_buffer("seen", seen.detach().float())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C + 3, H, W), label ++ previous output -> (B, 3, H, W) in [-1, 1].

        Raises:
            ValueError: H or W is not the plate's.
        """
        if x.shape[-2:] != self.plate.shape[-2:]:
            raise ValueError(
                f"the generator was given {tuple(x.shape[-2:])} (H, W), its background plate is "
                f"{tuple(self.plate.shape[-2:])}; use labels of the target's own canvas"
            )
        painted = self.network(x)
        # Written so that the mask is exactly 1 where nothing was seen.
        mask = 1 - self.seen * (1 - painted[:, 3:]) / 2
        return mask * painted[:, :3] + (1 - mask) * self.plate


def _discriminator_stages(
    in_channels: int, channels: int, layers: int, norm: type[nn.Module] | None
) -> list[list[nn.Module]]:
    """The stages of one patch discriminator: ``layers`` strided ones, one more, the score.

    No ``norm`` means this module's own InstanceNorm2d.
    """
    widths = [channels] + [min(channels * 2**level, 512) for level in range(1, layers + 1)]
    stages: list[list[nn.Module]] = [
        [nn.Conv2d(in_channels, channels, 4, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True)]
    ]
    for level in range(1, layers + 1):
        stages.append(
            [
                nn.Conv2d(
                    widths[level - 1],
                    widths[level],
                    4,
                    stride=2 if level < layers else 1,
                    padding=2,
                ),
                norm(widths[level]) if norm else _normalization(widths[level]),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        )
    stages.append([nn.Conv2d(widths[-1], 1, 4, stride=1, padding=2)])
    return stages


class MultiscaleDiscriminator(nn.Module):
    """pix2pixHD's patch discriminators on an image pyramid (pix2pixHD, section 3.2).

    Args:
        in_channels: channels of labels and images together.
        channels: channels of the first layer; doubled per layer up to 512.
        layers: strided layers of each discriminator.
        scales: discriminators, each at half the resolution of the one before.
    """

    def __init__(self, in_channels: int, channels: int, layers: int, scales: int) -> None:
        super().__init__()
        self.layers = layers
        self.scales = scales
        for scale in range(scales):
            stages = _discriminator_stages(in_channels, channels, layers, norm=None)
            for layer, stage in enumerate(stages):
                self.add_module(f"scale{scale}_layer{layer}", nn.Sequential(*stage))
        self.downsample = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Features:
        """(B, in_channels, H, W) -> per scale, finest first, layers + 2 maps, patch score last."""
        features: Features = []
        # scale0 is the coarsest: a checkpoint of two scales then fits the lower two of three.
        for scale in reversed(range(self.scales)):
            maps: list[Tensor] = []
            for layer in range(self.layers + 2):
                stage = self.get_submodule(f"scale{scale}_layer{layer}")
                maps.append(stage(maps[-1] if maps else x))
            features.append(maps)
            if scale:
                x = self.downsample(x)
        return features


class FaceGenerator(GlobalGenerator):
    """The residual on the face crop (paper, section 3.3): r = G_f([label crop, generated crop]).

    Input (B, C + 3, h, w), output (B, 3, h, w) in [-1, 1], to be added to the generated crop.
    """

    def __init__(
        self, in_channels: int, channels: int, downsamplings: int, residual_blocks: int
    ) -> None:
        super().__init__(in_channels, 3, channels, downsamplings, residual_blocks)


class FaceDiscriminator(nn.Module):
    """One patch discriminator with BatchNorm2d on [label crop, image crop] (paper, section 3.3)."""

    def __init__(self, in_channels: int, channels: int, layers: int = 3) -> None:
        super().__init__()
        stages = _discriminator_stages(in_channels, channels, layers, norm=nn.BatchNorm2d)
        self.facemodel = nn.Sequential(*(module for stage in stages for module in stage))

    def forward(self, x: Tensor) -> Features:
        """(B, in_channels, h, w) -> one scale with one map, the patch score."""
        return [[self.facemodel(x)]]


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


def generator(
    config: NetworkConfig, label_channels: int, background: Background | None
) -> GlobalGenerator | PlatedGenerator:
    """The full-image generator: (B, label_channels + 3, H, W) -> (B, 3, H, W).

    Its input is the label and the previous output (zeros: none), concatenated.

    Args:
        config: sizes.
        label_channels: channels of the label.
        background: clean plate and where it was seen; None: the network paints everything.
    """
    network = GlobalGenerator(
        label_channels + 3,
        3 if background is None else 4,
        config.generator_channels,
        config.downsamplings,
        config.residual_blocks,
    )
    return network if background is None else PlatedGenerator(network, *background)


def discriminator(in_channels: int, config: NetworkConfig) -> MultiscaleDiscriminator:
    """The full-image discriminator.

    Args:
        in_channels: label and image channels, of one frame (C + 3) or of a pair (2 (C + 3)).
        config: sizes.
    """
    return MultiscaleDiscriminator(
        in_channels,
        config.discriminator_channels,
        config.discriminator_layers,
        config.discriminator_scales,
    )


def face_generator(label_channels: int, config: NetworkConfig) -> FaceGenerator:
    """The face residual generator on label and generated crop."""
    return FaceGenerator(
        label_channels + 3,
        config.face_generator_channels,
        config.face_downsamplings,
        config.face_residual_blocks,
    )


def face_discriminator(label_channels: int, config: NetworkConfig) -> FaceDiscriminator:
    """The face discriminator on label and image crop."""
    return FaceDiscriminator(label_channels + 3, config.face_discriminator_channels)


@torch.no_grad()
def initialize(module: nn.Module, seed_generator: torch.Generator) -> None:
    """Draw all weights anew, from the given generator alone (pix2pixHD's distributions).

    Convolutions: weight N(0, 0.02), bias uniform in +-1 / sqrt(fan in), PyTorch's default.
    BatchNorm2d: weight N(1, 0.02), bias 0, running statistics reset.

    Args:
        module: changed in place.
        seed_generator: on the CPU; the same seed gives the same weights on every device.
    """

    def draw(tensor: Tensor, mean: float, deviation: float) -> None:
        drawn = torch.empty(tensor.shape).normal_(mean, deviation, generator=seed_generator)
        tensor.copy_(drawn)

    for one in module.modules():
        if isinstance(one, nn.Conv2d | nn.ConvTranspose2d):
            draw(one.weight, 0.0, 0.02)
            if one.bias is not None:
                # PyTorch takes the second axis for the fan in, also of transposed convolutions.
                bound = one.weight[0].numel() ** -0.5
                drawn = torch.empty(one.bias.shape).uniform_(
                    -bound, bound, generator=seed_generator
                )
                one.bias.copy_(drawn)
        elif isinstance(one, nn.BatchNorm2d):
            draw(one.weight, 1.0, 0.02)
            one.bias.zero_()
            one.reset_running_stats()


def widen_discriminator_for_pairs(
    state_dict: dict[str, Tensor], label_channels: int
) -> dict[str, Tensor]:
    """Make the weights of a discriminator of pairs from one of single frames.

    [label, image] becomes [previous label, label, previous image, image]: the first layer's weights
    are doubled and halved, so that a pair of two equal frames scores as the one frame did.

    Args:
        state_dict: of a MultiscaleDiscriminator with label_channels + 3 inputs.
        label_channels: channels of one label.

    Returns:
        A state dict for 2 * (label_channels + 3) inputs; ``state_dict`` is left as it was.

    Raises:
        ValueError: the weights are for another number of inputs.
    """
    widened = dict(state_dict)
    for name, weight in state_dict.items():
        if name.endswith("_layer0.0.weight"):
            if weight.shape[1] != label_channels + 3:
                raise ValueError(
                    f"discriminator weights {name} take {weight.shape[1]} channels, expected "
                    f"{label_channels + 3} ({label_channels} of the label and 3 of the image); "
                    "start from the body stage of the same label style"
                )
            label, image = weight[:, :label_channels] / 2, weight[:, label_channels:] / 2
            widened[name] = torch.cat([label, label, image, image], dim=1)
    return widened
