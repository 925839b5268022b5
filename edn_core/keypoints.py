"""The central contract: where the dancer's keypoints are in every frame (``edn-keypoints``).

Coordinates are float32 pixels of the video's canvas, origin at the centre of the top-left pixel,
x right, y down. A keypoint that was not found is NaN with score 0; frames are never left out.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import edn_core
from edn_core.store import write_beside
from edn_core.disk import watched_file
from edn_core.hdf5 import (
    Layout,
    check_picture_claims,
    check_texts,
    create_store,
    open_store,
    refusals_named,
    seal_store,
)
from edn_core.skeleton import PARTS, SKELETONS, Skeleton, mirror_points, part_skeleton

SCHEMA = "edn-keypoints"
SCHEMA_VERSION = 2
LAYOUT = Layout(
    SCHEMA,
    SCHEMA_VERSION,
    {f"{part}/xy": ("f4", 3) for part in PARTS}
    | {f"{part}/score": ("f4", 2) for part in PARTS}
    | {"n_people": ("i2", 1), "bystanders/body": ("f4", 3), "bystanders/frame": ("i4", 1)},
)

Person = dict[str, np.ndarray]
"""One person in one frame: part -> (K, 3) float32 of x px, y px, score 0..1; NaN, NaN, 0 where
not found."""


@dataclass
class Keypoints:
    """The dancer of one video, frame by frame.

    Attributes:
        xy: part -> (T, K, 2) float32 px; NaN where not found. Parts: body, face, hand_left,
            hand_right.
        score: part -> (T, K) float32 in 0..1; 0 where not found.
        width: canvas width, px.
        height: canvas height, px.
        fps: frames per second, exact.
        video: name of the video.
        skeleton: skeleton of the body part.
        n_people: (T,) int16 people found before one was chosen.
        backend: pose backend that found them.
        weights_sha256: SHA-256 over the backend's weight files, "" if it has none.
        smoothed: whether gaps were filled and the points smoothed.
        normalized_to: target whose frame the points were moved into, "" if none.
        bystanders: (M, K, 3) float32 x px, y px, score 0..1: bodies of people who are not the
            dancer; NaN, NaN, 0 where not found. In the same canvas as the dancer.
        bystander_frames: (M,) int32 ascending, the frame each of them was seen in.
    """

    xy: dict[str, np.ndarray]
    score: dict[str, np.ndarray]
    width: int
    height: int
    fps: Fraction
    video: str
    skeleton: Skeleton = SKELETONS["BODY_25"]
    n_people: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16))
    backend: str = ""
    weights_sha256: str = ""
    smoothed: bool = False
    normalized_to: str = ""
    bystanders: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    bystander_frames: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        if len(self.bystanders) == 0:
            self.bystanders = np.zeros((0, len(self.skeleton), 3), np.float32)
        if len(self.n_people) == 0:
            self.n_people = np.asarray((self.score["body"] > 0).any(axis=1), np.int16)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xy["body"])

    def point(self, name: str, part: str = "body") -> np.ndarray:
        """One keypoint over time: (T, 2) px, NaN where not found or where the skeleton lacks it."""
        skeleton = part_skeleton(part, self.skeleton)
        if not skeleton.has(name):
            return np.full((len(self), 2), np.nan, np.float32)
        return self.xy[part][:, skeleton.index(name)]

    def point_score(self, name: str, part: str = "body") -> np.ndarray:
        """Score of one keypoint over time: (T,), 0 where the skeleton lacks it."""
        skeleton = part_skeleton(part, self.skeleton)
        if not skeleton.has(name):
            return np.zeros(len(self), np.float32)
        return self.score[part][:, skeleton.index(name)]

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
        return replace(
            self, bystanders=np.zeros((0, 0, 3), np.float32), bystander_frames=np.zeros(0, np.int32)
        )

    def bystanders_in(self, frame: int) -> np.ndarray:
        """(N, K, 3): the bodies of those in one frame who are not the dancer."""
        first, stop = np.searchsorted(self.bystander_frames, [frame, frame + 1])
        return self.bystanders[first:stop]


def missing_person(skeleton: Skeleton = SKELETONS["BODY_25"]) -> Person:
    """A person of whom nothing was found."""
    return {
        part: np.tile(
            np.array([np.nan, np.nan, 0], np.float32), (len(part_skeleton(part, skeleton)), 1)
        )
        for part in PARTS
    }


def mirror_person(person: Person, skeleton: Skeleton, width: int) -> Person:
    """A person as the mirrored picture shows them: right and left change places, hands too.

    Args:
        person: part -> (K, 3).
        skeleton: of the body part.
        width: of the picture, px.
    """
    other = {"hand_left": "hand_right", "hand_right": "hand_left"}
    return {
        other.get(part, part): mirror_points(points, part_skeleton(part, skeleton), width)
        for part, points in person.items()
    }


def from_people(people: list[Person | None], skeleton: Skeleton, **about: Any) -> Keypoints:
    """Stack one person (or None) per frame into Keypoints.

    Args:
        people: per frame, part -> (K, 3); a part may be left out.
        skeleton: skeleton of the body part.
        about: the other attributes of Keypoints.
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


