"""Which card, how long, how much memory: the tables of docs/gpu.md, counted from the networks.

    python -m benchmarks.gpu_cost [--from gpu.json]

Every step is counted (edn_core/training/cost.py): operations, bytes of convolutions, bytes of Adam.
A card cannot be faster than its floor, the larger of operations / peak and bytes / bandwidth; what
it reaches of that is an assumption until benchmarks/gpu.py has measured it on one card: its JSON,
given with --from, replaces the assumption by the fractions measured.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edn_core.config import Config, EvaluationConfig, read_section, with_preset
from edn_core.preset import NEEDS_GB
from edn_core.training.cost import Cost, needs_gb, preset_canvas, stage_costs

ASSUMED_FRACTION = 0.4
MINUTES, FPS = (5, 10, 20), 30


@dataclass(frozen=True)
class Card:
    """A GPU as its maker publishes it.

    Attributes:
        name: of the card.
        memory_gb: GB.
        tflops: dense bfloat16 on tensor cores with sums in float32, 10**12 operations a second.
        bandwidth_gb_s: of its memory, 10**9 bytes a second.
    """

    name: str
    memory_gb: int
    tflops: float
    bandwidth_gb_s: float


# As commonly given, without sparsity; RTX 3060 and 4070 scaled by cores and clock. Not looked up in
# data sheets for this table: correct the card that matters to you.
CARDS = (
    Card("RTX 3060 12 GB", 12, 25.6, 360),
    Card("RTX 4070 12 GB", 12, 58.3, 504),
    Card("RTX 4090 24 GB", 24, 165.2, 1008),
    Card("A10G 24 GB", 24, 70.0, 600),
    Card("A100 80 GB", 80, 312.0, 2039),
    Card("H100 SXM 80 GB", 80, 989.0, 3350),
    Card("H200 141 GB", 141, 989.0, 4800),
)


def floor_s(cost: Cost, card: Card) -> float:
    """Seconds of a step that the card cannot go below."""
    compute = cost.flops / (card.tflops * 1e12)
    traffic = cost.convolution_bytes / (card.bandwidth_gb_s * 1e9)
    return max(compute, traffic) + cost.optimizer_bytes / (card.bandwidth_gb_s * 1e9)


def training_hours(
    config: Config, costs: dict[str, Cost], card: Card, minutes: float, fraction: float
) -> float:
    """Hours of all stages on one card, for a target video of so many minutes.

    Args:
        config: of the preset; its stages are given in epochs.
        costs: of a step of each stage.
        card: what trains.
        minutes: of target video at 30 frames per second; the parts held out do not train.
        fraction: of the floor's speed that is reached.
    """
    held_out = EvaluationConfig().test_fraction + EvaluationConfig().validation_fraction
    frames = round(minutes * 60 * FPS * (1 - held_out))
    seconds = sum(
        getattr(config.training, stage).epochs * frames * floor_s(cost, card)
        for stage, cost in costs.items()
    )
    return seconds / fraction / 3600


def tables(fraction: float, source: str) -> str:
    """Both tables, in markdown."""
    configs = {name: read_section(Config, with_preset({}, name), "") for name in NEEDS_GB}
    costs = {name: stage_costs(config, preset_canvas(config)) for name, config in configs.items()}
    lines = [
        "| Preset | canvas | largest stage | TFLOP a step | GB alive at its peak | GB needed |",
        "|---|---|---|---|---|---|",
    ]
    for name, config in configs.items():
        height, width = preset_canvas(config)
        stage = max(costs[name], key=lambda one: costs[name][one].peak_bytes)
        cost = costs[name][stage]
        lines.append(
            f"| `{name}` | {width} × {height} | {stage} | {cost.flops / 1e12:.2f} | "
            f"{cost.peak_bytes / 1e9:.1f} | {needs_gb(costs[name].values()):.1f} |"
        )
    lines += [
        "",
        f"Hours of training, all stages, one card, {source}:",
        "",
        "| Card | Preset | ms a step (largest stage): floor, expected | "
        + " | ".join(f"{minutes} minutes of video" for minutes in MINUTES)
        + " |",
        "|---|---|---|" + "---|" * len(MINUTES),
    ]
    for card in CARDS:
        for name in (one for one in configs if int(one[:-2]) <= card.memory_gb):
            slowest = max(floor_s(cost, card) for cost in costs[name].values()) * 1000
            hours = (
                training_hours(configs[name], costs[name], card, minutes, fraction)
                for minutes in MINUTES
            )
            lines.append(
                f"| {card.name} | `{name}` | {slowest:.1f}, {slowest / fraction:.0f} | "
                + " | ".join(f"{one:.1f} h" for one in hours)
                + " |"
            )
    return "\n".join(lines)


def measured_fraction(path: Path) -> float:
    """The least fraction of the floor that training reached, of what benchmarks/gpu.py wrote.

    Raises:
        ValueError: no training in the file.
    """
    found = [
        float(one["fraction_of_floor"])
        for one in json.loads(path.read_text()).values()
        if isinstance(one, dict) and one.get("fraction_of_floor") and one.get("pairs_per_s")
    ]
    if not found:
        raise ValueError(
            f"{path}: no training with pairs_per_s and fraction_of_floor in it; expected what "
            "`python -m benchmarks.gpu` writes"
        )
    return min(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--from", dest="measured", type=Path, help="JSON of benchmarks/gpu.py")
    measured = parser.parse_args(arguments).measured
    if measured:
        fraction = measured_fraction(measured)
        print(tables(fraction, f"at {fraction:.2f} of the floor as measured ({measured.name})"))
    else:
        print(tables(ASSUMED_FRACTION, f"at an assumed {ASSUMED_FRACTION} of the floor's speed"))


if __name__ == "__main__":
    main()
