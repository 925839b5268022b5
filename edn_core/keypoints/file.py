"""The file: HDF5, arrays of fixed size, and one attribute ``description`` of JSON.

HDF5 does not see a flipped bit in them, so a user block of 512 bytes holds the SHA-256 of all that
follows. It is made in memory, written in one piece, read in one piece and opened there.
"""

import hashlib
import io
import json
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np

import edn_core
from edn_core.errors import Refused, remake
from edn_core.keypoints.dancer import Doubt, Keypoints
from edn_core.skeleton import PARTS, SKELETONS, part_skeleton
from edn_core.store import check_schema, write_beside

SCHEMA = "edn-keypoints"
SCHEMA_VERSION = 4
USER_BLOCK = 512  # bytes; the least that HDF5 leaves free
_SHOWN = ("video", "width", "height")  # attributes that the description holds as they are
_FOUND_BY = ("backend", "weights_sha256", "smoothed", "normalized_to")
_ARRAYS = ("n_people", "figure_height")


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
    for name in _ARRAYS:
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
    skeletons = {part: part_skeleton(part, keypoints.skeleton) for part in PARTS}
    description = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **{name: getattr(keypoints, name) for name in _SHOWN},
        "fps": str(keypoints.fps),
        "start_s": keypoints.start_s,
        "skeleton": keypoints.skeleton.name,
        "keypoint_names": {part: list(one.keypoints) for part, one in skeletons.items()},
        **{name: getattr(keypoints, name) for name in _FOUND_BY},
        "doubts": [list(one) for one in keypoints.doubts],
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
            fps=Fraction(about["fps"]),
            start_s=about["start_s"],
            skeleton=SKELETONS[about["skeleton"]],
            doubts=tuple(Doubt(*one) for one in about.get("doubts", ())),
            **{name: about[name] for name in _SHOWN + _FOUND_BY},
            **{name: file[name][:] for name in _ARRAYS},
            bystanders=file["bystanders/body"][:],
            bystander_frames=file["bystanders/frame"][:],
        )
    check_keypoints(keypoints, path)
    return keypoints
