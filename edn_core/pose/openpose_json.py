"""One file of OpenPose's ``--write_json``: everybody in one frame.

Format: OpenPose's doc/02_output.md. Also read: the key names of old releases, and what other
writers do differently (null for lists that are left out, ``canvas_width``, ``canvas_height``).
"""

import json
from typing import Any

import numpy as np

from edn_core.skeleton import PARTS

RawPerson = dict[str, np.ndarray]
"""Part -> (K, 3) float64 x, y, score, in the file's own coordinates; parts not given are left
out. Whether the numbers make sense is not checked yet."""

# Old releases wrote the lists without "_2d".
_KEYS = {
    "body": "pose_keypoints",
    "face": "face_keypoints",
    "hand_left": "hand_left_keypoints",
    "hand_right": "hand_right_keypoints",
}
_MAX_CANVAS = 100_000  # px


def parse_people(content: bytes, where: str) -> tuple[list[RawPerson], tuple[float, float] | None]:
    """Everybody in one file.

    Args:
        content: of the file.
        where: what messages call it.

    Returns:
        people: an empty list for nobody.
        canvas: width and height of the picture that the coordinates are pixels of; None where the
            file does not say.

    Raises:
        ValueError: not such a file; names it and what is wrong.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{where}: not readable as JSON ({error}); write it anew with OpenPose's --write_json"
        ) from error
    listed = found.get("people") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError(
            f"{where}: has no list 'people'; expected a file of OpenPose's --write_json"
        )
    people = []
    for one in listed:
        values = {part: _values(one, part, where) for part in PARTS}
        people.append({part: points for part, points in values.items() if points.size})
    return people, _canvas(found, where)


def _values(person: dict[str, Any], part: str, where: str) -> np.ndarray:
    """A part's flat list x, y, score, x, ... as (K, 3) float64."""
    values: Any = []
    for key in (f"{_KEYS[part]}_2d", _KEYS[part]):
        values = values or ([] if person.get(key) is None else person[key])
    # bool is an int to Python, and NumPy would take texts for numbers.
    if not isinstance(values, list) or not all(type(one) in (int, float) for one in values):
        raise ValueError(
            f"{where}: {_KEYS[part]} is no flat list of numbers; expected x, y, score, x, y, score "
            "and so on, as OpenPose's --write_json writes them"
        )
    if len(values) % 3:
        raise ValueError(
            f"{where}: {_KEYS[part]} has {len(values)} numbers, expected three for each keypoint; "
            "write the file anew with OpenPose's --write_json"
        )
    try:
        return np.array(values, np.float64).reshape(-1, 3)
    except OverflowError as error:  # an integer of hundreds of digits
        raise ValueError(f"{where}: {_KEYS[part]} has a number too large; expected px") from error


def _canvas(found: dict[str, Any], where: str) -> tuple[float, float] | None:
    size: list[Any] = [found.get("canvas_width"), found.get("canvas_height")]
    if None in size:
        return None
    if not all(type(side) in (int, float) and 1 <= side <= _MAX_CANVAS for side in size):
        raise ValueError(
            f"{where}: canvas_width and canvas_height are {str(size)[:50]}, expected two numbers "
            "of pixels; correct or remove them"
        )
    return float(size[0]), float(size[1])
