"""What a published state dict holds: its kind and sizes, from the names and shapes alone."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from edn_core.checkpoint import Weights
from edn_core.errors import Refused
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
class Published:
    """A network of pix2pixHD or EDN."""

    in_channels: int  # of all that it takes
    sizes: dict[str, int]
    """The ``network`` settings that make it, by name. Of a local enhancer they are those of the
    generator inside, and ``enhancer_residual_blocks``; a discriminator of 0 scales is the one of
    the face."""
    weights: Weights  # pix2pixHD's state-dict keys, float32, in the network's order

    @property
    def is_enhancer(self) -> bool:
        """Whether it is a local enhancer around a global generator."""
        return "enhancer_residual_blocks" in self.sizes


def read_published_generator(path: str | Path) -> Published:
    """Read ``*_net_G.pth`` or ``*_net_Gface.pth``: a global generator or a local enhancer.

    Raises Refused: no such file, or a name or shape in it that does not belong to a generator of
    these sizes: names the first, what was found, what was expected and what to do.
    """
    return as_generator(path, _read_state_dict(path))


def read_published_discriminator(path: str | Path) -> Published:
    """Read ``*_net_D.pth`` or ``*_net_Dface.pth``; raises as read_published_generator.

    Weights of one that was trained without feature matching are named like the others'.
    """
    return as_discriminator(path, _read_state_dict(path))


def as_generator(path: str | Path, weights: Mapping[str, Tensor]) -> Published:
    """Find the sizes of a generator's weights, and check every name and shape against them."""
    is_enhancer = "model1_1.1.weight" in weights
    first = "model1_1.1.weight" if is_enhancer else "model.1.weight"
    channels, in_channels = _first_shape(path, weights, first)
    blocks = _numbers(weights, r"model\.(\d+)\.conv_block\.1\.weight")
    # Each downsampling is three modules (convolution, normalization, ReLU) after the first four.
    downsamplings = max(0, min(blocks, default=0) - 4) // 3
    sizes = in_channels, 3, channels, downsamplings, len(blocks)
    local = len(_numbers(weights, r"model1_2\.(\d+)\.conv_block\.1\.weight"))

    def build() -> nn.Module:
        return LocalEnhancer(*sizes, local) if is_enhancer else GlobalGenerator(*sizes)

    settings = {
        "generator_channels": channels * 2 if is_enhancer else channels,
        "downsamplings": downsamplings,
        "residual_blocks": len(blocks),
    }
    if is_enhancer:
        settings["enhancer_residual_blocks"] = local
    return Published(in_channels, settings, _fitted(path, build, weights))


def as_discriminator(path: str | Path, weights: Mapping[str, Tensor]) -> Published:
    """The same of a discriminator's weights."""
    named = {_with_features(name): tensor for name, tensor in weights.items()}
    scales = len(_numbers(named, r"scale(\d+)_layer0\.0\.weight"))
    first = "scale0_layer0.0.weight" if scales else "facemodel.0.weight"
    channels, in_channels = _first_shape(path, named, first)
    pattern = r"scale0_layer\d+\.0\.weight" if scales else r"facemodel\.\d+\.weight"
    # BatchNorm's weights, of one dimension, stand among the face discriminator's convolutions.
    kernels = [name for name in named if re.fullmatch(pattern, name) and named[name].ndim == 4]
    sizes = in_channels, channels, max(1, len(kernels) - 2)

    def build() -> nn.Module:
        return MultiscaleDiscriminator(*sizes, scales) if scales else FaceDiscriminator(*sizes)

    settings = {
        "discriminator_channels": channels,
        "discriminator_layers": sizes[2],
        "discriminator_scales": scales,
    }
    return Published(in_channels, settings, _fitted(path, build, named))


def _read_state_dict(path: str | Path) -> Weights:
    content = read_foreign_file(path, "a state dict", _REMEDY)
    if not isinstance(content, dict):
        raise Refused(path, f"holds a {type(content).__name__}", "a state dict", _REMEDY)
    if "schema" in content:
        remedy = "`python -m edn_core.published convert` makes a generator.safetensors of it"
        raise Refused(path, "is a file of an earlier release of this library", "", remedy)
    for name, tensor in content.items():
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise Refused(path, f"{name!r} is of type {kind}", "a tensor", _REMEDY)
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


def _first_shape(path: str | Path, weights: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    """Channels out and in of the first convolution."""
    if name not in weights or weights[name].ndim != 4:
        first = next(iter(weights), "nothing")
        raise Refused(path, f"is another network, that begins with {first}", name, _REMEDY)
    return weights[name].shape[0], weights[name].shape[1]


def _fitted(
    path: str | Path, build: Callable[[], nn.Module], weights: Mapping[str, Tensor]
) -> Weights:
    """The weights in the network's order, all of them and nothing else.

    Running statistics of instance normalization, which very old files hold and nothing uses, are
    passed over.
    """
    with torch.device("meta"):
        own = build().state_dict()
    for name in [*own, *weights]:
        if name not in own and name.endswith(_RUNNING_STATISTICS):
            continue
        found, expected = _shape(weights.get(name)), _shape(own.get(name))
        if found != expected:
            raise Refused(path, f"{name} is {found}", expected, _REMEDY)
    return {name: weights[name].detach().to(one.dtype) for name, one in own.items()}


def _shape(tensor: Tensor | None) -> str:
    return "not there" if tensor is None else f"of shape {tuple(tensor.shape)}"


def _numbers(weights: Mapping[str, Tensor], pattern: str) -> list[int]:
    """The numbers that stand in the names of this pattern."""
    return [int(match[1]) for match in (re.fullmatch(pattern, name) for name in weights) if match]
