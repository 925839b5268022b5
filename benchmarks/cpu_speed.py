"""What the tricks of speed bring on this CPU, each alone and all together, against the plain way.

    python -m benchmarks.cpu_speed [--quick] [--rounds N] [--compile]

One thread, process time, each way in turn with the plain one, medians of their ratios: other work
on the machine counts little. Sizes: preset cpu's, and 256 x 128 with 32 channels; no face network.
docs/speed.md holds the figures.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from benchmarks.tricks import Case, Tricks, make
from edn_core.accelerate import check_precision
from edn_core.config import PRESETS, NetworkConfig

CPU = torch.device("cpu")
TRAINING = ("one_pass", "fused_adam", "average_at_once", "resident")
LAYERS = {
    True: ("group_norm",),
    False: ("group_norm", "channels_last"),
}
"""What concerns the layers, in training and in synthesis."""


def main() -> None:
    """Print milliseconds of CPU time and ratios to the plain way."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="tiny networks, to see that it runs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="also torch.compile (minutes)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for case in _cases(options.quick):
        height, width = case.size
        print(f"\n{case.name}, {width}x{height}, {case.network.generator_channels} channels")
        plain = make(case, Tricks(), CPU)
        for name, tricks in _ways(case, options.compile).items():
            # Two at a time, for memory's sake.
            of_plain, own = measure(
                (plain, make(case, tricks, CPU)), 2 if options.quick else options.rounds
            )
            ratio = statistics.median(a / b for a, b in zip(of_plain, own, strict=True))
            print(
                f"  {name:34}{1e3 * statistics.median(own):9.1f} ms, plain"
                f"{1e3 * statistics.median(of_plain):9.1f} ms{ratio:7.2f} x",
                flush=True,
            )


def _cases(is_quick: bool) -> list[Case]:
    small = NetworkConfig(**PRESETS["cpu"]["network"])
    sizes = [((96, 128), small), ((128, 256), NetworkConfig(generator_channels=32))]
    if is_quick:
        tiny = replace(small, generator_channels=4, residual_blocks=1, discriminator_channels=4)
        sizes = [((32, 32), tiny)]
    return [
        Case("training step" if is_training else "synthesis of a frame", size, network, is_training)
        for size, network in sizes
        for is_training in (True, False)
    ]


def default(case: Case) -> Tricks:
    """What is on by default on a CPU."""
    return Tricks().with_(*(TRAINING if case.is_training else ()), *LAYERS[case.is_training])


def _ways(case: Case, with_compile: bool) -> dict[str, Tricks]:
    names = (*(TRAINING if case.is_training else ()), *LAYERS[case.is_training])
    together = default(case)
    ways = {name.replace("_", " "): Tricks().with_(name) for name in names}
    ways["together (the default)"] = together
    if case.is_training:
        ways["together + channels last"] = together.with_("channels_last")
    try:
        check_precision("bfloat16", CPU)
        ways["together + bfloat16"] = replace(together, bfloat16=True, channels_last=False)
    except ValueError as error:
        print(f"bfloat16: not measured: {error}")
    if with_compile:
        ways["together + compile, channels last"] = together.with_("compile", "channels_last")
    return ways


def measure(ways: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Process time of each way's steps, s, the ways in turn."""
    times: list[list[float]] = [[] for _ in ways]
    for i in range(2 + rounds):
        for step, own in zip(ways, times, strict=True):
            began = time.process_time()
            step()
            if i >= 2:
                own.append(time.process_time() - began)
    return times


if __name__ == "__main__":
    main()
