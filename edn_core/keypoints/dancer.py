"""The dancer of one video: where all his keypoints are in every frame."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from edn_core.skeleton import PARTS, SKELETONS, Skeleton, part_skeleton
from edn_core.timeline import Clip

Person = dict[str, np.ndarray]
"""In one frame: part -> (K, 3) float32 x px, y px, score 0..1; NaN, NaN, 0 where not found."""


class Doubt(NamedTuple):
    """Something about keypoints that may not be as it was taken, for the preview and preflight."""

    what: str  # in a few words
    share: float  # of the frames, 0..1
    says: str  # in a sentence


@dataclass
class Keypoints:
    """The dancer of one video, frame by frame."""

    xy: dict[str, np.ndarray]  # part -> (T, K, 2) float32 px; NaN where not found
    score: dict[str, np.ndarray]  # part -> (T, K) float32 in 0..1; 0 where not found
    width: int  # of the video, px
    height: int  # likewise
    fps: Fraction  # frames per second, exact
    video: str  # its name
    start_s: float = 0.0  # where in the video frame 0 lies, s
    skeleton: Skeleton = SKELETONS["BODY_25"]  # of the body part
    n_people: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16))
    """(T,) people found before one was chosen."""
    backend: str = ""  # pose backend that found them
    weights_sha256: str = ""  # SHA-256 over the backend's weight files, "" if it has none
    doubts: tuple[Doubt, ...] = ()  # of keypoints that were found before
    smoothed: bool = False  # whether gaps were filled and the points smoothed
    normalized_to: str = ""  # target whose frame the points were moved into, "" if none
    figure_height: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(T,) px, how tall the target stands where the dancer was moved to, from the mean ankle to the
    head; NaN where nobody was moved."""
    bystanders: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    """(M, K, 3) x px, y px, score 0..1: bodies of other people; NaN, NaN, 0 where not found."""
    bystander_frames: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    """(M,) ascending, the frame each of them was seen in."""

    def __post_init__(self) -> None:
        if len(self.bystanders) == 0:
            self.bystanders = np.zeros((0, len(self.skeleton), 3), np.float32)
        if len(self.figure_height) == 0:
            self.figure_height = np.full(len(self), np.nan, np.float32)
        if len(self.n_people) == 0:
            self.n_people = self.is_seen.astype(np.int16)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xy["body"])

    @property
    def is_seen(self) -> np.ndarray:
        """(T,) bool, the frames in which something of the dancer's body was found."""
        return np.asarray((self.score["body"] > 0).any(axis=1))

    @property
    def clip(self) -> Clip:
        """The part of the video that the keypoints are of."""
        shown = {name: getattr(self, name) for name in ("video", "width", "height")}
        return Clip(n_frames=len(self), fps=self.fps, start_s=self.start_s, **shown)

    def moved(self, to: np.ndarray, size: tuple[int, int]) -> "Keypoints":
        """The dancer alone, in another picture of (H, W) px; how tall the target stands goes along.

        ``to`` is (2, 3), or (T, 2, 3) for each frame its own: affine from these pixels to those.
        """
        matrices = np.broadcast_to(np.asarray(to, np.float64), (len(self), 2, 3))
        xy = {
            part: (
                np.einsum("tij,tkj->tki", matrices[:, :, :2], points) + matrices[:, None, :, 2]
            ).astype(np.float32)
            for part, points in self.xy.items()
        }
        heights = self.figure_height * np.linalg.norm(matrices[:, :, 0], axis=1)
        return self.without_bystanders().replaced(
            xy=xy, figure_height=heights.astype(np.float32), height=size[0], width=size[1]
        )

    def point(self, name: str) -> np.ndarray:
        """One body keypoint over time: (T, 2) px, NaN where missing or the skeleton lacks it."""
        if not self.skeleton.has(name):
            return np.full((len(self), 2), np.nan, np.float32)
        return self.xy["body"][:, self.skeleton.index(name)]

    def point_score(self, name: str) -> np.ndarray:
        """Score of one body keypoint over time: (T,), 0 where the skeleton lacks it."""
        if not self.skeleton.has(name):
            return np.zeros(len(self), np.float32)
        return self.score["body"][:, self.skeleton.index(name)]

    def person(self, frame: int) -> Person:
        """The dancer in one frame."""
        return {
            part: np.concatenate([self.xy[part][frame], self.score[part][frame, :, None]], axis=1)
            for part in PARTS
        }

    def replaced(self, **changes: Any) -> "Keypoints":
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def without_bystanders(self) -> "Keypoints":
        """A copy without them, for where the dancer's points leave the picture they came from."""
        frames = np.zeros(0, np.int32)
        return replace(self, bystanders=np.zeros((0, 0, 3), np.float32), bystander_frames=frames)

    def bystanders_in(self, frame: int) -> np.ndarray:
        """(N, K, 3): the bodies of those in one frame who are not the dancer."""
        first, stop = np.searchsorted(self.bystander_frames, [frame, frame + 1])
        return self.bystanders[first:stop]


def missing_person(skeleton: Skeleton = SKELETONS["BODY_25"]) -> Person:
    """A person of whom nothing was found."""
    nothing = np.array([np.nan, np.nan, 0], np.float32)
    return {part: np.tile(nothing, (len(part_skeleton(part, skeleton)), 1)) for part in PARTS}


def from_people(people: list[Person | None], skeleton: Skeleton, **about: Any) -> Keypoints:
    """Stack one person (or None) per frame into Keypoints; a part may be left out.

    ``about`` are the other attributes of Keypoints.
    """
    empty = missing_person(skeleton)
    stacked = {
        part: np.stack([(person or empty).get(part, empty[part]) for person in people])
        for part in PARTS
    }
    return Keypoints(
        xy={part: values[..., :2].astype(np.float32) for part, values in stacked.items()},
        score={part: values[..., 2].astype(np.float32) for part, values in stacked.items()},
        skeleton=skeleton,
        **about,
    )
