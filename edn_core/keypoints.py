"""The central contract: where the dancer's keypoints are in every frame (``edn-keypoints``).

Coordinates are float32 pixels of the full-size video, origin at the centre of the top-left pixel,
x right, y down; no setting of the pictures changes them. A keypoint that was not found is NaN with
score 0; frames are never left out.

The file is HDF5: arrays of fixed size, and one attribute ``description`` of JSON. HDF5 does not see
a flipped bit in them, so a user block of 512 bytes holds the SHA-256 of all that follows. It is
made in memory, written in one piece, read in one piece and opened there.
"""

import hashlib
import io
import json
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import edn_core
from edn_core.errors import Refused, remake
from edn_core.skeleton import PARTS, SKELETONS, Skeleton, mirror_points, part_skeleton
from edn_core.store import check_schema, write_beside
from edn_core.timeline import Clip

SCHEMA = "edn-keypoints"
SCHEMA_VERSION = 4
USER_BLOCK = 512  # bytes; the least that HDF5 leaves free

Person = dict[str, np.ndarray]
"""In one frame: part -> (K, 3) float32 x px, y px, score 0..1; NaN, NaN, 0 where not found."""


@dataclass
class Keypoints:
    """The dancer of one video, frame by frame.

    Attributes:
        xy: part -> (T, K, 2) float32 px; NaN where not found. Parts: body, face, hand_left,
            hand_right.
        score: part -> (T, K) float32 in 0..1; 0 where not found.
        width, height: of the video, px.
        fps: frames per second, exact.
        video: name of the video.
        start_s: where in the video frame 0 lies, s.
        skeleton: skeleton of the body part.
        n_people: (T,) int16 people found before one was chosen.
        backend: pose backend that found them.
        weights_sha256: SHA-256 over the backend's weight files, "" if it has none.
        smoothed: whether gaps were filled and the points smoothed.
        normalized_to: target whose frame the points were moved into, "" if none.
        figure_height: (T,) float32 px, how tall the target stands where the dancer was moved to,
            from the mean ankle to the head; NaN where nobody was moved.
        bystanders: (M, K, 3) float32 x px, y px, score 0..1: bodies of other people; NaN, NaN, 0
            where not found.
        bystander_frames: (M,) int32 ascending, the frame each of them was seen in.
    """

    xy: dict[str, np.ndarray]
    score: dict[str, np.ndarray]
    width: int
    height: int
    fps: Fraction
    video: str
    start_s: float = 0.0
    skeleton: Skeleton = SKELETONS["BODY_25"]
    n_people: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16))
    backend: str = ""
    weights_sha256: str = ""
    smoothed: bool = False
    normalized_to: str = ""
    figure_height: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    bystanders: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    bystander_frames: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        if len(self.bystanders) == 0:
            self.bystanders = np.zeros((0, len(self.skeleton), 3), np.float32)
        if len(self.figure_height) == 0:
            self.figure_height = np.full(len(self), np.nan, np.float32)
        if len(self.n_people) == 0:
            self.n_people = np.asarray((self.score["body"] > 0).any(axis=1), np.int16)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xy["body"])

    @property
    def clip(self) -> Clip:
        """The part of the video that the keypoints are of."""
        return Clip(
            n_frames=len(self),
            fps=self.fps,
            start_s=self.start_s,
            video=self.video,
            width=self.width,
            height=self.height,
        )

    def moved(self, to: np.ndarray, size: tuple[int, int]) -> "Keypoints":
        """The dancer alone, in another picture.

        Args:
            to: (2, 3), or (T, 2, 3) for each frame its own: affine from these pixels to those.
            size: (H, W) of that picture, px.
        """
        matrices = np.broadcast_to(np.asarray(to, np.float64), (len(self), 2, 3))
        xy = {
            part: (
                np.einsum("tij,tkj->tki", matrices[:, :, :2], points) + matrices[:, None, :, 2]
            ).astype(np.float32)
            for part, points in self.xy.items()
        }
        return self.without_bystanders().replaced(xy=xy, height=size[0], width=size[1])

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
    for name in ("n_people", "figure_height"):
        if (shape := getattr(keypoints, name).shape) != (n_frames,):
            raise ValueError(f"{path}: {name} has shape {shape}, expected ({n_frames},)")
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
    if bodies.shape != expected:
        raise ValueError(f"{path}: bystanders have shape {bodies.shape}, expected {expected}")
    inside = (frames >= 0) & (frames < len(keypoints))
    if not inside.all() or (np.diff(frames) < 0).any():
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
    description = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "video": keypoints.video,
        "width": keypoints.width,
        "height": keypoints.height,
        "fps": str(keypoints.fps),
        "start_s": keypoints.start_s,
        "skeleton": keypoints.skeleton.name,
        "keypoint_names": {
            part: list(part_skeleton(part, keypoints.skeleton).keypoints) for part in PARTS
        },
        "backend": keypoints.backend,
        "weights_sha256": keypoints.weights_sha256,
        "smoothed": keypoints.smoothed,
        "normalized_to": keypoints.normalized_to,
        "edn_version": edn_core.__version__,
    }
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=USER_BLOCK) as file:
        file.attrs["description"] = np.bytes_(json.dumps(description).encode())
        for name, (values, dims, unit) in _arrays(keypoints).items():
            dataset = file.create_dataset(name, data=values)
            dataset.attrs["dims"] = np.bytes_(dims.encode())
            dataset.attrs["unit"] = np.bytes_(unit.encode())
    content = stream.getvalue()[USER_BLOCK:]
    with write_beside(path) as partial:
        partial.write_bytes(
            hashlib.sha256(content).hexdigest().encode().ljust(USER_BLOCK, b"\0") + content
        )


