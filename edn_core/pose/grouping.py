"""From heatmaps and part affinity fields to people.

Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields, sections 2.3, 2.4.
Such a network gives, at a stride of 8 px, one heatmap per keypoint with the background last, and
per limb two channels with the x and y of the unit vector that points along it. The cell in row i
and column j lies at x = 8 j + 3.5, y = 8 i + 3.5: the middle of the pixels it stands for, with the
origin at the centre of the top-left pixel of the network's input.

Three steps: peaks of the heatmaps, pairs of peaks that the field between them speaks for, people
made of such pairs.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from edn_core.config import OpenposeConfig
from edn_core.pose.heatmap_peaks import STRIDE, Peaks, find_peaks, read_enlarged
from edn_core.skeleton import Skeleton

SAMPLES = 10  # points between two peaks at which the field is read, both ends included
MIN_AGREEING = 9  # samples that must speak for a limb (more than 80 %)

Connection = tuple[int, int, float]
"""A limb found: number of its start's peak, number of its end's peak, score."""


class PafLimb(NamedTuple):
    """One limb of a part affinity field."""

    start: str  # keypoint the field points away from
    end: str  # keypoint the field points to
    channel: int  # the field's x component; y is the channel after it
    only_links: bool  # whether it joins what is there but never starts a person


def _limbs(table: str) -> tuple[PafLimb, ...]:
    limbs = (limb.split() for limb in table.replace("\n", ",").split(",") if limb.strip())
    return tuple(PafLimb(start, end, int(x), bool(only)) for start, end, x, *only in limbs)


PAF_LIMBS = {
    "COCO_18": _limbs("""
        neck right_shoulder 12, neck left_shoulder 20
        right_shoulder right_elbow 14, right_elbow right_wrist 16
        left_shoulder left_elbow 22, left_elbow left_wrist 24
        neck right_hip 0, right_hip right_knee 2, right_knee right_ankle 4
        neck left_hip 6, left_hip left_knee 8, left_knee left_ankle 10
        neck nose 28
        nose right_eye 30, right_eye right_ear 34
        nose left_eye 32, left_eye left_ear 36
        right_shoulder right_ear 18 links, left_shoulder left_ear 26 links
    """),
    "BODY_25": _limbs("""
        neck mid_hip 0
        neck right_shoulder 14, neck left_shoulder 22
        right_shoulder right_elbow 16, right_elbow right_wrist 18
        left_shoulder left_elbow 24, left_elbow left_wrist 26
        mid_hip right_hip 6, right_hip right_knee 2, right_knee right_ankle 4
        mid_hip left_hip 8, left_hip left_knee 10, left_knee left_ankle 12
        neck nose 30
        nose right_eye 32, right_eye right_ear 36
        nose left_eye 34, left_eye left_ear 38
        right_shoulder right_ear 20 links, left_shoulder left_ear 28 links
        left_ankle left_big_toe 40, left_big_toe left_small_toe 42, left_ankle left_heel 44
        right_ankle right_big_toe 46, right_big_toe right_small_toe 48, right_ankle right_heel 50
    """),
}
"""The fields of OpenPose's two body networks, in the order in which people are put together."""


def group_people(
    heatmaps: np.ndarray, pafs: np.ndarray, skeleton: Skeleton, config: OpenposeConfig
) -> list[np.ndarray]:
    """Find the people in one frame: for each (K, 3) float32 of x px, y px, score 0..1.

    Heatmaps are (K + 1, h, w) float32, about 0..1, the background last (it is not read); fields (2
    L, h, w), about -1..1. Px are those of the network's input, (8 h, 8 w); NaN, NaN, 0 where not
    found.
    """
    peaks = [find_peaks(heatmap, config.min_peak) for heatmap in heatmaps[:-1]]
    connections = score_limbs(pafs, peaks, skeleton, config.min_paf)
    return assemble_people(peaks, connections, skeleton, config)


def score_limbs(
    pafs: np.ndarray, peaks: list[Peaks], skeleton: Skeleton, min_paf: float
) -> list[list[Connection]]:
    """Find the pairs of peaks that are limbs: for each limb its connections, the best first.

    The score of a pair is the mean of its samples, a sample being the field's component along the
    line from start to end; a pair longer than half the picture's height is marked down. A pair
    counts if more than 80 % of its samples exceed ``min_paf`` and its score is above 0. The best
    pairs are taken first, and no peak twice.
    """
    height = STRIDE * pafs.shape[1]
    found: list[list[Connection]] = []
    for limb in PAF_LIMBS[skeleton.name]:
        starts = peaks[skeleton.index(limb.start)].pixel
        ends = peaks[skeleton.index(limb.end)].pixel
        if len(starts) == 0 or len(ends) == 0:
            found.append([])
            continue
        field = cv2.merge([pafs[limb.channel], pafs[limb.channel + 1]])
        found.append(_choose_pairs(_score_pairs(field, starts, ends, height, min_paf)))
    return found


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


@dataclass
class _Parts:
    """A person in the making: the peak of each keypoint, how often one was added, total score."""

    peak: dict[int, int]
    count: int
    score: float


def assemble_people(
    peaks: list[Peaks],
    connections: list[list[Connection]],
    skeleton: Skeleton,
    config: OpenposeConfig,
) -> list[np.ndarray]:
    """Put people together, limb by limb in the order of PAF_LIMBS.

    A connection that shares a peak with nobody starts a person, unless its limb only links. One
    that shares a peak with one person gives its end to that person. One that shares with two
    people makes one person of them if they have no keypoint in common; else the first takes its
    end. (A peak can so come to be in two people, and a connection to share with three: then the
    first two count.) Those of fewer than ``min_parts`` keypoints are left out, and those whose
    score (its keypoints' and connections' sum) is below ``min_person`` per keypoint.

    From the peaks of each keypoint and the connections of each limb: as group_people.
    """
    people: list[_Parts] = []
    for limb, limb_connections in zip(PAF_LIMBS[skeleton.name], connections, strict=True):
        start, end = skeleton.index(limb.start), skeleton.index(limb.end)
        for start_peak, end_peak, score in limb_connections:
            sharing = [
                person
                for person in people
                if person.peak.get(start) == start_peak or person.peak.get(end) == end_peak
            ]
            end_score = float(peaks[end].score[end_peak])
            if len(sharing) >= 2 and not sharing[0].peak.keys() & sharing[1].peak.keys():
                one, other = sharing[:2]
                one.peak |= other.peak
                one.count += other.count
                one.score += other.score + score
                people = [person for person in people if person is not other]
            elif len(sharing) >= 2 or (sharing and sharing[0].peak.get(end) != end_peak):
                sharing[0].peak[end] = end_peak
                sharing[0].count += 1
                sharing[0].score += end_score + score
            elif not sharing and not limb.only_links:
                start_score = float(peaks[start].score[start_peak])
                parts = {start: start_peak, end: end_peak}
                people.append(_Parts(parts, 2, start_score + end_score + score))
    return [
        _person(person, peaks)
        for person in people
        if person.count >= config.min_parts and person.score >= config.min_person * person.count
    ]


def _person(parts: _Parts, peaks: list[Peaks]) -> np.ndarray:
    person = np.tile(np.array([np.nan, np.nan, 0], np.float32), (len(peaks), 1))
    for keypoint, number in parts.peak.items():
        found = peaks[keypoint]
        person[keypoint, :2] = found.pixel[number] + found.offset[number]
        # Bicubic interpolation overshoots a little on both sides.
        person[keypoint, 2] = np.clip(found.score[number], 1e-3, 1)
    return person
