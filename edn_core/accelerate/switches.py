"""What is switched on, and in which precision a device can compute."""

import importlib.util
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from edn_core.accelerate.compiling import cache_folder
from edn_core.config import RuntimeConfig
from edn_core.errors import Refused
from edn_core.logs import LOGGER

NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instructions that multiply bfloat16, by the names torch gives them on x86 and ARM."""


@dataclass(frozen=True)
class Acceleration:
    """What is switched on."""

    compile: bool = False  # networks are compiled, on a GPU with channels innermost in memory
    cuda_graphs: bool = False  # steps are recorded and replayed
    if_it_pays: bool = False  # compiled as soon as it is known that it pays (compiling_pays)


PLAIN = Acceleration()


def choose_acceleration(runtime: RuntimeConfig, device: torch.device, what: str) -> Acceleration:
    """Decide what ``auto`` stands for on a device, and log it for ``what`` is to be accelerated.

    On a CPU nothing is compiled unless asked for: it brings nothing there, and results would depend
    on whether there is a compiler. Of several processes none records its steps, which wait for each
    other.
    """
    is_cuda = device.type == "cuda"
    can_compile = is_cuda and importlib.util.find_spec("triton") is not None
    compiles, may_compile = runtime.compile == "always", runtime.compile == "auto" and can_compile
    if compiles or may_compile:
        cache_folder()  # before the first optimizer, with which torch settles where it is
    is_alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    records = runtime.cuda_graphs == "auto" and is_cuda and is_alone
    told = "compiled" if compiles else "compiled if it pays" if may_compile else "not compiled"
    LOGGER.info(
        f"{what} on {device.type}: {told}, "
        f"{'recorded as CUDA graphs' if records else 'not recorded'}"
    )
    return Acceleration(compiles, records, may_compile)


def check_precision(
    precision: str, device: torch.device, setting: str = "training.precision"
) -> None:
    """Refuse ``bfloat16`` where it would be emulated: 49 times as slow was measured."""
    if precision == "float32":
        return
    if device.type == "cuda":
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
        where = torch.cuda.get_device_name(device)
    else:
        found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch from 2.10 on
        is_native = any(found.get(name) for name in NATIVE_BFLOAT16)
        where = "this CPU"
    if not is_native:
        raise Refused(
            setting,
            f"is 'bfloat16', which {where} cannot multiply and would emulate, many times slower",
            "",
            f"set {setting} to float32",
        )


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Products in the precision asked for; of ``float32`` nothing changes."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
