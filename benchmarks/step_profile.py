"""Where a training step's time goes: the twenty kernels that take most of it, and shares.

The step is the temporal stage's of `benchmarks.speed`, in bfloat16 and recorded as CUDA graphs
where the device can. On a GPU kernels are counted, on a CPU operators; the rest are gaps.
"""

import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.speed import make_run
from edn_core.accelerate import PLAIN, Acceleration
from edn_core.config import NetworkConfig

KINDS = {
    "optimizer": ("adam", "multi_tensor", "foreach", "lerp"),
    "normalization": ("norm", "rowwisemoments"),
    "copies": ("copy", "memcpy", "memset", "cat", "nchw", "nhwc", "transpose", "contiguous", "pad"),
    "convolution": ("conv", "gemm", "cudnn", "cutlass", "xmma", "winograd", "wgrad", "dgrad", "mm"),
}
"""By what stands in a kernel's name; the first that fits."""
STEPS, WARM_UP = 10, 6


def profile_step(
    size: tuple[int, int], network: NetworkConfig, device: torch.device
) -> dict[str, Any]:
    """Milliseconds of a step of (H, W): ``step_ms``, ``shares`` of it, ``top`` kernels."""
    is_cuda = device.type == "cuda"
    acceleration = Acceleration(cuda_graphs=True) if is_cuda else PLAIN
    run = make_run(size, network, "bfloat16" if is_cuda else "float32", acceleration, device)
    batch = {name: torch.rand((1, 2, 3, *size), device=device) for name in ("label", "image")}
    batch["matte"] = batch["label"][:, :, :1]
    steps = STEPS if is_cuda else 1
    for _ in range(WARM_UP if is_cuda else 1):
        run.train_step(batch, 10**9)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_cuda else [])]

    def go() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            run.train_step(batch, 10**9)
        if is_cuda:
            torch.cuda.synchronize(device)
        return 1e3 * (time.perf_counter() - began) / steps

    step_ms = go()  # the profiler itself takes time: gaps are those of the step without it
    with profile(activities=activities) as profiled:
        go()
    attribute = "self_device_time_total" if is_cuda else "self_cpu_time_total"
    kernels = {
        one.key: getattr(one, attribute) / 1e3 / steps
        for one in profiled.key_averages()
        if not is_cuda or one.device_type.name == "CUDA"
    }
    shares = dict.fromkeys([*reversed(KINDS), "other"], 0.0)
    for name, ms in kernels.items():
        fits = (kind for kind, parts in KINDS.items() if any(one in name.lower() for one in parts))
        shares[next(fits, "other")] += ms / step_ms
    shares["gaps"] = max(0.0, 1 - sum(shares.values()))  # the profiler makes a CPU slower
    top = sorted(kernels.items(), key=lambda one: -one[1])[:20]
    return {"step_ms": step_ms, "shares": shares, "top": dict(top)}


def describe(found: dict[str, Any]) -> str:
    """As Markdown."""
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in found["shares"].items())
    rows = [f"| {ms:.3f} | {name[:110]} |" for name, ms in found["top"].items()]
    head = f"A step of temporal takes {found['step_ms']:.2f} ms: {shares}."
    return "\n".join([head, "", "| ms a step | kernel |", "|---:|---|", *rows])
