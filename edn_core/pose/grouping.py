"""From heatmaps and part affinity fields to people.

Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields, sections 2.3, 2.4.
Three steps: peaks of the heatmaps, pairs of peaks that the field between them speaks for, people
made of such pairs. Positions are pixels of the network's input (see paf_layout).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from edn_core.config import OpenposeConfig
from edn_core.pose.heatmap_peaks import Peaks, find_peaks, read_enlarged
from edn_core.pose.paf_layout import PAF_LAYOUTS, STRIDE, PafLayout
from edn_core.skeleton import Skeleton

__all__ = [
    "PAF_LAYOUTS",
    "PafLayout",
    "assemble_people",
    "find_peaks",
    "group_people",
    "score_limbs",
]

SAMPLES = 10
"""Points between two peaks at which the field is read, both ends included."""
MIN_AGREEING = 9
"""Samples that must speak for a limb (more than 80 %)."""

Connection = tuple[int, int, float]
"""A limb found: number of its start's peak, number of its end's peak, score."""


def group_people(
    heatmaps: np.ndarray,
    pafs: np.ndarray,
    skeleton: Skeleton,
    config: OpenposeConfig,
    size: tuple[int, int],
) -> list[np.ndarray]:
    """Find the people in one frame.

    Args:
        heatmaps: (K + 1, h, w) float32, about 0..1, the background last (it is not read).
        pafs: (2 L, h, w) float32, about -1..1.
        skeleton: COCO_18 or BODY_25.
        config: thresholds: min_peak, min_paf, min_parts, min_person.
        size: (H, W) in px of the network's input, 8 times that of the maps.

    Returns:
        For each person (K, 3) float32 of x px, y px, score 0..1 in the frame of the network's
        input (see paf_layout); NaN, NaN, 0 where not found.

    Raises:
        ValueError: a skeleton without known fields, maps of the wrong shape, or values in them
            that are no numbers.
    """
    heatmaps, pafs = (np.ascontiguousarray(maps, np.float32) for maps in (heatmaps, pafs))
    layout = _check_maps(heatmaps, pafs, skeleton, size)
    peaks = find_peaks(heatmaps[:-1], config.min_peak)
    connections = score_limbs(pafs, peaks, layout, config.min_paf)
    return assemble_people(peaks, connections, layout, config)


def score_limbs(
    pafs: np.ndarray, peaks: list[Peaks], layout: PafLayout, min_paf: float
) -> list[list[Connection]]:
    """Find the pairs of peaks that are limbs.

    The score of a pair is the mean of its samples, a sample being the field's component along the
    line from start to end; a pair longer than half the picture's height is marked down. A pair
    counts if more than 80 % of its samples exceed ``min_paf`` and its score is above 0. The best
    pairs are taken first, and no peak twice.

    Args:
        pafs: (2 L, h, w) float32.
        peaks: of each keypoint.
        layout: what the channels are.
        min_paf: a sample not above this does not speak for the limb.

    Returns:
        For each limb its connections, the best first.
    """
    height = STRIDE * pafs.shape[1]
    found: list[list[Connection]] = []
    for limb in layout.limbs:
        starts = peaks[layout.skeleton.index(limb.start)].pixel
        ends = peaks[layout.skeleton.index(limb.end)].pixel
        if len(starts) == 0 or len(ends) == 0:
            found.append([])
            continue
        field = cv2.merge([pafs[limb.channel], pafs[limb.channel + 1]])
        scores = _score_pairs(field, starts, ends, height, min_paf)
        found.append(_choose_pairs(scores))
    return found


def assemble_people(
    peaks: list[Peaks],
    connections: list[list[Connection]],
    layout: PafLayout,
    config: OpenposeConfig,
) -> list[np.ndarray]:
    """Put people together, limb by limb in the layout's order.

    A connection that shares a peak with nobody starts a person, unless its limb only links. One
    that shares a peak with one person gives its end to that person. One that shares with two
    people makes one person of them if they have no keypoint in common; else the first takes its
    end. (A peak can so come to be in two people, and a connection to share with three: then the
    first two count.) Those of fewer than ``min_parts`` keypoints are left out, and those whose
    score (its keypoints' and connections' sum) is below ``min_person`` per keypoint.

    Args:
        peaks: of each keypoint.
        connections: of each limb.
        layout: what the limbs are.
        config: min_parts and min_person.

    Returns:
        As group_people.
    """
    people: list[_Parts] = []
    for limb, limb_connections in zip(layout.limbs, connections, strict=True):
        start, end = layout.skeleton.index(limb.start), layout.skeleton.index(limb.end)
        for start_peak, end_peak, score in limb_connections:
            sharing = [
                person
                for person in people
                if person.peak.get(start) == start_peak or person.peak.get(end) == end_peak
            ]
            end_score = float(peaks[end].score[end_peak])
            if len(sharing) >= 2 and not sharing[0].peak.keys() & sharing[1].peak.keys():
                sharing[0].join(sharing[1], score)
                people = [person for person in people if person is not sharing[1]]
            elif len(sharing) >= 2 or (sharing and sharing[0].peak.get(end) != end_peak):
                sharing[0].add(end, end_peak, end_score + score)
            elif not sharing and not limb.only_links:
                start_score = float(peaks[start].score[start_peak])
                parts = {start: start_peak, end: end_peak}
                people.append(_Parts(parts, 2, start_score + end_score + score))
    return [
        _person(person, peaks)
        for person in people
        if person.count >= config.min_parts and person.score >= config.min_person * person.count
    ]


@dataclass
class _Parts:
    """A person in the making: the peak of each keypoint, how often one was added, total score."""

    peak: dict[int, int]
    count: int
    score: float

    def add(self, keypoint: int, peak: int, score: float) -> None:
        self.peak[keypoint] = peak
        self.count += 1
        self.score += score

    def join(self, other: "_Parts", score: float) -> None:
        self.peak |= other.peak
        self.count += other.count
        self.score += other.score + score


def _check_maps(
    heatmaps: np.ndarray, pafs: np.ndarray, skeleton: Skeleton, size: tuple[int, int]
) -> PafLayout:
    if skeleton.name not in PAF_LAYOUTS:
        raise ValueError(
            f"skeleton {skeleton.name} has no known part affinity fields; "
            f"known: {', '.join(PAF_LAYOUTS)}"
        )
    layout = PAF_LAYOUTS[skeleton.name]
    cells = (size[0] // STRIDE, size[1] // STRIDE)
    expected = ((len(skeleton) + 1, *cells), (2 * len(layout.limbs), *cells))
    if (heatmaps.shape, pafs.shape) != expected or (size[0] % STRIDE, size[1] % STRIDE) != (0, 0):
        raise ValueError(
            f"heatmaps {heatmaps.shape} and part affinity fields {pafs.shape} do not fit an input "
            f"of {size[0]} x {size[1]} px and {skeleton.name}: expected {expected[0]} and "
            f"{expected[1]}, the input's sides multiples of {STRIDE}"
        )
    # One sum tells: it is no number as soon as one of its terms is none.
    if not np.isfinite(heatmaps.sum() + pafs.sum()):
        raise ValueError(
            "the network's maps hold values that are no finite numbers; check its weight file, "
            "and run it in float32 if it ran in half precision"
        )
    return layout


def _score_pairs(
    field: np.ndarray, starts: np.ndarray, ends: np.ndarray, height: int, min_paf: float
) -> np.ndarray:
    """(starts, ends) scores; 0 for pairs that are no limb."""
    along = (ends[None] - starts[:, None]).reshape(-1, 2)
    length = np.hypot(along[:, 0], along[:, 1])
    unit = along / np.maximum(length, 1)[:, None]
    steps = np.linspace(0, 1, SAMPLES)[:, None]
    pixel = np.rint(np.repeat(starts, len(ends), axis=0)[:, None] + steps * along[:, None])
    samples = np.einsum("nsc,nc->ns", read_enlarged(field, pixel), unit)
    score = samples.mean(axis=1) + np.minimum(0.5 * height / np.maximum(length, 1) - 1, 0)
    is_limb = ((samples > min_paf).sum(axis=1) >= MIN_AGREEING) & (score > 0)
    return np.where(is_limb, score, 0).reshape(len(starts), len(ends))


def _choose_pairs(scores: np.ndarray) -> list[Connection]:
    """The best pair first, then the best of those left, no row and no column twice."""
    start, end = np.nonzero(scores)
    order = np.argsort(-scores[start, end], kind="stable")
    chosen: list[Connection] = []
    starts_taken, ends_taken = set(), set()
    for one, other in zip(start[order].tolist(), end[order].tolist(), strict=True):
        if one not in starts_taken and other not in ends_taken:
            chosen.append((one, other, float(scores[one, other])))
            starts_taken.add(one)
            ends_taken.add(other)
    return chosen


def _person(parts: _Parts, peaks: list[Peaks]) -> np.ndarray:
    person = np.tile(np.array([np.nan, np.nan, 0], np.float32), (len(peaks), 1))
    for keypoint, number in parts.peak.items():
        found = peaks[keypoint]
        person[keypoint, :2] = found.pixel[number] + found.offset[number]
        # Bicubic interpolation overshoots a little on both sides.
        person[keypoint, 2] = np.clip(found.score[number], 1e-3, 1)
    return person
