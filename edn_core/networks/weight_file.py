"""Weight files of torchvision's classifiers, which people fetch themselves."""

import hashlib
from pathlib import Path

import torch
from torch import nn


def read_weight_file(
    network: nn.Module, path: str | Path, sha256: str, whose: str, setting: str, remedy: str
) -> None:
    """Put a weight file's tensors into a network; others in the file are passed over.

    Args:
        network: changed in place.
        path: the weight file.
        sha256: how its SHA-256 begins, hexadecimal.
        whose: the network's name, for messages.
        setting: that holds the checksum, for messages.
        remedy: what to do, for messages.

    Raises:
        ValueError: no such file, another checksum, or other weights; ends with the remedy.
    """
    try:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if not found.startswith(sha256.lower()):
        raise ValueError(
            f"{path}: its SHA-256 begins {found[: max(8, len(sha256))]}, expected {sha256} "
            f"({setting}): not the file meant, or damaged; {remedy}"
        )
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
    except Exception as error:  # torch raises half a dozen kinds for what is no file of its own
        # Not torch's text: for some files it is advice, in several lines, to read them unsafely.
        raise ValueError(
            f"{path}: does not hold {whose}'s weights ({type(error).__name__}); {remedy}"
        ) from error
