"""Pairs of consecutive frames, real and synthetic, of every subject.

A subject is a target video: the same person in the same room, once filmed and once synthesized.
Filmed frames are compared with finished ones, room and all, never with cut-outs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.compose import Composer, halved_affine, read_background
from edn_core.errors import Refused
from edn_core.evaluate.files import finished_halvings, spread
from edn_core.footage import Footage
from edn_core.forensics.crops import crop_corners, crop_size
from edn_core.frames import FrameReader, read_info
from edn_core.keypoints import Keypoints, read_keypoints

TALLEST = 256  # px; how high a dancer is in the frames that are compared, at most
TRAINED_PART = 2 / 3
"""With one subject: how much of each store, from its beginning, is learned from."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of consecutive frames of one video in which somebody is seen, cropped about him."""

    name: str  # of the video or transfer
    frames: Footage | Composer  # filmed, or finished and composed into the room
    corners: np.ndarray  # (T, 2) int, x and y px of each crop's first pixel
    size: tuple[int, int]  # (H, W) of all crops, px; even
    first: tuple[int, ...]  # number of each pair's earlier frame, ascending
    offset: int = 0  # number in its video of frame 0

    def pair(self, first: int) -> list[np.ndarray]:
        """Two frames from ``first`` on, (H, W, 3) uint8, in the crop of the first."""
        x, y = self.corners[first]
        rows, columns = slice(y, y + self.size[0]), slice(x, x + self.size[1])
        return [self.frames[frame][rows, columns] for frame in (first, first + 1)]

    def between(self, start: float, stop: float) -> "Pairs":
        """Those of which both frames lie in [start, stop)."""
        return replace(self, first=tuple(i for i in self.first if start <= i and i + 1 < stop))


@dataclass(frozen=True)
class Subject:
    """What there is of one target."""

    name: str  # of the target video
    real: Pairs  # its frames as filmed
    own: Pairs  # its held-out frames as synthesized from its own labels
    transfers: tuple[Pairs, ...]  # the dances of others, synthesized onto it

    @property
    def synthetic(self) -> tuple[Pairs, ...]:
        """All synthetic pairs, by store; none of them empty."""
        return tuple(one for one in (self.own, *self.transfers) if one.first)


Couple = tuple[int, Pairs, int]
"""Number of a real pair; a synthetic dance and the number of a pair in it."""


@dataclass(frozen=True)
class SubjectFiles:
    """What the workflow left of one target."""

    name: str  # of the target video
    video: Path
    keypoints: Path
    frames: Path  # ``edn-frames``, which say where the window lies
    own: Path  # its held-out frames as synthesized from its own labels
    room: Path | None  # none where the whole picture is painted
    transfers: tuple[tuple[Path, Path], ...]  # frames and keypoints of every transfer onto it

    @classmethod
    def all_of(cls, made: Any, names: Sequence[str], onto: Sequence[str]) -> list["SubjectFiles"]:
        """Of these targets, from a rule's named inputs; ``onto`` is the target of each transfer."""
        transfers = list(zip(onto, made.transfers, made.poses, strict=True))
        rooms = made.rooms or [None] * len(names)
        files = zip(made.videos, made.keypoints, made.frames, made.own, strict=True)
        return [
            cls(
                name,
                *(Path(one[0]), Path(one[1]), Path(one[2]), Path(one[3])),
                Path(room) if room else None,
                tuple((Path(frames), Path(poses)) for to, frames, poses in transfers if to == name),
            )
            for name, room, one in zip(names, rooms, files, strict=True)
        ]


def seen_pairs(keypoints: Keypoints, offset: int, n_frames: int) -> tuple[int, ...]:
    """Of so many frames of a video from ``offset`` on, those seen as well as the one after."""
    seen = keypoints.is_seen[offset : offset + n_frames]
    return tuple(np.flatnonzero(seen[:-1] & seen[1:]).tolist())


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

    def pairs(
        name: str, frames: Footage | Composer, to_frame: np.ndarray, dancer: Keypoints, offset: int
    ) -> Pairs:
        corners = crop_corners(to_frame, info, size, filmed.size)
        first = seen_pairs(dancer, offset, len(frames))
        return Pairs(name, frames, corners, size, first, offset)

    def finished(name: str, path: Path, dancer: Keypoints, offset: int = 0) -> Pairs:
        made = Composer(FrameReader(path), background, halvings)
        return pairs(name, made, made.to_frame, dancer, offset)

    offset = round((read_info(files.own).start_s - keypoints.start_s) * float(keypoints.fps))
    subject = Subject(
        files.name,
        pairs(files.name, filmed, to_frame, keypoints, 0),
        finished(f"{files.name} as itself", files.own, keypoints, offset),
        tuple(
            finished(made.parent.name, made, read_keypoints(poses))
            for made, poses in files.transfers
        ),
    )
    if not subject.real.first or not subject.synthetic:
        raise Refused(
            files.own,
            f"{files.name} is seen in no two frames in a row, real or synthetic",
            remedy="see its preview, and leave it out of forensics.train and forensics.test",
        )
    return subject


def split_in_time(subject: Subject) -> tuple[Subject, Subject]:
    """The earlier and the later part of one subject; no frame is in both.

    Real and own frames are cut at the same frame of the target.

    Raises:
        Refused: a part would have no pairs.
    """
    n_own, offset = len(subject.own.frames), subject.own.offset

    def part(start: float, stop: float) -> Subject:
        def of(one: Pairs) -> Pairs:
            n_frames = len(one.frames)
            return one.between(round(start * n_frames), round(stop * n_frames))

        first = offset + round(start * n_own) if start else 0
        real = subject.real.between(first, offset + round(stop * n_own))
        return Subject(subject.name, real, of(subject.own), tuple(map(of, subject.transfers)))

    earlier, later = part(0, TRAINED_PART), part(TRAINED_PART, 1)
    if not all(one.real.first and one.synthetic for one in (earlier, later)):
        raise Refused(
            subject.name,
            "too few frames to divide into a part to learn from and a part to test on",
            remedy="raise evaluation.test_fraction, or add a second target",
        )
    return earlier, later


def couples(subject: Subject, most: int) -> list[Couple]:
    """As many real as synthetic pairs, at most so many, evenly spread.

    First those of the own dance, both of the same frames. A synthesized dance of somebody else is
    coupled with the target's own frames, evenly spread, each of them once per dance at most.
    """
    real, own = set(subject.real.first), subject.own
    found: list[Couple] = [(i + own.offset, own, i) for i in own.first if i + own.offset in real]
    for transfer in subject.transfers:
        chosen = spread(transfer.first, len(subject.real.first))
        partners = spread(subject.real.first, len(chosen))
        found += [(j, transfer, i) for j, i in zip(partners, chosen, strict=True)]
    return spread(found, most)
