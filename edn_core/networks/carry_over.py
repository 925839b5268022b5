"""Weights of one stage made into the first weights of the next."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from edn_core.networks.discriminator import MultiscaleDiscriminator
from edn_core.networks.enhancer import LocalEnhancer


def enhance_from(enhancer: LocalEnhancer, coarse: Mapping[str, Tensor]) -> str:
    """Put a coarse generator's weights into the initialized local enhancer around it.

    Every tensor of the coarse part (``model.*``) is carried over; the coarse generator's own last
    convolution, which painted its picture, is not used; the enhancer (``model1_1.*``,
    ``model1_2.*``) keeps what it holds. As in pix2pixHD, tensors belong together by equal key and
    shape; unlike there it is a ValueError, naming the first, if the coarse part would not be
    filled. Returns how many tensors were carried over, for the log.
    """
    _check_shapes(
        enhancer,
        coarse,
        [name for name in enhancer.state_dict() if name.startswith("model.")],
        "coarse generator",
        "the coarse generator's first layer must have 2 times the enhancer's channels, and labels, "
        "downsamplings and residual blocks must be the same; give the enhancer the sizes that the "
        "coarse generator was trained with",
    )
    return _carry_over(enhancer, coarse)


def extend_from(discriminator: MultiscaleDiscriminator, fewer_scales: Mapping[str, Tensor]) -> str:
    """Put the weights of a discriminator of fewer scales into an initialized one of more.

    scale0 is the coarsest. On pictures of twice the size each scale that is carried over judges the
    resolution it was trained at, and the added one, the finest, the new detail; that one keeps what
    it holds. From two scales to three, 20 of 30 tensors are carried over; returns that for the log.
    ValueError: a tensor of the weights has no place of its shape; names the first.
    """
    coarsest = [name for name in discriminator.state_dict() if name.startswith("scale0_")]
    _check_shapes(
        discriminator,
        fewer_scales,
        [*fewer_scales, *coarsest],
        "discriminator",
        "inputs, channels and layers must be the same, scales at most as many; start from the "
        "stage before with the same network settings and label style",
    )
    return _carry_over(discriminator, fewer_scales)


def _check_shapes(
    network: nn.Module, weights: Mapping[str, Tensor], names: Iterable[str], whose: str, remedy: str
) -> None:
    own = network.state_dict()
    for name in names:
        given, expected = (
            tuple(one[name].shape) if name in one else None for one in (weights, own)
        )
        if given != expected:
            found = "are missing" if given is None else f"have shape {given}"
            raise ValueError(
                f"{whose} weights {name} {found}, expected {expected or 'none of that name'}: "
                f"{remedy}"
            )


def _carry_over(network: nn.Module, weights: Mapping[str, Tensor]) -> str:
    own = network.state_dict()
    carried = {name: weights[name] for name in own.keys() & weights.keys()}
    carried = {name: one for name, one in carried.items() if one.shape == own[name].shape}
    network.load_state_dict(carried, strict=False)
    return (
        f"{len(carried)} of {len(own)} tensors carried over, {len(own) - len(carried)} new ones as "
        f"initialized, {len(weights) - len(carried)} given ones unused"
    )


def widen_discriminator_for_pairs(
    state_dict: dict[str, Tensor], label_channels: int
) -> dict[str, Tensor]:
    """The weights of a discriminator of pairs made from one of single frames.

    [label, image] becomes [previous label, label, previous image, image]: the first layer's weights
    are doubled and halved, so that a pair of two equal frames scores as the one frame did.
    ValueError: the weights are not for label_channels + 3 inputs.
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
