"""What a published state dict holds: its kind and sizes, from the names and shapes alone."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edn_core.checkpoint import Weights
from edn_core.errors import Refused
from edn_core.logs import LOGGER
from edn_core.networks import (
    FaceDiscriminator,
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
)
from edn_core.networks.weight_file import read_foreign_file

_RUNNING_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_REMEDY = "give a *_net_G.pth, _net_D.pth, _net_Gface.pth or _net_Dface.pth of pix2pixHD or EDN"


@dataclass(frozen=True)
class PublishedGenerator:
    """A global generator, or a local enhancer around one.

    Attributes:
        in_channels: of label and previous output, or of the label alone.
        channels: of the first layer (ngf).
        downsamplings: of the global generator.
        residual_blocks: of the same.
        local_residual_blocks: of the local enhancer; 0: there is none.
        weights: pix2pixHD's state-dict keys, float32.
    """

    in_channels: int
    channels: int
    downsamplings: int
    residual_blocks: int
    local_residual_blocks: int = 0
    weights: Weights = field(default_factory=dict, repr=False)

    def build(self) -> GlobalGenerator | LocalEnhancer:
        """A network of these sizes, without these weights."""
        sizes = self.in_channels, 3, self.channels, self.downsamplings, self.residual_blocks
        if not self.local_residual_blocks:
            return GlobalGenerator(*sizes)
        return LocalEnhancer(*sizes, self.local_residual_blocks)


@dataclass(frozen=True)
class PublishedDiscriminator:
    """A multiscale discriminator, or the one of the face.

    Attributes:
        in_channels: of labels and images together.
        channels: of the first layer (ndf).
        layers: strided layers.
        scales: copies, each on a picture of half the size; 0: the one of the face.
        weights: pix2pixHD's state-dict keys, float32.
    """

    in_channels: int
    channels: int
    layers: int
    scales: int
    weights: Weights = field(default_factory=dict, repr=False)

    def build(self) -> MultiscaleDiscriminator | FaceDiscriminator:
        """A network of these sizes, without these weights."""
        sizes = self.in_channels, self.channels, self.layers
        return MultiscaleDiscriminator(*sizes, self.scales) if self.scales else FaceDiscriminator(*sizes)


def read_published_generator(path: str | Path) -> PublishedGenerator:
    """Read ``*_net_G.pth`` or ``*_net_Gface.pth``: a global generator or a local enhancer.

    Running statistics of instance normalization, which very old files hold and nothing uses, are
    passed over with a line in the log.

    Args:
        path: the file.

    Returns:
        Sizes and weights; ``build()`` makes the network that they fit, strictly.

    Raises:
        Refused: no such file, or a name or shape in it that does not belong to a generator of
            these sizes: names the first, what was found, what was expected and what to do.
    """
    return as_generator(path, _read_state_dict(path))


def read_published_discriminator(path: str | Path) -> PublishedDiscriminator:
    """Read ``*_net_D.pth``, trained with or without feature matching, or ``*_net_Dface.pth``.

    Args:
        path: the file.

    Returns:
        Sizes and weights; those of a discriminator trained without feature matching are named
        like the others'.

    Raises:
        Refused: as read_published_generator.
    """
    return as_discriminator(path, _read_state_dict(path))


def as_generator(path: str | Path, weights: Mapping[str, Tensor]) -> PublishedGenerator:
    """Find the sizes of a generator's weights, and check every name and shape against them.

    Raises:
        Refused: as read_published_generator.
    """
    is_enhancer = "model1_1.1.weight" in weights
    shape = _kernel(path, weights, "model1_1.1.weight" if is_enhancer else "model.1.weight")
    blocks = _numbers(weights, r"model\.(\d+)\.conv_block\.1\.weight")
    found = PublishedGenerator(
        in_channels=shape[1],
        channels=shape[0],
        # Each downsampling is three modules (convolution, normalization, ReLU) after the first four.
        downsamplings=max(0, min(blocks, default=0) - 4) // 3,
        residual_blocks=len(blocks),
        local_residual_blocks=len(_numbers(weights, r"model1_2\.(\d+)\.conv_block\.1\.weight")),
    )
    return replace(found, weights=_fitted(path, found.build, weights))


def as_discriminator(path: str | Path, weights: Mapping[str, Tensor]) -> PublishedDiscriminator:
    """Find the sizes of a discriminator's weights, and check every name and shape against them.

    Raises:
        Refused: as read_published_generator.
    """
    named = {_with_features(name): tensor for name, tensor in weights.items()}
    scales = len(_numbers(named, r"scale(\d+)_layer0\.0\.weight"))
    shape = _kernel(path, named, "scale0_layer0.0.weight" if scales else "facemodel.0.weight")
    layer = r"scale0_layer\d+\.0\.weight" if scales else r"facemodel\.\d+\.weight"
    # BatchNorm's weights, of one dimension, stand among the face discriminator's convolutions.
    kernels = [name for name in named if re.fullmatch(layer, name) and named[name].ndim == 4]
    found = PublishedDiscriminator(
        in_channels=shape[1], channels=shape[0], layers=max(1, len(kernels) - 2), scales=scales
    )
    return replace(found, weights=_fitted(path, found.build, named))


def _read_state_dict(path: str | Path) -> Weights:
    content = read_foreign_file(path, "a state dict", _REMEDY)
    if isinstance(content, dict) and "schema" in content:
        raise Refused(
            path,
            f"is an {content['schema']} file of an earlier release",
            "one of pix2pixHD's",
            "`python -m edn_core.published convert` makes a generator.safetensors of it",
        )
    if not isinstance(content, dict):
        raise Refused(path, f"holds a {type(content).__name__}", "a state dict", _REMEDY)
    for name, tensor in content.items():
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise Refused(path, f"{name!r} is of type {kind}", "tensors alone", _REMEDY)
    return content


def _with_features(name: str) -> str:
    """A name of a discriminator in one piece (layer0.5.bias) as that of one in layers."""
    found = re.fullmatch(r"layer(\d+)\.(\d+)\.(.+)", name)
    if found is None:
        return name
    scale, module, rest = found.groups()
    # The first layer has two modules, every other three, each beginning with its convolution.
    layer, place = divmod(int(module) + 1, 3) if int(module) > 1 else (0, int(module))
    return f"scale{scale}_layer{layer}.{place}.{rest}"


def _fitted(
    path: str | Path, build: Callable[[], nn.Module], weights: Mapping[str, Tensor]
) -> Weights:
    """The weights in the network's order, all of them and nothing else."""
    with torch.device("meta"):
        own = build().state_dict()
    passed_over = [
        name
        for name in weights
        if name not in own and name.rpartition(".")[2] in _RUNNING_STATISTICS
    ]
    if passed_over:
        LOGGER.info(
            f"{path}: {len(passed_over)} running statistics of instance normalization passed over "
            f"(the first: {passed_over[0]}); nothing uses them"
        )
    for name in dict.fromkeys([*own, *weights]):
        found, expected = _kind(weights.get(name)), _kind(own.get(name))
        if found != expected and name not in passed_over:
            raise Refused(path, f"{name} is {found}", expected, _REMEDY)
    return {name: weights[name].detach().to(one.dtype) for name, one in own.items()}


def _numbers(weights: Mapping[str, Tensor], pattern: str) -> list[int]:
    """The numbers that stand in the names of this pattern."""
    return [int(match[1]) for match in (re.fullmatch(pattern, name) for name in weights) if match]


def _kernel(path: str | Path, weights: Mapping[str, Tensor], name: str) -> torch.Size:
    """The shape of the first convolution's weights."""
    shape = weights[name].shape if name in weights else torch.Size()
    if len(shape) != 4:
        first = next(iter(weights), "nothing")
        raise Refused(path, f"is of another kind (it begins with {first})", f"{name}", _REMEDY)
    return shape


def _kind(tensor: Tensor | None) -> str:
    if tensor is None:
        return "not there"
    number = "numbers" if tensor.is_floating_point() else "whole numbers"
    return f"{number} of shape {tuple(tensor.shape)}"
