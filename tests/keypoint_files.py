"""Keypoint files of every form, for tests to read."""

import io
import json
import tarfile
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from conftest import STANDING

from edn_core.config import PoseConfig
from edn_core.pose.backend import Backend
from edn_core.pose.openpose_files import make
from edn_core.skeleton import BODY_25, COCO_18, Skeleton, convert
from edn_core.timeline import Clip

IMAGE = np.zeros((400, 200, 3), np.uint8)


def body(x: float, n_points: int = 25, step: float = 10.0) -> list[float]:
    """Points at (x, 0), (x + 1, step), (x + 2, 2 step) ... with score 0.5."""
    return [value for i in range(n_points) for value in (x + i, i * step, 0.5)]


def document(*people: dict, **others: object) -> str:
    return json.dumps({"version": 1.3, "people": list(people), **others})


def write(folder: Path, name: str, *people: dict, **others: object) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_text(document(*people, **others))
    return path


def frame_name(frame: int) -> str:
    return f"dance_{frame:012d}_keypoints.json"


def config(path: Path, **changes: object) -> PoseConfig:
    return PoseConfig(backend="openpose_files", openpose_files=str(path), **changes)


def made(path: Path, n_frames: int = 20, name: str = "dance", **changes: object) -> Backend:
    """The backend for a video of so many frames of IMAGE's size."""
    about = {"fps": Fraction(25), "video": name, "width": 200, "height": 400}
    return make(config(path, **changes), Clip(n_frames=n_frames, **about))


def people_in(path: Path, frame: int = 0, n_frames: int = 20, **changes: object) -> list:
    return made(path, n_frames, **changes).find([IMAGE], frame)[0]


def standing(skeleton: Skeleton = COCO_18) -> np.ndarray:
    """(K, 3): conftest's dancer in the middle of IMAGE, score 0.9."""
    body = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints])
    return np.nan_to_num(convert(body, BODY_25, skeleton))


def write_all(folder: Path, bodies: dict[int, np.ndarray], name: str = "{}.json", **others: object):
    """A file for each frame, of one (K, 3) body."""
    for number, one in bodies.items():
        write(folder, name.format(number), {"pose_keypoints_2d": one.ravel().tolist()}, **others)


def archive(path: Path, members: dict[str, str]) -> Path:
    """A zip or tar archive, compressed as its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as store:
            for name, text in members.items():
                store.writestr(name, text)
        return path
    kind = path.suffix[1:].replace("tgz", "gz")
    with tarfile.open(path, f"w:{'' if kind == 'tar' else kind}") as store:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            store.addfile(info, io.BytesIO(text.encode()))
    return path


def yaml_matrix(values: np.ndarray) -> str:
    """As OpenCV writes a matrix of three dimensions: numbers with a dot, lines wrapped."""
    numbers = ", ".join(f"{value:.8e}" for value in values.ravel())
    wrapped = numbers.replace(", ", ",\n       ", 3)
    sizes = ", ".join(str(size) for size in values.shape)
    return (
        f"%YAML:1.0\n---\npose_0: !!opencv-nd-matrix\n   sizes: [ {sizes} ]\n   dt: f\n"
        f"   data: [ {wrapped} ]\n"
    )


def points(x: float, n_points: int) -> np.ndarray:
    return np.array(body(x, n_points)).reshape(1, n_points, 3)
