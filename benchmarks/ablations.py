"""What does each part of the training bring? Several seeds, measured on held-out frames.

    python -m benchmarks.ablations [FOLDER] [--seeds 0 1 2] [--only NAME ...] [--jobs N]
                                   [--cache FOLDER] [--table-only] [--out FILE.md]

FOLDER holds a target's frames.zip, labels.zip, keypoints.h5, window.json, masks.zip, room.png and
room.json, as `make demo` leaves them in results/videos/demo_target (the default). Every variant is
trained at the sizes of the cpu preset, on one thread, and evaluated; a finished training is kept in
the cache and never made again, one that was interrupted goes on. The tables go to the screen and,
between two marks, into the document. All variants with three seeds take about two hours of one
core; the figures of one seed say little.
"""

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.ablation_variants import (
    BASELINE,
    SHORT_BASELINE,
    VARIANTS,
    Figures,
    Variant,
    Workplace,
)
from edn_core.metrics import ALL_COLUMNS
from edn_core.store import write_beside

COLUMNS = ("ssim", "ssim_person", "ssim_face", "temporal_difference", "flow_warping")
HEADS = ("SSIM", "person", "face", "temporal difference", "flow warping")
BEGIN, END = "<!-- tables: made by benchmarks.ablations -->", "<!-- end of tables -->"
SHORT = [name for name, variant in VARIANTS.items() if variant.train_s is not None]
STAGED = ("body", "body_longer", BASELINE, "face")

Results = dict[str, list[Figures]]
"""By variant, of each seed."""


def main() -> None:
    """Train what is missing, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="results/videos/demo_target")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side")
    parser.add_argument("--cache", default="results/ablations", help="where trainings are kept")
    parser.add_argument("--table-only", action="store_true", help="train nothing")
    parser.add_argument("--out", help="document to write the tables into")
    arguments = parser.parse_args()
    place = Workplace(Path(arguments.folder), Path(arguments.cache))
    if not arguments.table_only:
        for name in arguments.only:
            _make(place, VARIANTS[name], arguments.seeds, arguments.jobs)
            print(f"{name}: done", flush=True)
    results: Results = {}
    for name in VARIANTS:
        found = [place.figures(VARIANTS[name], seed) for seed in arguments.seeds]
        if all(one is not None for one in found):
            results[name] = [one for one in found if one is not None]
    text = "\n".join(tables(results, len(arguments.seeds)))
    print(text)
    if arguments.out:
        write_tables(Path(arguments.out), text)


def _make(place: Workplace, variant: Variant, seeds: Sequence[int], jobs: int) -> None:
    make = partial(place.make, variant)
    if jobs == 1:
        for seed in seeds:
            make(seed)
        return
    # Side by side are seeds, for variants share their first stages.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context) as pool:
        list(pool.map(make, seeds))


def tables(results: Results, n_seeds: int) -> Iterator[str]:
    """Lines of Markdown: the stages, the options, the short video."""
    if n_seeds < 2:
        yield "One seed alone: there is no spread, and no verdict."
        yield ""
    staged = [name for name in STAGED if name in results]
    if staged:
        yield "### Stages"
        yield ""
        yield from _table(results, staged, None)
        yield ""
        yield from stage_verdicts(results)
    options = [name for name in VARIANTS if name in results and name not in (*STAGED, *SHORT)]
    if BASELINE in results and options:
        yield "### Options"
        yield ""
        yield from _table(results, [BASELINE, *options], BASELINE)
        yield ""
    short = [name for name in SHORT if name in results]
    if SHORT_BASELINE in short:
        yield "### Three seconds of target video"
        yield ""
        yield from _table(results, short, SHORT_BASELINE)
        yield ""


def _table(results: Results, names: Sequence[str], baseline: str | None) -> Iterator[str]:
    heads = ["variant", *HEADS, "CPU s", *(["against the first row"] if baseline else [])]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for name in names:
        cells = [VARIANTS[name].title, *(_cell(results[name], column) for column in COLUMNS)]
        cells.append(f"{np.mean([one.cpu_s for one in results[name]]):.0f}")
        if baseline:
            against = results[baseline]
            cells.append("" if name == baseline else verdict(results[name], against))
        yield "| " + " | ".join(cells) + " |"


def _cell(figures: Sequence[Figures], column: str) -> str:
    values = _values(figures, column)
    digits = 3 if column.startswith("ssim") else 4
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
    for column, head in zip(COLUMNS, HEADS, strict=True):
        better_by, spread = gain(figures, against, column)
        if abs(better_by) > spread:
            said.append(f"{head} {'better' if better_by > 0 else 'worse'} by {abs(better_by):.4f}")
    return "; ".join(said) or "within the spread"


def stage_verdicts(results: Results) -> Iterator[str]:
    """Whether the temporal and the face stage improve what they are for by more than the spread."""
    for name, other, columns, what in (
        (
            BASELINE,
            "body_longer",
            ("temporal_difference", "flow_warping"),
            "temporal, against body alone on as many frames",
        ),
        ("face", BASELINE, ("ssim_face",), "face, against body and temporal"),
    ):
        if name in results and other in results:
            for column in columns:
                better_by, spread = gain(results[name], results[other], column)
                answer = "**yes**" if better_by > spread else "**no**"
                yield (
                    f"- {what}: {ALL_COLUMNS[column].title} "
                    f"{'worse' if better_by < 0 else 'better'} by {abs(better_by):.4f}, "
                    f"spread over the seeds {spread:.4f}: {answer}"
                )
    yield ""


def write_tables(path: Path, text: str) -> None:
    """Put the tables between the marks of a document, or make one of nothing else.

    Raises:
        ValueError: a document without the marks.
    """
    block = f"{BEGIN}\n\n{text.strip()}\n\n{END}"
    document = f"# Ablations\n\n{BEGIN}\n{END}\n"
    if path.is_file():
        document = path.read_text()
    if BEGIN not in document or END not in document:
        raise ValueError(
            f"{path}: has no line {BEGIN!r} and {END!r} to put the tables between; add both"
        )
    before, after = document.split(BEGIN)[0], document.split(END)[1]
    with write_beside(path) as partial_path:
        partial_path.write_text(before + block + after)


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
