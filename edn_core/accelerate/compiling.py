"""Whether compiling pays, and where what was compiled is kept."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from edn_core.logs import LOGGER

CACHE = Path("resources/compile_cache")
"""Of all stages, targets and runs, unless TORCHINDUCTOR_CACHE_DIR names another."""
COLD_S, WARM_S = 90.0, 40.0
"""What compiling took before a stage's first step, without and with a cache (H200, torch 2.11)."""
SAVED = {"training": 0.13, "synthesis": 0.52}
"""Part of a step and of a frame that compiling saved there: 67.1 to 58.3 and 7.65 to 3.70 ms in
bfloat16 (docs/speed.md). Both without CUDA graphs; with them it has not been measured."""
MEASURED, MEASURED_S = 50, 3.0  # calls that are timed, and about how long at most


def cache_folder() -> Path:
    """Where compiled code is kept, which torch is told as well."""
    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(CACHE.resolve())))


def compiling_pays(
    what: str, kind: str, seconds_left: float, networks: Iterable[nn.Module], *shape: object
) -> bool:
    """Whether compiling saves more of the time left than it costs; the log says what is expected.

    Args:
        what: named in the log.
        kind: of SAVED.
        seconds_left: what is left to do takes as long uncompiled.
        networks: what would be compiled.
        *shape: of what they are given. By both the cache is asked whether it holds this; what is
            compiled is marked there.
    """
    weights = [(name, tuple(one.shape)) for net in networks for name, one in net.named_parameters()]
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    about = repr((torch.__version__, card, kind, weights, shape)).encode()
    cache = cache_folder()
    mark = cache / "seen" / hashlib.sha256(about).hexdigest()
    is_seen = mark.exists()
    cost, saved = WARM_S if is_seen else COLD_S, SAVED[kind] * seconds_left
    LOGGER.info(
        f"{what}: {'compiled' if saved > cost else 'not compiled'}: of {seconds_left:.0f} s it is "
        f"expected to save {saved:.0f} and to cost {cost:.0f} "
        f"({cache} {'has' if is_seen else 'lacks'} this shape)"
    )
    if saved > cost:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return saved > cost


def seconds_per_call(
    call: Callable[[], object],
    device: torch.device,
    warm_up: int,
    agree: Callable[[float], float] = float,
) -> float:
    """Mean time of a call after so many that are not timed; the device is waited for.

    ``agree`` makes what one process measured that of all.
    """

    def timed(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return agree((time.perf_counter() - began) / count)

    timed(warm_up)
    return timed(max(1, min(MEASURED, int(MEASURED_S / timed(1)))))
