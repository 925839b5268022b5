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
from edn_core.artefact import check_schema, write_beside
from edn_core.skeleton import PARTS, SKELETONS, Skeleton, part_skeleton

SCHEMA = "edn-keypoints"
SCHEMA_VERSION = 1

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
        smoothed: whether gaps were filled and the running median applied.
        normalized_to: target whose frame the points were moved into, "" if none.
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

    def __post_init__(self) -> None:
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


def missing_person(skeleton: Skeleton = SKELETONS["BODY_25"]) -> Person:
    """A person of whom nothing was found."""
    return {
        part: np.tile(
            np.array([np.nan, np.nan, 0], np.float32), (len(part_skeleton(part, skeleton)), 1)
        )
        for part in PARTS
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
        is_missing = np.isnan(xy).any(axis=-1)
        for wrong, what in (
            (is_missing & (score != 0), "a score but no position"),
            (~is_missing & (score <= 0), "a position but no score"),
            (~np.isfinite(score) | (score < 0) | (score > 1), "a score outside 0..1"),
            (np.isinf(xy).any(axis=-1), "an infinite position"),
        ):
            if wrong.any():
                frame = int(np.argwhere(wrong.any(axis=1))[0, 0])
                raise ValueError(f"{path}: {part} has {what} in frame {frame}")
    if keypoints.n_people.shape != (n_frames,):
        raise ValueError(
            f"{path}: n_people has shape {keypoints.n_people.shape}, expected ({n_frames},)"
        )


def write_keypoints(path: str | Path, keypoints: Keypoints) -> None:
    """Write an ``edn-keypoints`` file, checked and atomically.

    Raises:
        ValueError: the keypoints break the contract (see check_keypoints); nothing is written.
    """
    check_keypoints(keypoints, path)
    with write_beside(path) as partial, h5py.File(partial, "w") as store:
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
            for name, values, dims, unit in (
                ("xy", keypoints.xy[part], ["frame", "keypoint", "xy"], "px"),
                ("score", keypoints.score[part], ["frame", "keypoint"], "1"),
            ):
                dataset = group.create_dataset(
                    name, data=values.astype("f4"), compression="gzip", shuffle=True
                )
                dataset.attrs["dims"] = dims
                dataset.attrs["unit"] = unit
        people = store.create_dataset("n_people", data=keypoints.n_people.astype("i2"))
        people.attrs["dims"] = ["frame"]


def read_keypoints(path: str | Path) -> Keypoints:
    """Read an ``edn-keypoints`` file and check it.

    Raises:
        ValueError: not such a file, another version, or broken content; says how to remake it.
    """
    try:
        with h5py.File(path, "r") as store:
            about = dict(store.attrs)
            check_schema(
                path,
                (about.get("schema"), about.get("schema_version")),
                (SCHEMA, SCHEMA_VERSION),
            )
            keypoints = Keypoints(
                xy={part: store[part]["xy"][:] for part in PARTS},
                score={part: store[part]["score"][:] for part in PARTS},
                width=int(about["width"]),
                height=int(about["height"]),
                fps=Fraction(about["fps"]),
                video=about["video"],
                skeleton=SKELETONS[store["body"].attrs["skeleton"]],
                n_people=store["n_people"][:],
                backend=about["backend"],
                weights_sha256=about["weights_sha256"],
                smoothed=bool(about["smoothed"]),
                normalized_to=about["normalized_to"],
            )
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{path}: not readable as {SCHEMA} ({error}); "
            f"delete it and run `snakemake {path}` to write it anew"
        ) from error
    check_keypoints(keypoints, path)
    return keypoints
