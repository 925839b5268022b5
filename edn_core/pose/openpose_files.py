"""The ``openpose_files`` backend: keypoints that were found before and written to files.

A video's files lie in a folder or an archive: one per frame of OpenPose's JSON (``--write_json``),
or one per frame and part of OpenCV's YAML, as "Everybody Dance Now" used them.
"""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from edn_core.config import PoseConfig, printable
from edn_core.errors import Refused
from edn_core.keypoints import Person
from edn_core.logs import LOGGER
from edn_core.pose.anatomy import doubt_bodies
from edn_core.pose.backend import Backend
from edn_core.pose.file_fit import (
    doubt_scores,
    drop_outside,
    find_first,
    tell_coordinates,
    to_pixels,
)
from edn_core.pose.keypoint_files import (
    PeopleOfFrame,
    RawPerson,
    full_name,
    list_files,
    parse_matrix,
    parse_people,
    read_files,
)
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, PARTS, Skeleton, part_skeleton
from edn_core.timeline import Clip

_BODIES = {len(skeleton): skeleton for skeleton in (BODY_25, COCO_18, EDN_23)}
_NONE = np.zeros((1, 3))
# The number at the end of a name; "..._keypoints_1.json" is a further camera's.
_NAME = re.compile(
    r"(?<!\d)(?<!_keypoints_)(?P<number>\d{1,18})"
    r"(?:(?P<json>(?:_keypoints)?\.json)|_(?P<part>pose|face|hand_left|hand_right)\.ya?ml)$"
)
_OF_VIDEO = re.compile(r"(?<!\d)\d{12}_keypoints\.json$")  # numbered by OpenPose itself, from 0


class FrameFile(NamedTuple):
    """What the files say of one frame."""

    where: str  # what messages call the file
    people: list[RawPerson]
    canvas: tuple[float, float] | None
    """Width and height of the picture that the coordinates are pixels of; None: the video."""


def make(config: PoseConfig, video: Clip, threads: int = 1, device: str = "auto") -> Backend:
    """Read a video's keypoint files from the folder or archive that the settings name.

    Raises ValueError: no files there, nobody in any of them, a wrong file, or files that do not fit
    the video; names the setting that answers, where one does.
    """
    path = files_of(config, video.video)
    files, skeleton = read_frames(path)
    counted = all(", entry " in one.where or _OF_VIDEO.search(one.where) for one in files.values())
    first, doubts = find_first(list(files), video, config, counted, path)
    seen = [(number - first, *file, one) for number, file in files.items() for one in file.people]
    frames, wheres = np.array([one[0] for one in seen]), [one[1] for one in seen]
    canvas = np.array([one[3] or (video.width, video.height) for one in seen], np.float64)
    none = [np.zeros((len(part_skeleton(part, skeleton)), 3)) for part in PARTS]
    parts = zip(PARTS, none, strict=True)
    stacked = [np.stack([one[-1].get(part, no) for one in seen]) for part, no in parts]
    points = _clean(np.concatenate(stacked, axis=1), wheres)
    doubts += doubt_scores(points[..., 2], frames)
    points[..., 2] = points[..., 2].clip(0, 1)
    coordinates, why = str(config.coordinates), "pose.coordinates says so"
    if coordinates == "auto":
        coordinates, why = tell_coordinates(points[points[..., 2] > 0], path)
    xy = points[..., :2]
    xy[:] = to_pixels(xy, canvas, wheres, video.size, coordinates, config.canvas_fit)
    doubts += drop_outside(points, frames, wheres, video.size)
    doubts += doubt_bodies(points[:, : len(skeleton)], frames, skeleton, path)
    LOGGER.info(
        f"{path}: files of {len(files)} of {video.n_frames} frames, the first frame is number "
        f"{first}; body {skeleton.name}, at most {np.unique(frames, return_counts=True)[1].max()} "
        f"people; coordinates are {coordinates}: {why}"
    )
    people: dict[int, list[Person]] = {}
    split = np.split(points, np.cumsum([len(one) for one in none])[:-1], axis=1)
    for frame, *found in zip(frames.tolist(), *split, strict=True):
        if (found[0][:, 2] > 0).any():
            people.setdefault(frame, []).append(dict(zip(PARTS, found, strict=True)))

    def find(images: list[np.ndarray], first: int) -> list[list[Person]]:
        return [people.get(first + number, []) for number in range(len(images))]

    return Backend(skeleton, "", find, doubts=tuple(doubts))


def _clean(points: np.ndarray, wheres: list[str]) -> np.ndarray:
    """(N, K, 3) x, y, score of N people as files have them -> float32, NaN, NaN, 0 where not found.

    A score not above 0 says so: OpenPose writes 0, 0, 0.
    """
    with np.errstate(over="ignore"):
        points = points.astype(np.float32)
    is_found = points[..., 2] > 0
    wrong = (is_found & ~np.isfinite(points).all(axis=2)).any(axis=1)
    if wrong.any():
        found = "a point with a score but no position"
        raise Refused(wheres[wrong.argmax()], found, "", "run OpenPose again")
    points[~is_found] = np.nan, np.nan, 0
    return points


def files_of(config: PoseConfig, video: str) -> Path:
    """The folder or archive of a video's keypoint files."""
    return Path(config.openpose_files.replace("{video}", video))


