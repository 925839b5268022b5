"""A picture of the pairs that a detector was surest and least sure of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from edn_core.forensics.pairs import Pairs
from edn_core.store import write_beside

PER_ROW = 4
APART = 5  # frames between two pairs of one dance that are shown; neighbours look the same
ROWS = (
    ("synthetic, most suspicious", True, True),
    ("synthetic, least suspicious", True, False),
    ("real, most suspicious", False, True),
    ("real, least suspicious", False, False),
)


@dataclass(frozen=True)
class Scored:
    """A pair with its score: whose, its earlier frame, 0 real to 1 synthetic, and the truth."""

    pairs: Pairs
    first: int
    score: float
    is_synthetic: bool


def write_examples(path: str | Path, scored: Sequence[Scored], protocol: str) -> None:
    """Write a PNG of the most and the least suspicious pairs of both classes."""
    figure = Figure(figsize=(3.4 * PER_ROW, 2.4 * len(ROWS)), layout="constrained")
    axes = figure.subplots(len(ROWS), PER_ROW, squeeze=False)
    rows = []
    for _, is_synthetic, is_most in ROWS:
        those = [one for one in scored if one.is_synthetic == is_synthetic]
        rows.append(_distinct(sorted(those, key=lambda one: one.score, reverse=is_most)))
    # A video is read forwards.
    chosen = sorted({one for row in rows for one in row}, key=lambda one: one.first)
    pictures = {one: np.hstack(one.pairs.pair(one.first)) for one in chosen}
    for line, row, (title, *_) in zip(axes, rows, ROWS, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, one in zip(line, row, strict=False):
            axis.imshow(pictures[one], interpolation="nearest")
            axis.set_title(f"{one.score:.3f}  {one.pairs.name}, frame {one.first}", fontsize=8)
        line[0].set_title(f"{title}\n{line[0].get_title()}", fontsize=8)
    figure.suptitle(
        f"Scores of the detector ({protocol}): 0 real, 1 synthetic. Both frames of a pair.",
        fontsize=10,
    )
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110)


def _distinct(scored: Sequence[Scored]) -> list[Scored]:
    """The first few, no two of them neighbours in one dance."""
    chosen: list[Scored] = []
    for one in scored:
        near = (abs(one.first - other.first) for other in chosen if one.pairs is other.pairs)
        if len(chosen) < PER_ROW and all(distance > APART for distance in near):
            chosen.append(one)
    return chosen
