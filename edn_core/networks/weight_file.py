"""Files of torch.save that others published: torchvision's classifiers, pix2pixHD's networks."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edn_core.errors import Refused
from edn_core.store import file_sha256


def read_foreign_file(path: str | Path, expected: str, remedy: str, sha256: str = "") -> Any:
    """What a file of torch.save by others holds, on the CPU; nothing of it is run.

    ``sha256`` is how its SHA-256 begins, hexadecimal; empty: not known. Refused: no such file,
    another checksum, or not readable; says what was expected, and ends with the remedy.
    """
    try:
        found = file_sha256(path) if sha256 else ""
        if not found.startswith(sha256.lower()):
            raise Refused(
                path, f"its SHA-256 begins {found[: max(8, len(sha256))]}", sha256, remedy
            )
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise Refused(path, f"cannot be read ({error.strerror})", expected, remedy) from error
    except (Refused, MemoryError):
        raise
    except Exception as error:  # torch raises half a dozen kinds for what is no file of its own
        raise Refused(path, f"not readable ({type(error).__name__})", expected, remedy) from error


def read_weight_file(
    network: nn.Module, path: str | Path, sha256: str, whose: str, remedy: str
) -> None:
    """Put a weight file's tensors into ``whose`` network; others in the file are passed over.

    Refused as by read_foreign_file, or for other weights: names the first wrong key.
    """
    weights = read_foreign_file(path, f"{whose}'s weights", remedy, sha256)
    own = network.state_dict()
    for name, tensor in own.items():
        given = weights.get(name) if isinstance(weights, dict) else None
        if not isinstance(given, Tensor) or given.shape != tensor.shape:
            found = f"of shape {tuple(given.shape)}" if isinstance(given, Tensor) else "not there"
            raise Refused(path, f"{name} is {found}", f"{tuple(tensor.shape)} ({whose})", remedy)
    network.load_state_dict({name: weights[name] for name in own})
