"""Pairs of consecutive frames, real and synthetic, of every subject.

A subject is a target video: the same person in the same room, once filmed and once synthesized.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edn_core.errors import Refused
from edn_core.evaluate.files import spread
from edn_core.forensics.compression import compress_again
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints

TRAINED_PART = 2 / 3
"""With one subject: how much of each store, from its beginning, is learned from."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of consecutive frames of one store in which somebody is seen.

    Attributes:
        frames: the ``edn-frames`` store, open.
        first: number in the store of each pair's earlier frame, ascending.
        offset: number in its video of the store's frame 0.
    """

    frames: FrameReader
    first: tuple[int, ...]
    offset: int = 0

    def between(self, start: float, stop: float) -> "Pairs":
        """Those of which both frames lie in [start, stop) of the store."""
        return replace(self, first=tuple(i for i in self.first if start <= i and i + 1 < stop))


@dataclass(frozen=True)
class Subject:
    """What there is of one target.

    Attributes:
        name: of the target video.
        real: its frames as filmed.
        own: its held-out frames as synthesized from its own labels.
        transfers: the dances of others, synthesized onto it.
    """

    name: str
    real: Pairs
    own: Pairs
    transfers: tuple[Pairs, ...] = ()

    @property
    def synthetic(self) -> tuple[Pairs, ...]:
        """All synthetic pairs, by store; none of them empty."""
        return tuple(one for one in (self.own, *self.transfers) if one.first)


Couple = tuple[int, Pairs, int]
"""Number of a real pair; a synthetic store and the number of a pair in it."""


def find_pairs(frames: str | Path, keypoints: str | Path, offset: int = 0) -> Pairs:
    """The pairs of a store in which somebody is seen in both frames.

    Args:
        frames: the store.
        keypoints: of the video it shows.
        offset: number in that video of the store's frame 0.
    """
    reader, score = FrameReader(frames), read_keypoints(keypoints).score["body"]
    seen = score[offset : offset + len(reader)].max(axis=1) > 0
    first = np.flatnonzero(seen[:-1] & seen[1:])
    return Pairs(reader, tuple(first.tolist()), offset)


def list_subjects(
    names: Sequence[str],
    frames: Sequence[str | Path],
    keypoints: Sequence[str | Path],
    own: Sequence[str | Path],
    transfers: Sequence[tuple[str, str | Path, str | Path]],
) -> list[Subject]:
    """The subjects of a detector from the files of the workflow.

    Args:
        names: of the target videos.
        frames: of each, its ``edn-frames``.
        keypoints: of each, its keypoints.
        own: of each, its held-out frames as synthesized by synthesize_own_dance.
        transfers: target, synthesized frames and keypoints of every transfer onto one of them.

    Raises:
        Refused: a subject of which there are no real or no synthetic pairs.
    """
    subjects = []
    for name, frames_path, keypoints_path, own_path in zip(
        names, frames, keypoints, own, strict=True
    ):
        real, itself = FrameReader(frames_path).info, FrameReader(own_path).info
        offset = round((itself.start_s - real.start_s) * float(real.fps))
        subject = Subject(
            name,
            find_pairs(frames_path, keypoints_path),
            find_pairs(own_path, keypoints_path, offset),
            tuple(find_pairs(made, poses) for target, made, poses in transfers if target == name),
        )
        if not subject.real.first or not subject.synthetic:
            raise Refused(
                own_path,
                f"{name} is seen in no two frames in a row, real or synthetic",
                "",
                "see its preview, and leave it out of forensics.train and forensics.test",
            )
        subjects.append(subject)
    return subjects


def split_in_time(subject: Subject) -> tuple[Subject, Subject]:
    """The earlier and the later part of one subject; no frame is in both.

    Real and own frames are cut at the same frame of the target.
    """
    begin, length = subject.own.offset, len(subject.own.frames)
    cut = round(TRAINED_PART * length)
    parts = []
    for start, stop in ((0, cut), (cut, length)):
        real = subject.real.between(begin + start if start else 0, begin + stop)
        transfers = []
        for one in subject.transfers:
            middle = round(TRAINED_PART * len(one.frames))
            transfers.append(
                one.between(middle, len(one.frames)) if start else one.between(0, middle)
            )
        own = subject.own.between(start, stop)
        parts.append(Subject(subject.name, real, own, tuple(transfers)))
    if any(not one.real.first or not one.synthetic for one in parts):
        raise Refused(
            subject.own.frames.path,
            "too few frames to divide into a part to learn from and a part to test on",
            "",
            "raise evaluation.test_fraction, or add a second target",
        )
    return parts[0], parts[1]


def couples(subject: Subject, most: int) -> list[Couple]:
    """As many real as synthetic pairs: the same frames where the target dances its own dance.

    Args:
        subject: whose.
        most: couples, at most, evenly spread.

    Returns:
        Couples; those of the own dance first. A synthesized dance of somebody else is coupled with
        the target's own frames, evenly spread, each of them once per dance at most.
    """
    real = set(subject.real.first)
    offset = subject.own.offset
    found: list[Couple] = [
        (i + offset, subject.own, i) for i in subject.own.first if i + offset in real
    ]
    for transfer in subject.transfers:
        chosen = spread(transfer.first, len(subject.real.first))
        partners = spread(subject.real.first, len(chosen))
        found += [(j, transfer, i) for j, i in zip(partners, chosen, strict=True)]
    return spread(found, most)


def show_pair(frames: FrameReader, first: int) -> list[np.ndarray]:
    """Two frames from ``first`` on, (H, W, 3) uint8, without the canvas's padding."""
    x0, y0, x1, y1 = frames.info.picture_box
    return [frames[frame][y0:y1, x0:x1] for frame in (first, first + 1)]


def to_input(images: Sequence[np.ndarray], crf: int) -> np.ndarray:
    """Two (H, W, 3) uint8 RGB images as (6, H, W) float32 in [-1, 1], compressed anew."""
    again = np.concatenate(compress_again(images, crf), axis=2)
    return again.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
