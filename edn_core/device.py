"""Which device a stage computes on."""

import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_CLAIMS: list[IO[str]] = []  # open until this process ends: the lock goes with it


def pick_device(name: str, may_share: bool = True) -> "torch.device":
    """The device a setting names; ``auto`` takes CUDA where there is one.

    Of several GPUs the first that no other stage of ours uses: jobs that run side by side
    (``--resources gpu=2``) then do not meet on the first one.

    Args:
        name: runtime.device: auto, cpu or cuda.
        may_share: take the first GPU where all are in use. Processes of one training may not.

    Raises:
        ValueError: CUDA is asked for and not there, or no GPU is free that need not be shared.
    """
    import torch  # here, so that what runs without torch may import this module

    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise ValueError(
            "runtime.device is 'cuda' but torch finds no CUDA device; "
            "set runtime.device to auto or cpu, or install a CUDA build of torch"
        )
    if not has_cuda or name == "cpu":
        return torch.device("cpu")
    # By UUID: what counts as the first one differs with CUDA_VISIBLE_DEVICES.
    names = [
        str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())
    ]
    number = claim_free(names, Path(tempfile.gettempdir()))
    if number is None and not may_share:
        raise ValueError(
            f"runtime.gpus_per_training asks for more GPUs than are free: torch finds {len(names)} "
            "here and other processes of ours use the rest; lower it, or wait for the other stages"
        )
    return torch.device("cuda", number or 0)  # sharing is slow, but it works


def claim_free(names: Sequence[str], folder: Path) -> int | None:
    """Claim the first of the named things that no other process holds, until this one ends.

    Args:
        names: of the things, the same in every process.
        folder: where the locks lie.

    Returns:
        Its number; None where all are taken.
    """
    for number, name in enumerate(names):
        stream = open(folder / f"edn-{os.getuid()}-{name}.lock", "w")  # noqa: SIM115 (kept open)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.close()
            continue
        _CLAIMS.append(stream)
        return number
    return None