def check_keypoints(keypoints: Keypoints, path: str | Path) -> None:
    """Refuse keypoints that break the contract.

    Raises:
        ValueError: names the file, the part and the first frame that is wrong.
    """
    if keypoints.skeleton.name not in SKELETONS:
        raise ValueError(f"{path}: unknown skeleton {keypoints.skeleton.name!r}")
    n_frames = len(keypoints)
    for part in PARTS:
        xy, score = keypoints.xy[part], keypoints.score[part]
        expected = (n_frames, len(part_skeleton(part, keypoints.skeleton)))
        if xy.shape != (*expected, 2) or score.shape != expected:
            raise ValueError(
                f"{path}: {part} has shapes {xy.shape} and {score.shape}, "
                f"expected {(*expected, 2)} and {expected}"
            )
        _check_points(path, part, xy, score, np.arange(n_frames))
    if keypoints.n_people.shape != (n_frames,):
        raise ValueError(
            f"{path}: n_people has shape {keypoints.n_people.shape}, expected ({n_frames},)"
        )
    _check_bystanders(path, keypoints)


def _check_points(
    path: str | Path, what: str, xy: np.ndarray, score: np.ndarray, frames: np.ndarray
) -> None:
    """Refuse (N, K, 2) positions and (N, K) scores that contradict each other."""
    is_missing = np.isnan(xy).any(axis=-1)
    for wrong, fault in (
        (is_missing & (score != 0), "a score but no position"),
        (~is_missing & (score <= 0), "a position but no score"),
        (~np.isfinite(score) | (score < 0) | (score > 1), "a score outside 0..1"),
        (np.isinf(xy).any(axis=-1), "an infinite position"),
    ):
        if wrong.any():
            frame = frames[np.argwhere(wrong.any(axis=1))[0, 0]]
            raise ValueError(f"{path}: {what} has {fault} in frame {frame}")


def _check_bystanders(path: str | Path, keypoints: Keypoints) -> None:
    bodies, frames = keypoints.bystanders, keypoints.bystander_frames
    expected = (len(frames), len(keypoints.skeleton), 3)
    if bodies.shape != expected or frames.ndim != 1:
        raise ValueError(
            f"{path}: bystanders have shapes {bodies.shape} and {frames.shape}, "
            f"expected {expected} and ({len(frames)},)"
        )
    if len(frames) and (
        frames[0] < 0 or frames[-1] >= len(keypoints) or (np.diff(frames) < 0).any()
    ):
        raise ValueError(
            f"{path}: frames of bystanders run from {frames.min()} to {frames.max()}, "
            f"expected ascending numbers in 0..{len(keypoints) - 1}"
        )
    _check_points(path, "a bystander", bodies[..., :2], bodies[..., 2], frames)


def write_keypoints(path: str | Path, keypoints: Keypoints) -> None:
    """Write an ``edn-keypoints`` file, checked and atomically.

    Raises:
        ValueError: the keypoints break the contract (see check_keypoints); nothing is written.
    """
    check_keypoints(keypoints, path)
    with (
        write_beside(path) as partial,
        watched_file(partial) as stream,
        create_store(stream) as store,
    ):
        store.attrs.update(
            schema=SCHEMA,
            schema_version=SCHEMA_VERSION,
            video=keypoints.video,
            width=keypoints.width,
            height=keypoints.height,
            fps=str(keypoints.fps),
            backend=keypoints.backend,
            weights_sha256=keypoints.weights_sha256,
            smoothed=keypoints.smoothed,
            normalized_to=keypoints.normalized_to,
            edn_version=edn_core.__version__,
        )
        for part in PARTS:
            group = store.create_group(part)
            skeleton = part_skeleton(part, keypoints.skeleton)
            group.attrs["skeleton"] = skeleton.name
            group.attrs["keypoint_names"] = list(skeleton.keypoints)
            _write_array(group, "xy", keypoints.xy[part], ["frame", "keypoint", "xy"], "px")
            _write_array(group, "score", keypoints.score[part], ["frame", "keypoint"], "1")
        group = store.create_group("bystanders")
        dims = ["sighting", "keypoint", "x_y_score"]
        _write_array(group, "body", keypoints.bystanders, dims, "px, px, 1")
        _write_array(group, "frame", keypoints.bystander_frames, ["sighting"], "", "i4")
        people = store.create_dataset(
            "n_people", data=keypoints.n_people.astype("i2"), fletcher32=True
        )
        people.attrs["dims"] = ["frame"]
        seal_store(store, LAYOUT)


def _write_array(
    group: h5py.Group, name: str, values: np.ndarray, dims: list[str], unit: str, dtype: str = "f4"
) -> None:
    dataset = group.create_dataset(
        name, data=values.astype(dtype), compression="gzip", shuffle=True, fletcher32=True
    )
    dataset.attrs["dims"] = dims
    if unit:
        dataset.attrs["unit"] = unit


def read_keypoints(path: str | Path) -> Keypoints:
    """Read an ``edn-keypoints`` file and check it.

    Raises:
        ValueError: not such a file, another version, or broken content; says how to remake it.
    """
    with refusals_named(path, SCHEMA):
        store, content = open_store(path, LAYOUT)
        store.close()
        about, arrays = content.attributes[""], content.arrays
        check_picture_claims(path, about)
        check_texts(path, about, "video", "backend", "weights_sha256", "normalized_to")
        keypoints = Keypoints(
            xy={part: arrays[f"{part}/xy"] for part in PARTS},
            score={part: arrays[f"{part}/score"] for part in PARTS},
            width=int(about["width"]),
            height=int(about["height"]),
            fps=Fraction(about["fps"]),
            video=about["video"],
            skeleton=SKELETONS[content.attributes["body"]["skeleton"]],
            n_people=arrays["n_people"],
            backend=about["backend"],
            weights_sha256=about["weights_sha256"],
            smoothed=bool(about["smoothed"]),
            normalized_to=about["normalized_to"],
            bystanders=arrays["bystanders/body"],
            bystander_frames=arrays["bystanders/frame"],
        )
        check_keypoints(keypoints, path)
    return keypoints
