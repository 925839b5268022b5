"""What a checkpoint says of itself, checked before networks are built and memory is taken for them.

A checkpoint may come from a stranger: a few bytes of settings can ask for a network of a terabyte,
and a tensor of one value can say that it has a billion.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

MAX_SIDE = 16_384
"""Of a canvas, px."""
MAX_PIXELS = 2**26
"""Of a canvas: 8192 x 8192."""
MAX_NETWORK = 1024
"""Channels of a first layer, and blocks."""
MAX_LABEL_CHANNELS = 256
MAX_TEXT = 4096
"""Characters of a text, and of all settings of the labels together."""

Content = dict[str, Any]


def check_generator_claims(path: str | Path, content: Content) -> None:
    """Refuse what cannot be an ``edn-generator``: types, ranges, a plate of another size.

    Args:
        path: the file, for messages.
        content: what it holds.

    Raises:
        ValueError: names the entry, what was found and what was expected.
    """
    check_numbers(
        path,
        content,
        height=MAX_SIDE,
        width=MAX_SIDE,
        label_channels=MAX_LABEL_CHANNELS,
        steps=2**62,
    )
    for name in ("stage", "label_style", "architecture"):
        text = content.get(name)
        if not isinstance(text, str) or len(text) > MAX_TEXT:
            raise _refused(path, content, name, "a short text")
    for name in ("network", "label_config"):
        if not isinstance(content.get(name), dict) or len(repr(content[name])) > MAX_TEXT:
            raise _refused(path, content, name, "some settings by name")
    for value in content["network"].values():
        if not isinstance(value, int) or isinstance(value, bool) or value > MAX_NETWORK:
            raise _refused(path, content, "network", f"whole numbers up to {MAX_NETWORK}")
    check_tensors(path, content, "weights")
    if content.get("face_weights", ()) is not None:
        check_tensors(path, content, "face_weights")
    _check_plate(path, content)


def check_numbers(path: str | Path, content: Content, **most: int) -> None:
    """Refuse entries that are no whole numbers from 0 to these."""
    for name, limit in most.items():
        value = content.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise _refused(path, content, name, f"a whole number from 0 to {limit}")


def check_tensors(path: str | Path, content: Content, name: str) -> None:
    """Refuse an entry that is no dict of tensors with as many values as they say."""
    tensors = content.get(name)
    if not isinstance(tensors, dict) or not all(isinstance(key, str) for key in tensors):
        raise _refused(path, content, name, "tensors by name")
    if not all(_is_whole(tensor) for tensor in tensors.values()):
        raise _refused(path, content, name, "dense tensors, each with all its values")
    stores = [tensor.untyped_storage() for tensor in tensors.values()]
    held = sum({store.data_ptr(): store.nbytes() for store in stores}.values())
    if sum(tensor.numel() * tensor.itemsize for tensor in tensors.values()) > held:
        raise _refused(path, content, name, "values of its own for each tensor")


def check_weights(whose: str, found: dict[str, torch.Tensor], network: nn.Module) -> None:
    """Refuse weights that are not those of a network.

    Args:
        whose: the network's name, for messages.
        found: the weights.
        network: on the meta device: without any values.

    Raises:
        ValueError: names the first weight that is missing, of another shape, or too many.
    """
    expected = network.state_dict()
    for key in (*expected, *found):
        shapes = [tuple(one[key].shape) if key in one else None for one in (found, expected)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the checkpoint's {whose} has {key!r:.80} of shape {shapes[0]}, expected "
                f"{shapes[1]} by its own settings; it is damaged or made by hand: give one that a "
                "training wrote"
            )


def _check_plate(path: str | Path, content: Content) -> None:
    background, size = content.get("background", ()), (content["height"], content["width"])
    if size[0] * size[1] > MAX_PIXELS:
        raise _refused(path, content, "height", f"a canvas of at most {MAX_PIXELS} px")
    if background is None:
        return
    expected = {"plate": (torch.uint8, (*size, 3)), "seen": (torch.bool, size)}
    for name, kind in expected.items():
        tensor: Any = background.get(name) if isinstance(background, dict) else None
        if not _is_whole(tensor) or (tensor.dtype, tuple(tensor.shape)) != kind:
            raise _refused(
                path, content, "background", f"a plate and what is seen of it, of {size}"
            )


def _refused(path: str | Path, content: Content, name: str, expected: str) -> ValueError:
    found = " ".join(f"{content.get(name)!r:.60}".split())
    return ValueError(
        f"{path}: {name} is {found}, expected {expected}; the file is damaged or made by hand: "
        "give one that a training wrote"
    )


def _is_whole(tensor: Any) -> bool:
    """A dense tensor whose values are all there: not one value said to be many."""
    return (
        isinstance(tensor, torch.Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.itemsize
    )
