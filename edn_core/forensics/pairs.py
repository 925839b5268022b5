"""Pairs of consecutive frames, real and synthetic, of every subject.

A subject is a target video: the same person in the same room, once filmed and once synthesized.
Filmed frames are compared with finished ones, room and all, never with cut-outs.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edn_core.compose import Composer, halved_affine, read_background
from edn_core.errors import Refused
from edn_core.evaluate.files import finished_halvings, spread
from edn_core.footage import Footage
from edn_core.forensics.crops import Crops, crop_corners, crop_size
from edn_core.frames import FrameReader, read_info
from edn_core.keypoints import Keypoints, read_keypoints

TALLEST = 256  # px; how high a dancer is in the frames that are compared, at most
TRAINED_PART = 2 / 3
"""With one subject: how much of each store, from its beginning, is learned from."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of consecutive frames of one video or store in which somebody is seen.

    Attributes:
        crops: the frames.
        first: number of each pair's earlier frame, ascending.
        offset: number in its video of frame 0.
    """

    crops: Crops
    first: tuple[int, ...]
    offset: int = 0

    def between(self, start: float, stop: float) -> "Pairs":
        """Those of which both frames lie in [start, stop)."""
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
"""Number of a real pair; a synthetic dance and the number of a pair in it."""


@dataclass(frozen=True)
class SubjectFiles:
    """What the workflow left of one target.

    Attributes:
        name: of the target video.
        video: the file.
        keypoints: its keypoints.
        frames: its ``edn-frames``, which say where the window lies.
        own: its held-out frames as synthesized by synthesize_own_dance.
        room: its room.png; none where the whole picture is painted.
        transfers: synthesized frames and keypoints of every transfer onto it.
    """

    name: str
    video: Path
    keypoints: Path
    frames: Path
    own: Path
    room: Path | None = None
    transfers: tuple[tuple[Path, Path], ...] = ()


def find_pairs(crops: Crops, keypoints: Keypoints, offset: int = 0) -> Pairs:
    """The pairs in which somebody is seen in both frames.

    Args:
        crops: the frames.
        keypoints: of the video they show.
        offset: number in that video of frame 0.
    """
    score = keypoints.score["body"]
    seen = score[offset : offset + len(crops)].max(axis=1) > 0
    first = np.flatnonzero(seen[:-1] & seen[1:])
    return Pairs(crops, tuple(first.tolist()), offset)


def open_subject(files: SubjectFiles) -> Subject:
    """A subject of a detector from the files of the workflow.

    Raises:
        Refused: there are no real or no synthetic pairs.
    """
    keypoints, info = read_keypoints(files.keypoints), read_info(files.frames)
    halvings = finished_halvings(keypoints, TALLEST)
    filmed = Footage(files.video, keypoints.clip, halvings)
    background = read_background("room", files.room, keypoints.clip.size)
    to_frame = halved_affine(info.to_video, halvings)
    size = crop_size(to_frame, info, filmed.size)

    def finished(path: Path, name: str) -> Crops:
        made = Composer(FrameReader(path), background, halvings)
        return Crops(name, made, crop_corners(made.to_frame, info, size, filmed.size), size)

    itself = read_info(files.own)
    offset = round((itself.start_s - keypoints.start_s) * float(keypoints.fps))
    real = Crops(files.name, filmed, crop_corners(to_frame, info, size, filmed.size), size)
    subject = Subject(
        files.name,
        find_pairs(real, keypoints),
        find_pairs(finished(files.own, f"{files.name} as itself"), keypoints, offset),
        tuple(
            find_pairs(finished(made, made.parent.name), read_keypoints(poses))
            for made, poses in files.transfers
        ),
    )
    if not subject.real.first or not subject.synthetic:
        raise Refused(
            files.own,
            f"{files.name} is seen in no two frames in a row, real or synthetic",
            "",
            "see its preview, and leave it out of forensics.train and forensics.test",
        )
    return subject


def split_in_time(subject: Subject) -> tuple[Subject, Subject]:
    """The earlier and the later part of one subject; no frame is in both.

    Real and own frames are cut at the same frame of the target.
    """
    begin, length = subject.own.offset, len(subject.own.crops)
    cut = round(TRAINED_PART * length)
    parts = []
    for start, stop in ((0, cut), (cut, length)):
        real = subject.real.between(begin + start if start else 0, begin + stop)
        transfers = []
        for one in subject.transfers:
            middle = round(TRAINED_PART * len(one.crops))
            transfers.append(
                one.between(middle, len(one.crops)) if start else one.between(0, middle)
            )
        own = subject.own.between(start, stop)
        parts.append(Subject(subject.name, real, own, tuple(transfers)))
    if any(not one.real.first or not one.synthetic for one in parts):
        raise Refused(
            subject.name,
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