def _arrays(keypoints: Keypoints) -> dict[str, tuple[np.ndarray, str, str]]:
    """Every array of the file: name -> values, dims, unit."""
    arrays: dict[str, tuple[np.ndarray, str, str]] = {}
    for part in PARTS:
        xy, score = keypoints.xy[part].astype("f4"), keypoints.score[part].astype("f4")
        arrays[f"{part}/xy"] = xy, "frame, keypoint, xy", "px"
        arrays[f"{part}/score"] = score, "frame, keypoint", "1"
    bodies, frames = keypoints.bystanders.astype("f4"), keypoints.bystander_frames.astype("i4")
    arrays["bystanders/body"] = bodies, "sighting, keypoint, x_y_score", "px, px, 1"
    arrays["bystanders/frame"] = frames, "sighting", "frame"
    arrays["n_people"] = keypoints.n_people.astype("i2"), "frame", "people"
    arrays["figure_height"] = keypoints.figure_height.astype("f4"), "frame", "px"
    return arrays


def read_keypoints(path: str | Path) -> Keypoints:
    """Read an ``edn-keypoints`` file and check it.

    Raises:
        Refused: not such a file, damaged, or another version; says how to remake it.
        ValueError: broken content (see check_keypoints).
    """
    content = Path(path).read_bytes()
    if content[:64].decode(errors="replace") != hashlib.sha256(content[USER_BLOCK:]).hexdigest():
        is_older = content.startswith(b"\x89HDF")
        reason = "is of a release before 0.5" if is_older else "is damaged: not what was written"
        raise Refused(path, reason, "", remake(path))
    with h5py.File(io.BytesIO(content), "r") as file:
        about = json.loads(file.attrs["description"])
        found = about.get("schema"), about.get("schema_version")
        check_schema(path, found, (SCHEMA, SCHEMA_VERSION))
        keypoints = Keypoints(
            xy={part: file[f"{part}/xy"][:] for part in PARTS},
            score={part: file[f"{part}/score"][:] for part in PARTS},
            width=about["width"],
            height=about["height"],
            fps=Fraction(about["fps"]),
            video=about["video"],
            start_s=about["start_s"],
            skeleton=SKELETONS[about["skeleton"]],
            n_people=file["n_people"][:],
            backend=about["backend"],
            weights_sha256=about["weights_sha256"],
            smoothed=about["smoothed"],
            normalized_to=about["normalized_to"],
            figure_height=file["figure_height"][:],
            bystanders=file["bystanders/body"][:],
            bystander_frames=file["bystanders/frame"][:],
        )
    check_keypoints(keypoints, path)
    return keypoints
