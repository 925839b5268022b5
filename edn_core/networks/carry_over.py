"""Weights of one stage made into the first weights of the next."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edn_core.networks.discriminator import MultiscaleDiscriminator
from edn_core.networks.enhancer import LocalEnhancer


@dataclass(frozen=True)
class CarryOver:
    """Which tensors went from given weights into a network, by state-dict key.

    As text it gives their numbers, for the log.

    Attributes:
        carried: in both, with equal shape: the network now holds the weights' values.
        kept: of the network alone: left as they were.
        discarded: of the weights alone, or of another shape there: unused.
    """

    carried: tuple[str, ...]
    kept: tuple[str, ...]
    discarded: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{len(self.carried)} of {len(self.carried) + len(self.kept)} tensors carried over, "
            f"{len(self.kept)} new ones as initialized, {len(self.discarded)} given ones unused"
        )


def enhance_from(enhancer: LocalEnhancer, coarse: Mapping[str, Tensor]) -> CarryOver:
    """Put a coarse generator's weights into the local enhancer around it.

    Every tensor of the coarse part (``model.*``) is carried over; the coarse generator's own last
    convolution, which painted its picture, is not used; the enhancers (``model1_1.*`` ...) keep
    what they hold. As in pix2pixHD, tensors belong together by equal key and shape; unlike there
    it is an error if the coarse part would not be filled. The weights of an enhancer with fewer
    enhancers and the same coarse generator serve as well.

    Args:
        enhancer: initialized; changed in place, and only if all fits.
        coarse: state dict of a GlobalGenerator, with or without a mask as fourth output.

    Returns:
        What was carried over.

    Raises:
        ValueError: the weights leave a tensor of the coarse part unfilled; names the first.
    """
    found = _compare(enhancer, coarse)
    unfilled = [name for name in found.kept if name.startswith("model.")]
    if unfilled:
        raise ValueError(
            f"coarse generator weights {unfilled[0]} {_misfit(unfilled[0], coarse, enhancer)}: the "
            f"coarse generator's first layer must have {2**enhancer.enhancers} times the "
            "enhancer's channels, and labels, downsamplings and residual blocks must be the same; "
            "give the enhancer the sizes that the coarse generator was trained with"
        )
    return _copy(enhancer, coarse, found)


def extend_from(
    discriminator: MultiscaleDiscriminator, fewer_scales: Mapping[str, Tensor]
) -> CarryOver:
    """Put the weights of a discriminator of fewer scales into one of more.

    scale0 is the coarsest. On pictures of twice the size each scale that is carried over judges
    the resolution it was trained at, and the added one, the finest, the new detail; that one keeps
    what it holds. From two scales to three, 20 of 30 tensors are carried over.

    Args:
        discriminator: initialized; changed in place, and only if all fits.
        fewer_scales: state dict of a MultiscaleDiscriminator with at most as many scales.

    Returns:
        What was carried over.

    Raises:
        ValueError: a tensor of the weights has no place of its shape; names the first.
    """
    found = _compare(discriminator, fewer_scales)
    unfit = [*found.discarded, *(name for name in found.kept if name.startswith("scale0_"))]
    if unfit:
        raise ValueError(
            f"discriminator weights {unfit[0]} {_misfit(unfit[0], fewer_scales, discriminator)}: "
            "inputs, channels and layers must be the same, scales at most as many; start from the "
            "stage before with the same network settings and label style"
        )
    return _copy(discriminator, fewer_scales, found)


def _compare(network: nn.Module, weights: Mapping[str, Tensor]) -> CarryOver:
    own = network.state_dict()
    carried = [name for name in own if name in weights and weights[name].shape == own[name].shape]
    return CarryOver(
        carried=tuple(carried),
        kept=tuple(name for name in own if name not in carried),
        discarded=tuple(name for name in weights if name not in carried),
    )


def _misfit(name: str, weights: Mapping[str, Tensor], network: nn.Module) -> str:
    given, own = weights.get(name), network.state_dict().get(name)
    found = "are missing" if given is None else f"have shape {tuple(given.shape)}"
    return f"{found}, expected {'none of that name' if own is None else tuple(own.shape)}"


def _copy(network: nn.Module, weights: Mapping[str, Tensor], found: CarryOver) -> CarryOver:
    network.load_state_dict({name: weights[name] for name in found.carried}, strict=False)
    return found


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
