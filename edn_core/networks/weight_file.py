"""Weight files of torchvision's classifiers, which people fetch themselves."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from edn_core.tensor_file import check_foreign_file, describe_error


def read_weight_file(
    network: nn.Module, path: str | Path, sha256: str, whose: str, setting: str, remedy: str
) -> None:
    """Put a weight file's tensors into a network; others in the file are passed over.

    A zip file is compared with its own checksums and claims first; one of a torch before 1.6, as
    torchvision's VGG19 is, has none and is read as it is, by torch with `weights_only=True`.

    Args:
        network: changed in place.
        path: the weight file.
        sha256: how its SHA-256 begins, hexadecimal.
        whose: the network's name, for messages.
        setting: that holds the checksum, for messages.
        remedy: what to do, for messages.

    Raises:
        ValueError: no such file, another checksum, damaged, or other weights; ends with the remedy.
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
        check_foreign_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
    except Exception as error:  # torch raises half a dozen kinds for what is no file of its own
        raise ValueError(
            f"{path}: does not hold {whose}'s weights ({describe_error(path, error)}); {remedy}"
        ) from error
