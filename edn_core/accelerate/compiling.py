"""Whether compiling pays, and where what was compiled is kept."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from edn_core.logs import LOGGER

COLD_S, WARM_S = 90.0, 40.0
"""What compiling took before a stage's first step, without and with a cache (H200, torch 2.11)."""
SAVED = {"training": 0.13, "synthesis": 0.52}
"""Part of a step and of a frame that compiling saved there: 67.1 to 58.3 and 7.65 to 3.70 ms in
bfloat16 (docs/gpu.md), without CUDA graphs; with them it has not been measured."""
MEASURED, MEASURED_S = 50, 3.0  # calls that are timed, and about how long at most


def cache_folder() -> Path:
    """Where compiled code of all stages, targets and runs is kept; torch is told as well."""
    here = str(Path("resources/compile_cache").resolve())
    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", here))


def compiling_pays(
    what: str, seconds_left: float, networks: Iterable[nn.Module], *shape: object
) -> bool:
    """Whether compiling saves more of the seconds left than it costs; said in the log.

    ``what`` begins with a key of SAVED. Weights' and other shapes say what the cache has seen.
    """
    weights = [(name, tuple(one.shape)) for net in networks for name, one in net.named_parameters()]
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    about = repr((torch.__version__, card, what, weights, shape)).encode()
    mark = cache_folder() / "seen" / hashlib.sha256(about).hexdigest()
    cost, saved = WARM_S if mark.exists() else COLD_S, SAVED[what.split()[0]] * seconds_left
    LOGGER.info(
        f"{what}: {'compiled' if saved > cost else 'not compiled'}: of {seconds_left:.0f} s it is "
        f"expected to save {saved:.0f} and to cost {cost:.0f} ({mark.parents[1]} "
        f"{'has' if mark.exists() else 'lacks'} this shape)"
    )
    if saved > cost:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return saved > cost


def seconds_per_call(
    call: Callable[[], object], device: torch.device, agree: Callable[[float], float] = float
) -> float:
    """Mean time of a call after the first; ``agree`` makes one process's that of all."""

    def timed(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return agree((time.perf_counter() - began) / count)

    timed(5 if device.type == "cuda" else 1)  # a step is recorded as a graph in its fourth
    return timed(max(1, min(MEASURED, int(MEASURED_S / timed(1)))))
