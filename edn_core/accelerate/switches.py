"""What is switched on, and in which precision a device can compute."""

import importlib.util
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from edn_core.config import RuntimeConfig
from edn_core.logs import LOGGER

NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instructions that multiply bfloat16, by the names torch gives them on x86 and ARM."""


@dataclass(frozen=True)
class Acceleration:
    """What is switched on.

    Attributes:
        compile: networks are compiled.
        channels_last: channels are innermost in memory.
        cuda_graphs: steps are recorded and replayed.
    """

    compile: bool = False
    channels_last: bool = False
    cuda_graphs: bool = False


PLAIN = Acceleration()


def check_precision(
    precision: str,
    device: torch.device,
    setting: str = "training.precision",
    capabilities: Mapping[str, Any] | None = None,
) -> None:
    """Refuse half the bits where they would be emulated: 49 times as slow was measured.

    Args:
        precision: ``float32`` or ``bfloat16``.
        device: where the networks are to run.
        setting: where the precision was asked for, for the message.
        capabilities: of the CPU, by torch's names; None: those of this one.

    Raises:
        ValueError: names the setting, the device and what to do.
    """
    if precision == "float32":
        return
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return
        where = torch.cuda.get_device_name(device)
    else:
        if capabilities is None:
            capabilities = _cpu_capabilities()
        if any(capabilities.get(name) for name in NATIVE_BFLOAT16):
            return
        where = "this CPU"
    raise ValueError(
        f"{setting} is 'bfloat16', but {where} cannot multiply bfloat16 and would emulate it, many "
        f"times slower; set {setting} to float32"
    )


def _cpu_capabilities() -> Mapping[str, Any]:
    if hasattr(torch.cpu, "get_capabilities"):
        found: Mapping[str, Any] = torch.cpu.get_capabilities()
        return found
    # Before torch 2.10.
    return {
        name: getattr(torch.cpu, f"_is_{name}_supported", lambda: False)()
        for name in ("avx512_bf16", "amx_bf16")
    }


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Products in the precision asked for; of ``float32`` nothing changes."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def choose_acceleration(runtime: RuntimeConfig, device: torch.device, what: str) -> Acceleration:
    """Decide what ``auto`` stands for on a device, and log it with the reason.

    On a CPU nothing is compiled unless asked for, so that results do not depend on whether there
    is a compiler, or on how long it was thought to pay.

    Args:
        runtime: the switches.
        device: CPU or CUDA.
        what: is to be accelerated, for the log.

    Raises:
        ValueError: ``runtime.compile`` is ``always`` and there is nothing to compile with.
    """
    is_cuda = device.type == "cuda"
    missing = _missing_compiler(is_cuda)
    if runtime.compile == "always" and missing:
        raise ValueError(
            f"runtime.compile is 'always', but {missing}; install it, or set runtime.compile to "
            "auto or never"
        )
    compiles = runtime.compile == "always" or (runtime.compile == "auto" and is_cuda)
    compiles = compiles and not missing
    # Eager normalization turns the channels outwards again, so alone it costs two copies a layer.
    is_last = runtime.channels_last == "always" or (
        runtime.channels_last == "auto" and is_cuda and compiles
    )
    is_alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    records = runtime.cuda_graphs == "auto" and is_cuda and is_alone
    no_compiler = missing if is_cuda else "brings nothing more on a CPU"
    reasons = [
        _reason("compile", runtime.compile, compiles, no_compiler),
        _reason("channels_last", runtime.channels_last, is_last, "only with compiled networks"),
    ]
    if is_cuda:
        why_not = "one process alone can record its step"
        reasons.append(_reason("cuda_graphs", runtime.cuda_graphs, records, why_not))
    LOGGER.info(f"{what} on {device.type}: {'; '.join(reasons)}")
    return Acceleration(compile=compiles, channels_last=is_last, cuda_graphs=records)


def _reason(name: str, setting: str, is_on: bool, why_not: str) -> str:
    if setting != "auto":
        return f"{name} {'on' if is_on else 'off'} (runtime.{name}: {setting})"
    return f"{name} on" if is_on else f"{name} off ({why_not})"


def _missing_compiler(is_cuda: bool) -> str:
    """What torch.compile lacks on this machine; empty: nothing."""
    if is_cuda:
        return "" if importlib.util.find_spec("triton") else "there is no Triton"
    names = [os.environ.get("CXX"), "g++", "clang++", "c++"]
    return "" if any(shutil.which(name) for name in names if name) else "there is no C++ compiler"
