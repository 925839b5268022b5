"""What does each part of the training bring? Several seeds, measured on held-out frames.

    python -m benchmarks.ablations FOLDER [FOLDER ...] [--seeds 0 1] [--only NAME ...] [--jobs N]
                                   [--cache FOLDER] [--out FILE.md]

FOLDER is a target's, as `make demo` leaves one in results/videos/demo_target, made with
`--config preset=cpu`. Every variant is trained at the cpu preset on one thread, and evaluated on
finished frames; a finished training is kept in the cache and never made again, an interrupted one
goes on. One table for each target goes to the screen and into the document. All variants of one
target with two seeds take about an hour and a half of one core.
"""

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.ablation_variants import BASELINE, VARIANTS, Figures, Variant, Workplace
from edn_core.metrics import ALL_COLUMNS
from edn_core.store import write_beside

COLUMNS = {
    "ssim_person": "person",
    "psnr_person": "PSNR",
    "ssim_face": "face",
    "ssim_hands": "hands",
    "ssim": "whole",
    "flow_warping": "flow warping",
    "outline_iou": "outline",
}
HEAD = """# Ablations

What each default of the training brings, and what was tried beside it, at preset `cpu` on held-out
frames: SSIM of person, face, hands and whole frame, PSNR of the person, flow warping error (lower
is better), overlap of the outline. Mean ± spread (largest minus smallest) over the seeds; the last
column names what differs from the first row by more than the larger spread of the two. Made by
`python -m benchmarks.ablations`.
"""


def main() -> None:
    """Train what is missing, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side")
    parser.add_argument("--cache", type=Path, default=Path("results/ablations"))
    parser.add_argument("--out", type=Path, help="document to write the tables into")
    arguments = parser.parse_args()
    places = [Workplace(folder, arguments.cache) for folder in arguments.folders]
    # First of all the baselines: the others begin with their stages.
    works = [
        (place, VARIANTS[name], seed)
        for name in sorted(arguments.only, key=lambda one: one != BASELINE)
        for place in places
        for seed in arguments.seeds
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
        for (place, variant, seed), _ in zip(works, pool.map(_make, works), strict=True):
            print(f"{place.target.name}, {variant.title}, seed {seed}: done", flush=True)
    text = "\n".join([HEAD, *(line for place in places for line in table(place, arguments.seeds))])
    print(text)
    if arguments.out:
        with write_beside(arguments.out) as partial:
            partial.write_text(text)


def _make(work: tuple[Workplace, Variant, int]) -> None:
    place, variant, seed = work
    place.make(variant, seed)


def table(place: Workplace, seeds: Sequence[int]) -> Iterator[str]:
    """Lines of Markdown: every variant of a target that is made with all seeds."""
    yield f"## {place.target.name}, {len(seeds)} seeds"
    yield ""
    yield "| " + " | ".join(["variant", *COLUMNS.values(), "CPU s", "against the first"]) + " |"
    yield "|---" * (len(COLUMNS) + 3) + "|"
    baseline: list[Figures] = []
    for name, variant in VARIANTS.items():
        found = [one for seed in seeds if (one := place.figures(variant, seed))]
        if len(found) == len(seeds):
            baseline = baseline or found
            cells = [variant.title, *(_cell(found, column) for column in COLUMNS)]
            cells.append(f"{np.mean([one.cpu_s for one in found]):.0f}")
            cells.append("" if name == BASELINE else verdict(found, baseline))
            yield "| " + " | ".join(cells) + " |"
    yield ""


def _cell(figures: Sequence[Figures], column: str) -> str:
    values = _values(figures, column)
    digits = {"psnr_person": 1, "flow_warping": 4}.get(column, 3)
    return f"{np.mean(values):.{digits}f} ± {np.ptp(values):.{digits}f}"


def _values(figures: Sequence[Figures], column: str) -> np.ndarray:
    return np.array([one.columns[column] for one in figures], np.float64)


def gain(
    figures: Sequence[Figures], against: Sequence[Figures], column: str
) -> tuple[float, float]:
    """How much better a column is on average, and the larger spread (max - min) of the two."""
    one, other = _values(figures, column), _values(against, column)
    sign = 1 if ALL_COLUMNS[column].better == "higher" else -1
    # + 0.0: what does not differ is 0, not -0.
    better_by = sign * float(one.mean() - other.mean()) + 0.0
    return better_by, float(max(np.ptp(one), np.ptp(other)))


def verdict(figures: Sequence[Figures], against: Sequence[Figures]) -> str:
    """The columns that differ by more than the spread over the seeds."""
    said = []
    for column, head in COLUMNS.items():
        better_by, spread = gain(figures, against, column)
        if abs(better_by) > spread:
            said.append(f"{head} {'better' if better_by > 0 else 'worse'} by {abs(better_by):.4f}")
    return "; ".join(said) or "within the spread"


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
