"""Training and synthesis as the library does them: milliseconds of a step, of a frame, and memory.

    python -m benchmarks.speed [--size 512x256 ...] [--seconds 5] [--json speed.json]
    python -m benchmarks.speed --quick --device cpu     # seconds: does it run?

Training is a step of the temporal stage on a pair of frames with the perceptual loss (random
weights of VGG19's shape), synthesis a frame after the other. Each way adds to the one before:
float32 as it is, bfloat16, compiled, recorded as CUDA graphs; what the device cannot do is left
out. Sizes are W x H. docs/speed.md holds the figures.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from edn_core.accelerate import (
    PLAIN,
    Acceleration,
    accelerated_for_inference,
    check_precision,
)
from edn_core.config import NetworkConfig, StageConfig, TrainingConfig
from edn_core.networks import Vgg19Features
from edn_core.render import LABEL_STYLES, LabelStyle
from edn_core.split import Split
from edn_core.synthesize.step import synthesize_step
from edn_core.training import STAGES, TrainingFiles, TrainingSettings
from edn_core.training.run import Run

WAYS: dict[str, tuple[Literal["float32", "bfloat16"], Acceleration]] = {
    "float32": ("float32", PLAIN),
    "bfloat16": ("bfloat16", PLAIN),
    "bfloat16, compiled": ("bfloat16", Acceleration(compile=True)),
    "bfloat16, CUDA graphs": ("bfloat16", Acceleration(cuda_graphs=True)),
    "bfloat16, compiled, CUDA graphs": ("bfloat16", Acceleration(True, True)),
}
TINY = NetworkConfig(
    generator_channels=4,
    downsamplings=1,
    residual_blocks=1,
    discriminator_channels=4,
    discriminator_scales=1,
    discriminator_layers=1,
    face_generator_channels=4,
    face_downsamplings=1,
    face_residual_blocks=1,
    face_discriminator_channels=4,
)


@dataclass(frozen=True)
class Pictures:
    """What a Run asks of its pairs, without any video."""

    size: tuple[int, int]
    label_style: str = "edn"
    has_matte: bool = True
    face_side: int = 32

    @property
    def label_config(self) -> dict[str, Any]:
        """Of no matter here."""
        return {}

    @property
    def style(self) -> LabelStyle:
        """Of the labels."""
        return LABEL_STYLES[self.label_style]


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", action="append", help="W x H px; may be given again")
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, each way")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="tiny networks: does it run?")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args(arguments)
    device, network = torch.device(options.device), TINY if options.quick else NetworkConfig()
    results: dict[str, Any] = {}
    for text in ["64x32"] if options.quick else options.size or ["512x256", "1024x512"]:
        width, height = (int(number) for number in text.split("x"))
        for name, (precision, acceleration) in WAYS.items():
            if not _is_possible(precision, acceleration, device):
                continue
            seconds = 0.0 if options.quick else options.seconds
            run = make_run((height, width), network, precision, acceleration, device)
            found = measure_training(run, seconds) | measure_synthesis(run, acceleration, seconds)
            results[f"{text}, {name}"] = found
            print(f"{text}, {name}: " + ", ".join(f"{key} {one:.4g}" for key, one in found.items()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def _is_possible(precision: str, acceleration: Acceleration, device: torch.device) -> bool:
    try:
        check_precision(precision, device)
    except ValueError:
        return False
    return device.type == "cuda" or acceleration == PLAIN


def make_run(
    size: tuple[int, int],
    network: NetworkConfig,
    precision: Literal["float32", "bfloat16"],
    acceleration: Acceleration,
    device: torch.device,
) -> Run:
    """The temporal stage before its first step, on random weights and a window of (H, W)."""
    nothing = Path("none")
    files = TrainingFiles(nothing, nothing, nothing, None, None, nothing)
    split = Split(train=(), validation=range(0), test=range(0))
    stage = StageConfig(steps=1, perceptual=0.0)
    settings = TrainingSettings(stage, network, split, TrainingConfig(precision=precision))
    pairs: Any = Pictures(size)
    body = Run(STAGES["body"], files, settings, None, pairs, device)
    body.keep_if_best(None)
    run = Run(STAGES["temporal"], files, settings, body.trained(), pairs, device, acceleration)
    if min(size) >= 64:  # VGG19 halves a picture four times
        vgg = Vgg19Features().requires_grad_(False).eval().to(device)
        run.weighting = replace(run.weighting, config=StageConfig(steps=1), vgg=vgg)
    return run


def measure_training(run: Run, seconds: float) -> dict[str, float]:
    """Of one step: ``training_ms``, ``training_gflop``, and on a GPU ``training_peak_gb``."""
    shape, device = (1, 2, 3, *run.pairs.size), run.device
    batch = {name: torch.rand(shape, device=device) for name in ("label", "image")}
    batch["matte"] = batch["label"][:, :, :1]
    with FlopCounterMode(display=False) as counter:
        run._optimize(batch)
    found = _measure(lambda: run.train_step(batch, 10**9), device, seconds, "training")
    return found | {"training_gflop": counter.get_total_flops() / 1e9}


@torch.no_grad()
def measure_synthesis(run: Run, acceleration: Acceleration, seconds: float) -> dict[str, float]:
    """Of one frame: ``synthesis_ms``, and on a GPU ``synthesis_peak_gb``."""
    precision = run.settings.training.precision
    networks = {"generator": run.averaged.eval().requires_grad_(False)}
    fast = accelerated_for_inference(networks, run.device, acceleration, precision)
    label = torch.rand(1, 3, *run.pairs.size, device=run.device)
    previous = [torch.zeros_like(label)]

    def paint() -> None:
        previous[0] = synthesize_step(fast, label, previous[0])[:, :3]

    return _measure(paint, run.device, seconds, "synthesis")


def _measure(
    step: Callable[[], Any], device: torch.device, seconds: float, what: str
) -> dict[str, float]:
    """Median of a step, and the most memory in use; compiling is not in it."""
    is_cuda, rounds = device.type == "cuda", list[float]()
    for _ in range(6 if is_cuda else 1):  # until it is compiled and recorded
        step()
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    end = time.perf_counter() + seconds
    while not rounds or time.perf_counter() < end:
        if is_cuda:
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        for _ in range(10 if is_cuda else 1):
            step()
        if is_cuda:
            torch.cuda.synchronize(device)
        rounds.append((time.perf_counter() - began) / (10 if is_cuda else 1))
    found = {f"{what}_ms": 1e3 * statistics.median(rounds)}
    if is_cuda:
        found[f"{what}_peak_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


if __name__ == "__main__":
    main()
