"""Training and synthesis on a GPU: how near the floor, and what each trick of speed brings.

    python -m benchmarks.gpu [--seconds 5] [--size 512x256 --size 1024x512] [--json gpu.json]
    python -m benchmarks.gpu --quick --device cpu

Needs torch from 2.9 on, numpy, h5py and opencv, nothing else. Sizes are W x H: up to 600x600 pixels
the global generator with 64 channels, above that the local enhancer with a third scale of the
discriminator, and the face in synthesis. Training is a step on a pair of frames with the perceptual
loss (random weights of VGG19's shape). The plain way is float32, contiguous, eager, with separate
passes of the discriminator and batches made on the host; then one trick after another is added.

The floor is the larger of operations / peak and bytes of the convolutions / bandwidth, plus Adam's
28 bytes a weight; both are counted in the same run.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.tricks import Case, Tricks, Work, count, make
from edn_core.accelerate import check_precision
from edn_core.config import NetworkConfig

# (TFLOP/s of dense bfloat16, TB/s) by what the card's name holds. H200: a large matrix product and
# a large copy reach this; the others are their data sheets'.
PEAKS = {
    "H200": (790.0, 4.3),
    "H100": (989.0, 3.35),
    "A100": (312.0, 2.0),
    "L40S": (362.0, 0.864),
    "4090": (165.0, 1.008),
    "A10G": (70.0, 0.6),
}
TARGETS = {  # on one H200: pairs per second; frames per second at batch 1, with 8 pieces
    (512, 256): (100.0, 400.0, None),
    (1024, 512): (50.0, 200.0, 600.0),
}
PIECES = 8
ENHANCED_FROM = 600 * 600
LADDER: dict[bool, dict[str, tuple[str, ...]]] = {
    True: {
        "one pass of the discriminator": ("one_pass",),
        "fused Adam, average at once": ("fused_adam", "average_at_once"),
        "group normalization": ("group_norm",),
        "frames on the device": ("resident",),
        "bfloat16": ("bfloat16",),
        "compile, channels last": ("compile", "channels_last"),
        "CUDA graphs": ("cuda_graphs",),
    },
    False: {
        "group normalization": ("group_norm",),
        "bfloat16": ("bfloat16",),
        "compile, channels last": ("compile", "channels_last"),
        "CUDA graphs": ("cuda_graphs",),
    },
}
"""What is added to the plain way, one after the other, in training and in synthesis."""


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, each way")
    parser.add_argument("--size", action="append", help="W x H px; may be given again")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny networks: does it run?")
    parser.add_argument("--peak-tflops", type=float, help="of the card, dense bfloat16")
    parser.add_argument("--peak-tbps", type=float, help="bandwidth of its memory, TB/s")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device; try --quick --device cpu to see that the benchmark runs")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    peaks = _peaks(name, options.peak_tflops, options.peak_tbps)
    print(f"{name}, torch {torch.__version__}; {_describe(peaks)}")
    if device.type == "cpu":
        print("not measured on CUDA: the figures below say only that the benchmark runs")
    sizes = [_size(text) for text in options.size or ["512x256", "1024x512"]]
    results = {}
    for case in _quick_cases() if options.quick else _cases(sizes):
        seconds = 0.0 if options.quick else options.seconds
        results[case.name] = run(case, device, peaks, seconds) | {"device": name}
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    _report_targets(results, device)


def _size(text: str) -> tuple[int, int]:
    width, height = (int(number) for number in text.split("x"))
    return width, height


def _peaks(name: str, tflops: float | None, tbps: float | None) -> tuple[float, float] | None:
    known = next((peaks for part, peaks in PEAKS.items() if part in name), None)
    if known is None and (tflops is None or tbps is None):
        return None
    return tflops or (known or (0, 0))[0], tbps or (known or (0, 0))[1]


def _describe(peaks: tuple[float, float] | None) -> str:
    if peaks is None:
        return "its peaks are not known here: no floor (give --peak-tflops and --peak-tbps)"
    return f"floor by {peaks[0]:g} TFLOP/s and {peaks[1]:g} TB/s"


def _cases(sizes: list[tuple[int, int]]) -> list[Case]:
    cases = []
    for width, height in sizes:
        is_enhanced = width * height > ENHANCED_FROM
        shared: dict[str, Any] = {
            "size": (height, width),
            "network": NetworkConfig(),
            "is_enhanced": is_enhanced,
        }
        train, single, pieces = TARGETS.get((width, height), (None, None, None))
        size, face = f"{width}x{height}", " with face" if is_enhanced else ""
        shown = {**shared, "is_training": False, "has_face": is_enhanced}
        cases += [
            Case(f"pair {size}", is_training=True, has_vgg=True, target=train, **shared),
            Case(f"synthesis {size}{face}", target=single, **shown),
            Case(f"synthesis {size}{face}, {PIECES} pieces", batch=PIECES, target=pieces, **shown),
        ]
    return cases


def _quick_cases() -> list[Case]:
    network = NetworkConfig(
        generator_channels=4,
        downsamplings=1,
        residual_blocks=1,
        discriminator_channels=4,
        discriminator_scales=1,
        discriminator_layers=1,
        face_generator_channels=4,
        face_downsamplings=1,
        face_residual_blocks=1,
    )
    shown: dict[str, Any] = {"network": network, "is_training": False}
    return [
        Case("pair 64x32", (32, 64), network, is_training=True, has_vgg=True),
        Case("pair 64x64", (64, 64), network, is_training=True, is_enhanced=True),
        Case("synthesis 64x64 with face", (64, 64), is_enhanced=True, has_face=True, **shown),
        Case("synthesis 64x32, 2 pieces", (32, 64), batch=2, **shown),
    ]


def floor_ms(work: Work, peaks: tuple[float, float]) -> float:
    """Milliseconds of a step that no program on such a card can go below."""
    operations = work.flops / (peaks[0] * 1e12)
    traffic = work.convolution_bytes / (peaks[1] * 1e12)
    return 1e3 * (max(operations, traffic) + work.adam_bytes / (peaks[1] * 1e12))


def run(
    case: Case, device: torch.device, peaks: tuple[float, float] | None, seconds: float
) -> dict[str, Any]:
    """Measure all ways of a case, and print them.

    Returns:
        Of the fastest way ``ms``, ``pairs_per_s`` or ``frames_per_s``, ``peak_memory_bytes``,
        ``ratio`` to the plain way; where peaks are known ``floor_ms`` and ``fraction_of_floor``;
        ``flops``, ``convolution_bytes``, ``adam_bytes`` and ``target``; and all ``ways``.
    """
    work = count(case, device)
    floor = floor_ms(work, peaks) if peaks else None
    print(
        f"\n{case.name}: {work.flops / 1e9:.1f} GFLOP a step, convolutions move "
        f"{work.convolution_bytes / 1e9:.2f} GB in bfloat16"
        + (f", floor {floor:.2f} ms" if floor else "")
    )
    unit = "pairs_per_s" if case.is_training else "frames_per_s"
    ways: list[dict[str, Any]] = []
    tricks = Tricks()
    for name, added in {"plain": (), **LADDER[case.is_training]}.items():
        wanted = tricks.with_(*added)
        reason = _impossible(wanted, device)
        if reason:
            print(f"  {name:32} not measured: {reason}")
            continue
        try:
            milliseconds, memory = _measure(make(case, wanted, device), device, seconds)
        except (RuntimeError, NotImplementedError) as error:  # CUDA's out of memory is one
            print(f"  {name:32} failed: {str(error).splitlines()[0]}")
            continue
        tricks = wanted
        way = {
            "name": name,
            "ms": milliseconds,
            unit: 1e3 * case.batch / milliseconds,
            "ratio": ways[0]["ms"] / milliseconds if ways else 1.0,
            "peak_memory_bytes": memory,
        }
        if floor:
            way |= {"floor_ms": floor, "fraction_of_floor": floor / milliseconds}
        ways.append(way)
        print(
            f"  {name:32}{milliseconds:9.2f} ms {way[unit]:9.1f} {unit.replace('_per_', '/')}"
            f"{way['ratio']:7.2f} x"
            + (f"{100 * way['fraction_of_floor']:6.0f} % of the floor" if floor else "")
            + (f"{memory / 1e9:7.1f} GB" if memory else ""),
            flush=True,
        )
    best: dict[str, Any] = min(ways, key=lambda way: way["ms"]) if ways else {}
    counted = {
        "flops": work.flops,
        "convolution_bytes": work.convolution_bytes,
        "adam_bytes": work.adam_bytes,
    }
    return {**best, **counted, "target": case.target, "ways": ways}


def _impossible(tricks: Tricks, device: torch.device) -> str:
    """Why these tricks cannot be on here; empty: they can."""
    if device.type == "cpu" and (tricks.compile or tricks.cuda_graphs):
        return "on a CPU; see benchmarks.cpu_speed"
    try:
        check_precision(tricks.precision, device)
    except ValueError as error:
        return str(error)
    return ""


def _measure(
    step: Callable[[], Any], device: torch.device, seconds: float
) -> tuple[float, int | None]:
    """Median milliseconds of a step, and the most memory in use; compiling is not in it."""
    is_cuda = device.type == "cuda"
    if is_cuda:
        torch.cuda.empty_cache()
    for _ in range(6 if is_cuda else 1):  # until it is compiled and recorded
        step()
    if is_cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    rounds: list[float] = []
    steps = 10 if is_cuda else 1
    end = time.perf_counter() + seconds
    while not rounds or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(steps):
            step()
        if is_cuda:
            torch.cuda.synchronize(device)
        rounds.append((time.perf_counter() - began) / steps)
    memory = torch.cuda.max_memory_allocated(device) if is_cuda else None
    return 1e3 * statistics.median(rounds), memory


def _report_targets(results: dict[str, dict[str, Any]], device: torch.device) -> None:
    print("\ntargets on one H200")
    for (width, height), targets in TARGETS.items():
        for name, result in results.items():
            if f" {width}x{height}" in name and result["target"] and result["ways"]:
                reached = result.get("pairs_per_s", result.get("frames_per_s"))
                verdict = "met" if reached >= result["target"] else "not met"
                if device.type == "cpu":
                    verdict = "not measured on CUDA"
                print(f"  {name:44}{result['target']:6.0f}/s {reached:9.1f}/s  {verdict}")
        if not any(f" {width}x{height}" in name for name in results):
            shown = ", ".join(f"{target:.0f}/s" for target in targets if target)
            print(f"  {width}x{height}: {shown}: not measured")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
