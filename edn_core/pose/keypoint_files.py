"""Keypoint files: those of a folder or an archive, OpenPose's JSON, OpenCV's YAML.

JSON (``--write_json``): everybody in one frame, as in OpenPose's doc/02_output.md. Also read: the
key names of old releases, and what other writers do differently (null for lists that are left out,
``canvas_width``, ``canvas_height``). YAML (``--write_keypoint``): one matrix of people x keypoints
x 3 per frame and part, as the keypoints of "Everybody Dance Now" were published.
"""

import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edn_core.config import printable
from edn_core.errors import Refused
from edn_core.skeleton import PARTS

RawPerson = dict[str, np.ndarray]
"""Part -> (K, 3) float64 x, y, score, in the file's own coordinates; parts not given are left
out. Whether the numbers make sense is not checked yet."""

PeopleOfFrame = tuple[list[RawPerson], tuple[float, float] | None]
"""And width and height of the picture that the coordinates are pixels of; None: not said."""

_ANEW = "write it anew with OpenPose's --write_json"
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_MATRIX = re.compile(
    r"!!opencv-(?:nd-)?matrix\s+"
    r"(?:sizes:\s*\[(?P<sizes>[\d,\s]*)\]|rows:\s*(?P<rows>\d+)\s+cols:\s*(?P<cols>\d+))\s+"
    r"dt:\s*\"?(?P<channels>\d*)[a-z]\"?\s+"
    r"data:\s*\[(?P<data>[^\]]*)\]"
)


def list_files(path: str | Path) -> list[str]:
    """Names of all files below a folder or inside an archive, with ``/``, sorted.

    An archive is a zip or a tar (also compressed), told by how its name ends; nothing is unpacked
    to disk. Hidden files are left out, as is what macOS adds. Raises Refused: nothing is there, it
    is no such archive, or a damaged one.
    """
    return sorted(name for name, _ in _files(Path(path)))


def read_files(path: str | Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of some of the files (see list_files), in the order in which they lie there.

    Raises Refused: as list_files; or names a file that cannot be read.
    """
    for name, read in _files(Path(path)):
        if name in names:
            try:
                content = read()
            except Exception as error:  # zipfile and the decompressors raise a dozen kinds
                raise _unreadable(full_name(path, name), error) from error
            yield name, content


def full_name(path: str | Path, name: str) -> str:
    """What an error message calls a file: ``folder/name`` or ``archive.zip: name``."""
    name = printable(name)
    return str(Path(path) / name) if Path(path).is_dir() else f"{path}: {name}"


def _files(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Every file with a function that reads it, to be called before the next one is asked for."""
    is_archive = path.is_file() and path.name.lower().endswith((".zip", *_TAR))
    if path.is_file() and path.suffix.lower() == ".json":
        yield path.name, path.read_bytes
        return
    if not is_archive and not path.is_dir():
        found = "no folder and no archive" if path.exists() else "nothing there"
        expected = f"a folder of keypoint files, an archive (.zip, {', '.join(_TAR)}) or a .json"
        raise Refused(path, found, expected, "correct pose.openpose_files")
    try:
        for name, read in _in_archive(path) if is_archive else _in_folder(path):
            if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts):
                yield name, read
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(where: str | Path, error: Exception) -> Refused:
    found = f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())})"
    return Refused(where, found, "", "make it anew, or unpack the archive and give the folder")


def _in_folder(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for one in sorted(path.rglob("*")):
        if one.is_file():
            yield one.relative_to(path).as_posix(), one.read_bytes


def _in_archive(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as zipped:
            for entry in zipped.infolist():
                if not entry.is_dir():
                    yield entry.filename, partial(zipped.read, entry)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and (content := archive.extractfile(member)):
                    yield member.name, content.read


def parse_people(content: bytes, where: str) -> list[PeopleOfFrame]:
    """Everybody in one file of OpenPose's JSON, which messages call ``where``.

    One entry; of a list of frames, as ComfyUI's pose nodes write it, an entry a frame. Raises
    Refused: not such a file; names it and what is wrong.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(where, f"not readable as JSON ({error})", "", _ANEW) from error
    if isinstance(found, list) and len(found) > 1:
        return [_parse_frame(one, f"{where}, entry {i}") for i, one in enumerate(found)]
    return [_parse_frame(found[0] if isinstance(found, list) and found else found, where)]


def _parse_frame(found: Any, where: str) -> PeopleOfFrame:
    listed = found.get("people") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Refused(where, "has no list 'people'", "", _ANEW)
    people = []
    for one in listed:
        values = {part: _values(one, part, where) for part in PARTS}
        people.append({part: points for part, points in values.items() if points.size})
    size: list[Any] = [found.get("canvas_width"), found.get("canvas_height")]
    if None in size:
        return people, None
    if not all(isinstance(side, int | float) and 1 <= side < 1e9 for side in size):
        raise Refused(where, f"canvas_width and canvas_height are {size}"[:200], "numbers of px")
    return people, (float(size[0]), float(size[1]))


def _values(person: dict[str, Any], part: str, where: str) -> np.ndarray:
    """A part's flat list x, y, score, x, ... as (K, 3) float64."""
    key = f"{part.replace('body', 'pose')}_keypoints"
    try:
        # Old releases wrote the lists without "_2d".
        values = person.get(f"{key}_2d") or person.get(key) or []
        return np.array(values, np.float64).reshape(-1, 3)
    except (TypeError, ValueError, OverflowError) as error:
        found = f"{key} is no list of numbers, three for each keypoint"
        expected = "x, y, score and so on, as OpenPose's --write_json writes them"
        raise Refused(where, found, expected) from error


def parse_matrix(content: bytes, where: str) -> np.ndarray:
    """The first matrix in a file of OpenCV's YAML, which messages call ``where``.

    Read as text, not with cv2.FileStorage: damaged files end the program there (a negative size
    frees memory twice in OpenCV 5.0), and PyYAML takes 9 ms for a frame's four files, this 0.1 ms.
    (people, K, 3) float64 x, y, score, in the file's own coordinates; (0, 0, 3) for nobody. Raises
    Refused: no such matrix; names the file and what is wrong.
    """
    found = _MATRIX.search(content.decode("utf-8", "replace"))
    if found is None:
        problem = "holds no matrix of OpenCV's (!!opencv-nd-matrix with sizes, dt and data)"
        raise Refused(where, problem, "a YAML file of OpenPose's --write_keypoint")
    sizes = found["sizes"] if found["sizes"] is not None else f"{found['rows']},{found['cols']}"
    data = found["data"].replace(".Nan", "nan").replace(".Inf", "inf")
    try:
        shape = [int(size) for size in sizes.split(",") if size.strip()]
        shape += [int(found["channels"])] if found["channels"] not in ("", "1") else []
        values = np.array([float(value) for value in data.split(",") if value.strip()])
    except ValueError as error:
        raise Refused(where, f"no number ({str(error)[:80]})", "", "copy it anew") from error
    if not values.size and 0 in (*shape, len(shape)):
        return np.zeros((0, 0, 3))
    if len(shape) != 3 or shape[2] != 3 or shape[0] * shape[1] * 3 != values.size:
        size = f"{values.size} numbers in a matrix of {shape}"
        raise Refused(where, size, "people x keypoints x 3", "copy it anew")
    return values.reshape(shape)
