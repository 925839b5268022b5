"""The ``openpose_files`` backend: keypoints that were found before and written to files.

A video's files lie in a folder or an archive: one per frame of OpenPose's JSON (``--write_json``),
or one per frame and part of OpenCV's YAML, as "Everybody Dance Now" used them.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from edn_core.config import PoseConfig, printable
from edn_core.errors import Refused
from edn_core.keypoints import Person, missing_person
from edn_core.logs import LOGGER
from edn_core.pose.backend import Backend
from edn_core.pose.keypoint_files import (
    full_name,
    list_files,
    parse_matrix,
    parse_people,
    read_files,
)
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, Skeleton, part_skeleton

_BODIES = {len(skeleton): skeleton for skeleton in (BODY_25, COCO_18, EDN_23)}
# The number at the end of a name; "..._keypoints_1.json" is a further camera's.
_NAME = re.compile(
    r"(?<!\d)(?<!_keypoints_)(?P<number>\d{1,18})"
    r"(?:(?P<json>(?:_keypoints)?\.json)|_(?P<part>pose|face|hand_left|hand_right)\.ya?ml)$"
)
# A point this part of the frame's size beyond its edge was not found in this video.
_TOLERANCE = 0.05


class FrameFile(NamedTuple):
    """What the files say of one frame."""

    where: str  # what messages call the file
    people: list[Person]  # in the file's own coordinates; NaN, NaN, 0 where not found
    canvas: tuple[float, float] | None
    """Width and height of the picture that the coordinates are pixels of; None: the video."""


def make(config: PoseConfig, video: str, threads: int = 1, device: str = "auto") -> Backend:
    """Read a video's keypoint files from the folder or archive that the settings name.

    Raises ValueError: no files there, nobody in any of them, a wrong file, or coordinates of which
    nobody can tell what they are.
    """
    path = files_of(config, video)
    frames, skeleton = read_frames(path)
    coordinates: str = config.coordinates
    if coordinates == "auto":
        coordinates = tell_coordinates((frame.people for frame in frames.values()), path)
    most = max(len(frame.people) for frame in frames.values())
    LOGGER.info(
        f"{path}: files of {len(frames)} frames, body {skeleton.name}, at most {most} people, "
        f"coordinates are {coordinates} (pose.coordinates)"
    )

    def find(images: list[np.ndarray], first: int) -> list[list[Person]]:
        people: list[list[Person]] = []
        for number, image in enumerate(images, first):
            found = frames.get(number, FrameFile("", [], None))
            size = image.shape[:2]
            people.append([to_pixels(one, coordinates, found.canvas, size) for one in found.people])
            for person in people[-1]:
                _check_inside(found.where, person["body"], size)
        return people

    return Backend(skeleton, "", find)


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
    """Which file belongs to which frame and part of the video: frame, part -> name.

    ``NAME_000000000012_keypoints.json`` (made from a video) is frame 12. Files made from a folder
    of images, ``NAME12_keypoints.json`` or ``frame000012_pose.yml``, are counted from the lowest
    number on, since people number images from 0 or from 1. Of nested folders the outermost with
    such files counts. The part of a JSON file, which holds all parts, is "". Frames without a file
    are left out. ``path`` is for messages. Raises Refused: no such files, files of several folders
    or forms, or two of one number.
    """
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
    from_video = {name: one for name, one in named.items() if len(one["number"]) == 12}
    matches = from_video or named or matches
    lowest = 0 if from_video else min(int(match["number"]) for match in matches.values())
    numbered: dict[tuple[int, str], str] = {}
    for name, match in matches.items():
        key = int(match["number"]) - lowest, (match["part"] or "").replace("pose", "body")
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
    people: dict[int, list[Person]] = {frame: [] for frame, _ in sorted(numbered)}
    canvases: dict[int, tuple[float, float] | None] = {}
    skeleton: Skeleton | None = None
    for name, content in read_files(path, keys):
        frame, one_part = keys[name]
        where = full_name(path, name)
        if one_part:
            found = [{one_part: points} for points in parse_matrix(content, where)]
        else:
            found, canvases[frame] = parse_people(content, where)
        for index, person in enumerate(found):
            if index == len(people[frame]):
                people[frame].append({})
            for part, points in person.items():
                if part == "body":
                    skeleton = _body_skeleton(len(points), skeleton, where)
                expected = part_skeleton(part, skeleton or BODY_25)
                people[frame][index][part] = _clean_points(points, part, expected, where)
    frames = {}
    for frame, found in people.items():
        name = numbered.get((frame, "")) or numbered.get((frame, "body"), "")
        seen = [one for one in found if "body" in one and (one["body"][:, 2] > 0).any()]
        whole = [missing_person(skeleton or BODY_25) | one for one in seen]
        frames[frame] = FrameFile(full_name(path, name), whole, canvases.get(frame))
    if skeleton is None or not any(one.people for one in frames.values()):
        nobody = f"nobody in the files of any of the {len(frames)} frames"
        raise Refused(path, nobody, "", "run OpenPose on a video that shows one whole person")
    return frames, skeleton


def _body_skeleton(n_points: int, known: Skeleton | None, where: str) -> Skeleton:
    """The skeleton of a body, which must be that of the bodies before."""
    found = f"a body of {n_points} points"
    if known is not None and n_points != len(known):
        before = f"{len(known)} ({known.name}) as in the files before it"
        raise Refused(where, found, before, "keep the files of one run of OpenPose only")
    if n_points not in _BODIES:
        bodies = "25 (BODY_25), 18 (COCO) or 23 (the data of Everybody Dance Now)"
        raise Refused(where, found, bodies, "run OpenPose with --model_pose BODY_25")
    return _BODIES[n_points]


def _clean_points(points: np.ndarray, part: str, skeleton: Skeleton, where: str) -> np.ndarray:
    """(K, 3) float64 x, y, score as a file has them -> float32 as the keypoint contract has them.

    NaN, NaN, 0 where the score is not above 0: OpenPose writes 0, 0, 0 for a point it did not find.
    Scores above 1, which it writes now and then, are 1.
    """
    if len(points) != len(skeleton):
        expected = f"{len(skeleton)} ({skeleton.name})"
        raise Refused(where, f"{part} has {len(points)} points", expected)
    with np.errstate(over="ignore"):
        cleaned = points.astype(np.float32)
    is_found = cleaned[:, 2] > 0
    if not np.isfinite(cleaned[is_found]).all():
        found = f"{part} has a point with a score but no position"
        raise Refused(where, found, "", "run OpenPose again")
    cleaned[~is_found] = (np.nan, np.nan, 0)
    cleaned[:, 2] = cleaned[:, 2].clip(0, 1)
    return cleaned


def tell_coordinates(frames: Iterable[list[Person]], path: str | Path) -> str:
    """What the numbers in a video's files are, by their range over the people of all frames.

    ``pixels``, ``fraction`` or ``signed`` (see to_pixels); Refused where it may be one or the
    other: names the files and the setting that says which.
    """
    people = [one for in_frame in frames for one in in_frame]
    points = np.concatenate([part for one in people for part in one.values()])
    found = points[points[:, 2] > 0, :2]
    low, high = float(found.min()), float(found.max())
    # Only points in the picture's very corner have pixels up to 2.
    if (np.abs(found) > 2).mean() > 0.5:
        return "pixels"
    if low >= 0 and high <= 1:
        return "fraction"
    if -1 - _TOLERANCE <= low < -_TOLERANCE and high <= 1 + _TOLERANCE:
        return "signed"
    may_be = "which may be pixels, fractions of the picture or -1..1"
    say = "say which: pose.coordinates: pixels, fraction or signed"
    raise Refused(path, f"the coordinates lie in {low:.4g}..{high:.4g}, {may_be}", "", say)


def to_pixels(
    person: Person, coordinates: str, canvas: tuple[float, float] | None, size: tuple[int, int]
) -> Person:
    """A person in px of the video of (H, W) ``size``.

    ``pixels`` are those of the canvas (width, height; None: of the video), ``fraction`` 0..1 or
    ``signed`` -1..1 from the centre of the first pixel to that of the last (OpenPose's
    --keypoint_scale 0, 3, 4).
    """
    last = np.array([size[1] - 1, size[0] - 1])
    scale, shift = np.ones(2), np.zeros(2)
    if coordinates == "fraction":
        scale = last
    elif coordinates == "signed":
        scale, shift = last / 2, last / 2
    elif canvas is not None:
        scale = (last + 1) / canvas
        shift = (scale - 1) / 2
    return {
        part: np.column_stack([points[:, :2] * scale + shift, points[:, 2]]).astype(np.float32)
        for part, points in person.items()
    }


def _check_inside(where: str, body: np.ndarray, size: tuple[int, ...]) -> None:
    """Refuse a body of which a point, in px of the video, lies far outside the (H, W) frame."""
    found = body[body[:, 2] > 0, :2]
    from_centre = np.abs(found / (size[1], size[0]) - 0.5).max(axis=1)
    if from_centre.max() > 0.5 + _TOLERANCE:
        x, y = found[from_centre.argmax()]
        problem = f"a point lies at ({x:.0f}, {y:.0f}), the video is {size[1]}x{size[0]}"
        own = "give the files of this very video, written with --keypoint_scale 0"
        raise Refused(where, problem, "", f"{own}, or correct pose.coordinates")
