"""The ``openpose_files`` backend: keypoints that OpenPose already found and wrote as JSON.

The format is OpenPose's ``--write_json`` with coordinates in source pixels (its default); files of
other writers that follow it are read too.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.artefact import read_json
from edn_core.config import PoseConfig
from edn_core.keypoints import Person, missing_person
from edn_core.logs import LOGGER
from edn_core.pose.backend import Backend
from edn_core.skeleton import BODY_25, COCO_18, PARTS, Skeleton, part_skeleton

# Old OpenPose wrote the lists without "_2d".
_KEYS = {
    "body": "pose_keypoints",
    "face": "face_keypoints",
    "hand_left": "hand_left_keypoints",
    "hand_right": "hand_right_keypoints",
}
_BODY_LENGTHS = {3 * len(skeleton): skeleton for skeleton in (BODY_25, COCO_18)}
# A point this part of the frame's size beyond its edge was not found in this video.
_TOLERANCE = 0.05


def make(config: PoseConfig, video: str, threads: int = 1) -> Backend:
    """Find a video's OpenPose files.

    Args:
        config: ``openpose_files`` names their folder.
        video: put in the place of ``{video}`` in it.
        threads: unused.

    Raises:
        ValueError: no files there, nobody in any of them, or a wrong file.
    """
    folder = Path(config.openpose_files.replace("{video}", video))
    paths = number_files(folder)
    skeleton = _body_skeleton(paths, folder)
    LOGGER.info("%s: %d OpenPose files, body %s", folder, len(paths), skeleton.name)

    def find(image: np.ndarray, frame: int) -> list[Person]:
        if frame not in paths:
            return []
        people = read_people(paths[frame], skeleton)
        for person in people:
            _check_inside(paths[frame], person, image.shape[:2])
        return people

    return Backend(skeleton=skeleton, weights_sha256="", find=find)


def number_files(folder: str | Path) -> dict[int, Path]:
    """Which file belongs to which frame of the video.

    ``NAME_000000000012_keypoints.json`` (made from a video) is frame 12. Files made from a folder
    of images, ``NAME12_keypoints.json``, are counted from the lowest number on, since people
    number images from 0 or from 1.

    Args:
        folder: the files of one video.

    Returns:
        frame -> file; frames without a file are left out.

    Raises:
        ValueError: no such files, or two of one number.
    """
    folder = Path(folder)
    from_video: dict[int, Path] = {}
    from_images: dict[int, Path] = {}
    for path in sorted(folder.glob("*.json")):
        match = re.search(r"(\d+)(_keypoints)?$", path.stem)
        if match is None:
            continue
        numbered = from_video if len(match[1]) == 12 and match[2] else from_images
        number = int(match[1])
        if number in numbered:
            raise ValueError(
                f"{path}: has the number {number}, as has {numbered[number].name}; "
                "keep the files of one video only in this folder"
            )
        numbered[number] = path
    if not from_video and not from_images:
        raise ValueError(
            f"{folder}: no numbered OpenPose files (*_keypoints.json) there; write them with "
            "OpenPose's --write_json, or correct pose.openpose_files"
        )
    if from_video:
        return from_video
    first = min(from_images)
    return {number - first: path for number, path in from_images.items()}


def _body_skeleton(paths: dict[int, Path], folder: Path) -> Skeleton:
    """The skeleton of the first person found."""
    for frame in sorted(paths):
        for found in _listed_people(paths[frame]):
            values = _values(found, "body")
            if values:
                if len(values) not in _BODY_LENGTHS:
                    raise ValueError(
                        f"{paths[frame]}: a body of {len(values)} numbers, expected 75 (BODY_25) "
                        "or 54 (COCO); run OpenPose with --model_pose BODY_25"
                    )
                return _BODY_LENGTHS[len(values)]
    raise ValueError(
        f"{folder}: nobody in any of the {len(paths)} files; run OpenPose on a video that shows "
        "one whole person"
    )


def read_people(path: str | Path, skeleton: Skeleton) -> list[Person]:
    """Read everybody in one OpenPose file.

    Args:
        path: the JSON file.
        skeleton: BODY_25 or COCO_18.

    Returns:
        People with source px; lists that are missing, null or empty are parts not found. Scores
        above 1 become 1.

    Raises:
        ValueError: names the file and what is wrong, such as coordinates that are no pixels.
    """
    people = []
    for found in _listed_people(path):
        person = missing_person(skeleton)
        for part in PARTS:
            values = _values(found, part)
            if values:
                person[part] = _points(values, part, part_skeleton(part, skeleton), path)
        body = person["body"]
        is_found = body[:, 2] > 0
        if not is_found.any():
            continue
        # Nobody's points all lie within one pixel: these are OpenPose's --keypoint_scale 3 or 4.
        if is_found.sum() > 1 and np.abs(body[is_found, :2]).max() <= 1:
            raise ValueError(
                f"{path}: the coordinates lie in {body[is_found, :2].min():.2f}.."
                f"{body[is_found, :2].max():.2f}, so they are normalised; expected pixels of the "
                "video: run OpenPose with --keypoint_scale 0"
            )
        people.append(person)
    return people


def _listed_people(path: str | Path) -> list[dict[str, Any]]:
    people = read_json(path).get("people")
    if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
        raise ValueError(
            f"{path}: has no list 'people'; expected a file of OpenPose's --write_json"
        )
    return people


def _values(found: dict[str, Any], part: str) -> list[Any]:
    """A part's flat list x, y, score, x, ...; empty if it is missing or null."""
    return found.get(f"{_KEYS[part]}_2d") or found.get(_KEYS[part]) or []


def _points(values: list[Any], part: str, skeleton: Skeleton, path: str | Path) -> np.ndarray:
    """(K, 3) float32; NaN, NaN, 0 where not found."""
    try:
        points = np.array(values, np.float32).reshape(len(skeleton), 3)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: {part} has {len(values)} entries, expected {3 * len(skeleton)} numbers "
            f"({skeleton.name})"
        ) from error
    # OpenPose writes 0, 0, 0 for a point it did not find.
    is_found = points[:, 2] > 0
    if not np.isfinite(points[is_found]).all():
        raise ValueError(f"{path}: {part} has a score but no position; run OpenPose again")
    points[~is_found] = (np.nan, np.nan, 0)
    points[:, 2] = points[:, 2].clip(0, 1)
    return points


def _check_inside(path: Path, person: Person, size: tuple[int, ...]) -> None:
    """Refuse a person who lies outside the video's frame."""
    found = person["body"][person["body"][:, 2] > 0, :2]
    limit = np.array([size[1], size[0]])
    if (found < -_TOLERANCE * limit).any() or (found > (1 + _TOLERANCE) * limit).any():
        far = found[np.abs(found / limit - 0.5).max(axis=1).argmax()]
        raise ValueError(
            f"{path}: a point lies at ({far[0]:.0f}, {far[1]:.0f}), the video is "
            f"{size[1]}x{size[0]}; give the files of this very video, written with "
            "--keypoint_scale 0"
        )
