"""What a published state dict holds: its kind and sizes, from the names and shapes alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edn_core.checkpoint import Weights
from edn_core.logs import LOGGER
from edn_core.networks import (
    FaceDiscriminator,
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
)
from edn_core.tensor_file import check_foreign_file, check_sizes, describe_error

_RUNNING_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_FILES = "give a *_net_G.pth, _net_D.pth, _net_Gface.pth or _net_Dface.pth of pix2pixHD or EDN"


@dataclass(frozen=True)
class PublishedGenerator:
    """A generator's sizes and weights.

    Attributes:
        path: the file, for messages.
        in_channels: of label and previous output, or of the label alone.
        out_channels: of the picture.
        channels: of the first layer (ngf).
        downsamplings: of the global generator, also where it is the inner one of a local enhancer.
        residual_blocks: of the same.
        enhancers: local enhancers around it; 0: it is alone.
        local_residual_blocks: of each enhancer.
        weights: pix2pixHD's state-dict keys, float32.
    """

    path: Path
    in_channels: int
    out_channels: int
    channels: int
    downsamplings: int
    residual_blocks: int
    enhancers: int = 0
    local_residual_blocks: int = 0
    weights: Weights = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        kind = f"a local enhancer ({self.enhancers})" if self.enhancers else "a global generator"
        return (
            f"{kind} of {self.in_channels} input channels, {self.channels} channels, "
            f"{self.downsamplings} downsamplings and {self.residual_blocks} residual blocks"
        )

    def build(self) -> GlobalGenerator | LocalEnhancer:
        """A network of these sizes, without these weights."""
        channels = self.in_channels, self.out_channels, self.channels
        depth = self.downsamplings, self.residual_blocks
        if not self.enhancers:
            return GlobalGenerator(*channels, *depth)
        return LocalEnhancer(*channels, *depth, self.enhancers, self.local_residual_blocks)


@dataclass(frozen=True)
class PublishedDiscriminator:
    """A discriminator's sizes and weights.

    Attributes:
        path: the file, for messages.
        in_channels: of labels and images together.
        channels: of the first layer (ndf).
        layers: strided layers.
        scales: copies, each on a picture of half the size; 0: the one of the face.
        weights: pix2pixHD's state-dict keys, float32.
    """

    path: Path
    in_channels: int
    channels: int
    layers: int
    scales: int
    weights: Weights = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        kind = f"a discriminator of {self.scales} scales" if self.scales else "a face discriminator"
        return (
            f"{kind}, {self.in_channels} input channels, {self.channels} channels and "
            f"{self.layers} layers"
        )

    def build(self) -> MultiscaleDiscriminator | FaceDiscriminator:
        """A network of these sizes, without these weights."""
        sizes = self.in_channels, self.channels, self.layers
        if not self.scales:
            return FaceDiscriminator(*sizes)
        return MultiscaleDiscriminator(*sizes, self.scales)


def read_published_generator(path: str | Path) -> PublishedGenerator:
    """Read ``*_net_G.pth`` or ``*_net_Gface.pth``: a global generator or a local enhancer.

    Running statistics of instance normalization, which very old files hold and nothing uses, are
    passed over with a line in the log.

    Args:
        path: the file.

    Returns:
        Sizes and weights; ``build()`` makes the network that they fit, strictly.

    Raises:
        ValueError: no such file, or a name or shape in it that does not belong to a generator of
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
        ValueError: as read_published_generator.
    """
    return as_discriminator(path, _read_state_dict(path))


def as_generator(path: str | Path, weights: Mapping[str, Tensor]) -> PublishedGenerator:
    """Find the sizes of a generator's weights, and check every name and shape against them.

    Raises:
        ValueError: as read_published_generator.
    """
    enhancers = len(_numbers(weights, r"model(\d+)_1\.1\.weight"))
    first = f"model{enhancers}_1.1.weight" if enhancers else "model.1.weight"
    blocks = _numbers(weights, r"model\.(\d+)\.conv_block\.1\.weight")
    shape = _shape(weights, first)
    if len(shape) != 4 or not blocks:
        raise ValueError(f"{path}: holds no generator but {_describe(weights)}; {_FILES}")
    # Each downsampling is three modules (convolution, normalization, ReLU) after the first four.
    downsamplings = max(0, blocks[0] - 4) // 3
    local_blocks = len(_numbers(weights, rf"model{enhancers}_2\.(\d+)\.conv_block\.1\.weight"))
    last = 4 + 6 * downsamplings + len(blocks) + 1
    painter = f"model{enhancers}_2.{local_blocks + 4}" if enhancers else f"model.{last}"
    found = PublishedGenerator(
        path=Path(path),
        in_channels=shape[1],
        out_channels=(*_shape(weights, f"{painter}.weight"), 3)[0],
        channels=shape[0],
        downsamplings=downsamplings,
        residual_blocks=len(blocks),
        enhancers=enhancers,
        local_residual_blocks=local_blocks,
    )
    return replace(found, weights=_fitted(found, weights))


def as_discriminator(path: str | Path, weights: Mapping[str, Tensor]) -> PublishedDiscriminator:
    """Find the sizes of a discriminator's weights, and check every name and shape against them.

    Raises:
        ValueError: as read_published_generator.
    """
    named = {_with_features(name): tensor for name, tensor in weights.items()}
    scales = len(_numbers(named, r"scale(\d+)_layer0\.0\.weight"))
    layer = r"scale0_layer(\d+)\.0\.weight" if scales else r"facemodel\.(\d+)\.weight"
    shape = _shape(named, "scale0_layer0.0.weight" if scales else "facemodel.0.weight")
    if len(shape) != 4:
        raise ValueError(f"{path}: holds no discriminator but {_describe(weights)}; {_FILES}")
    convolutions = [n for n in _numbers(named, layer) if scales or _is_kernel(named, n)]
    found = PublishedDiscriminator(
        path=Path(path),
        in_channels=shape[1],
        channels=shape[0],
        layers=max(1, len(convolutions) - 2),
        scales=scales,
    )
    return replace(found, weights=_fitted(found, named))


def _read_state_dict(path: str | Path) -> dict[str, Tensor]:
    try:
        check_foreign_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); {_FILES}") from error
    except Exception as error:  # torch raises half a dozen kinds for what is no file of its own
        raise ValueError(
            f"{path}: not readable as weights ({describe_error(path, error)}); {_FILES}"
        ) from error
    if isinstance(content, dict) and ("schema" in content or "weights" in content):
        raise ValueError(
            f"{path}: is a file of this library, expected one of pix2pixHD's; `python -m "
            "edn_core.published export` with the generator.safetensors of that folder makes one of it"
        )
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: holds {_describe(content)}, expected a state dict; {_FILES}")
    for name, tensor in content.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"{path}: {name!r} is of type {type(tensor).__name__}, expected a state dict of "
                f"tensors and nothing else; save that part by itself, or {_FILES}"
            )
    check_sizes(path, content.values())
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
    found: PublishedGenerator | PublishedDiscriminator, weights: Mapping[str, Tensor]
) -> Weights:
    """The weights in the network's order, all of them and nothing else."""
    with torch.device("meta"):
        expected = found.build().state_dict()
    extra = [name for name in weights if name not in expected]
    statistics = [name for name in extra if name.rpartition(".")[2] in _RUNNING_STATISTICS]
    if statistics:
        LOGGER.info(
            f"{found.path}: {len(statistics)} running statistics of instance normalization passed "
            f"over (the first: {statistics[0]}); nothing uses them"
        )
    remedy = f"the file is of another kind, or damaged; {_FILES}"
    for name, tensor in expected.items():
        if name not in weights:
            raise ValueError(f"{found.path}: has no {name}, expected for {found}; {remedy}")
        given = weights[name]
        if given.shape != tensor.shape or given.is_floating_point() != tensor.is_floating_point():
            raise ValueError(
                f"{found.path}: {name} is {_kind(given)}, expected {_kind(tensor)} for {found}; "
                f"{remedy}"
            )
    for name in extra:
        if name not in statistics:
            raise ValueError(
                f"{found.path}: has {name} ({_kind(weights[name])}), expected none of that name "
                f"for {found}; {remedy}"
            )
    return {name: weights[name].detach().to(one.dtype) for name, one in expected.items()}


def _numbers(weights: Mapping[str, Tensor], pattern: str) -> list[int]:
    """The numbers that stand in the names of this pattern, ascending."""
    found = (re.fullmatch(pattern, name) for name in weights)
    return sorted(int(match[1]) for match in found if match)


def _shape(weights: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    return tuple(weights[name].shape) if name in weights else ()


def _is_kernel(weights: Mapping[str, Tensor], module: int) -> bool:
    # BatchNorm's weights stand among the face discriminator's convolutions.
    return weights[f"facemodel.{module}.weight"].ndim == 4


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def _describe(content: Any) -> str:
    """What else it is, as far as the first names tell."""
    if not isinstance(content, Mapping) or not content:
        return f"a {type(content).__name__}" if content else "nothing"
    first = str(next(iter(content)))
    if first.startswith(("scale", "layer", "facemodel.")):
        return f"a discriminator (its first tensor: {first})"
    if first.startswith("model.model."):
        return f"a U-Net (its first tensor: {first}), a kind that is not supported"
    if re.match(r"model(\d+_1)?\.", first):
        return f"an encoder, or part of a generator (its first tensor: {first})"
    return f"something else (its first tensor: {first})"