def folder_digest(path: str | Path) -> str:
    """SHA-256 over names and contents of a folder's keypoint files, "" for an archive.

    An archive is one file, which Snakemake watches itself; of a folder it would see neither a file
    that is written over, nor that one was merely touched. Raises as number_files and read_files.
    """
    if not Path(path).is_dir():
        return ""
    digest = hashlib.sha256()
    for name, content in read_files(path, number_files(list_files(path), path).values()):
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()


def number_files(names: Collection[str], path: str | Path) -> dict[tuple[int, str], str]:
    """Which file has which number and part: number, part -> name.

    The numbers are those of ``NAME_000000000012_keypoints.json`` (OpenPose's of a video),
    ``NAME12_keypoints.json``, ``NAME12.json`` or ``frame000012_pose.yml``; a single JSON file needs
    none. Of nested folders the outermost with such files counts. The part of a JSON file, which
    holds all parts, is "". ``path`` is for messages. Raises Refused: no such files, files of
    several folders or forms, or two of one number.
    """
    lists = [name for name in names if name.endswith(".json")]
    if len(lists) == 1 and not _NAME.search(lists[0]):
        return {(0, ""): lists[0]}
    matches = {name: match for name in names if (match := _NAME.search(name))}
    depth = min((name.count("/") for name in matches), default=0)
    matches = {name: match for name, match in matches.items() if name.count("/") == depth}
    if not matches:
        found = "no numbered keypoint files (*_keypoints.json or *_pose.yml) there"
        remedy = "write them with OpenPose's --write_json, or correct pose.openpose_files"
        raise Refused(path, found, "", remedy)
    one_video = "keep the files of one video only"
    folders = sorted({str(PurePosixPath(name).parent) for name in matches})
    if len(folders) > 1:
        two = ", ".join(map(printable, folders[:2]))
        raise Refused(path, f"keypoint files in several folders ({two})", "", one_video)
    if len({match["part"] is None for match in matches.values()}) > 1:
        raise Refused(path, "keypoints both in JSON and in YAML", "", "keep one of the two")
    # Beside files named by OpenPose, other numbered JSON is something else.
    named = {name: one for name, one in matches.items() if one["json"] == "_keypoints.json"}
    of_video = {name: one for name, one in named.items() if _OF_VIDEO.search(name)}
    matches = of_video or named or matches
    numbered: dict[tuple[int, str], str] = {}
    for name, match in matches.items():
        key = int(match["number"]), (match["part"] or "").replace("pose", "body")
        if key in numbered:
            found = f"has the number {int(match['number'])}, as has {printable(numbered[key])}"
            raise Refused(full_name(path, name), found, "", one_video)
        numbered[key] = name
    return numbered


def read_frames(path: str | Path) -> tuple[dict[int, FrameFile], Skeleton]:
    """Read all keypoint files of a video, in a folder or an archive.

    Frame -> what its file says, in order; and the skeleton of the bodies. 23 points are EDN_23, the
    layout of the data of "Everybody Dance Now", never the BODY_23 of today's OpenPose, which has
    other points in another order. Raises Refused: names the file (``archive.zip: file``) and what
    is wrong.
    """
    numbered = number_files(list_files(path), path)
    keys = {name: key for key, name in numbered.items()}
    files: dict[int, FrameFile] = {}
    skeleton: Skeleton | None = None
    for name, content in read_files(path, keys):
        number, one_part = keys[name]
        where = full_name(path, name)
        parsed: list[PeopleOfFrame]
        if one_part:
            parsed = [([{one_part: points} for points in parse_matrix(content, where)], None)]
        else:
            parsed = parse_people(content, where)
        is_list = len(parsed) > 1
        if (is_list and len(keys) > 1) or not (is_list or _NAME.search(name)):
            expected = "a numbered file for each frame, or one file with all of them"
            raise Refused(where, f"frames in it: {len(parsed)}", expected)
        for entry, (people, canvas) in enumerate(parsed):
            if is_list:
                number, where = entry, f"{full_name(path, name)}, entry {entry}"
            known = files.setdefault(number, FrameFile(where, [], canvas)).people
            known += [{} for _ in people[len(known) :]]
            for one, person in zip(known, people, strict=False):
                for part, points in person.items():
                    if part == "body" and skeleton is None:
                        skeleton = _find_body(len(points), where)
                    wanted = part_skeleton(part, skeleton or BODY_25)
                    if len(points) != len(wanted):
                        before = " as in the files before it" if part == "body" else ""
                        expected = f"{len(wanted)} ({wanted.name}){before}"
                        raise Refused(where, f"{part} has {len(points)} points", expected)
                one |= person
    bodies = [one for file in files.values() for one in file.people if "body" in one]
    for file in files.values():
        file.people[:] = [one for one in file.people if (one.get("body", _NONE)[:, 2] > 0).any()]
    if skeleton is None or not any(one.people for one in files.values()):
        nobody = f"nobody in the files of any of the {len(files)} frames"
        nobody += f"; {len(bodies)} bodies have a score of 0 at every point" if bodies else ""
        raise Refused(path, nobody, "", "run OpenPose on a video that shows one whole person")
    return dict(sorted(files.items())), skeleton


def _find_body(n_points: int, where: str) -> Skeleton:
    """The skeleton of a body of so many points."""
    if n_points not in _BODIES:
        bodies = "25 (BODY_25), 18 (COCO) or 23 (the data of Everybody Dance Now)"
        remedy = "run OpenPose with --model_pose BODY_25"
        raise Refused(where, f"a body of {n_points} points", bodies, remedy)
    return _BODIES[n_points]
