"""What the coordinates in keypoint files mean, and the way to px of the video."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edn_core.keypoints import Person

# A point this part of the frame's size beyond its edge was not found in this video.
_TOLERANCE = 0.05


def tell_coordinates(frames: Iterable[list[Person]], path: str | Path) -> str:
    """What the numbers in a video's files are, by their range over all of them.

    Args:
        frames: the people of every frame, in the files' own coordinates; at least one point.
        path: of the files, for messages.

    Returns:
        ``pixels``, ``fraction`` or ``signed`` (see to_pixels).

    Raises:
        ValueError: it may be one or the other; names the setting that says which.
    """
    found = np.concatenate(
        [
            points[points[:, 2] > 0, :2]
            for people in frames
            for one in people
            for points in one.values()
        ]
    )
    low, high = float(found.min()), float(found.max())
    # Only points in the picture's very corner have pixels up to 2.
    if (np.abs(found) > 2).mean() > 0.5:
        return "pixels"
    if low >= 0 and high <= 1:
        return "fraction"
    if -1 - _TOLERANCE <= low < -_TOLERANCE and high <= 1 + _TOLERANCE:
        return "signed"
    raise ValueError(
        f"{path}: the coordinates lie in {low:.4g}..{high:.4g}, which may be pixels, fractions of "
        "the picture or -1..1; say which: pose.coordinates: pixels, fraction or signed"
    )


def to_pixels(
    person: Person, coordinates: str, canvas: tuple[float, float] | None, size: tuple[int, int]
) -> Person:
    """A person in px of the video.

    Args:
        person: as in the file.
        coordinates: ``pixels`` of the canvas, ``fraction`` 0..1 or ``signed`` -1..1 from the centre
            of the first pixel to that of the last (OpenPose's --keypoint_scale 0, 3, 4).
        canvas: width and height of the picture that pixels are of; None: the video.
        size: (H, W) of the video.
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


def check_inside(where: str, person: Person, size: tuple[int, ...]) -> None:
    """Refuse a person who lies outside the video's frame.

    Args:
        where: what messages call the file.
        person: in px of the video.
        size: (H, W) of the video.

    Raises:
        ValueError: a point of the body lies far outside; names the file.
    """
    found = person["body"][person["body"][:, 2] > 0, :2]
    limit = np.array([size[1], size[0]])
    if (found < -_TOLERANCE * limit).any() or (found > (1 + _TOLERANCE) * limit).any():
        far = found[np.abs(found / limit - 0.5).max(axis=1).argmax()]
        raise ValueError(
            f"{where}: a point lies at ({far[0]:.0f}, {far[1]:.0f}), the video is "
            f"{size[1]}x{size[0]}; give the files of this very video, written with "
            "--keypoint_scale 0, or correct pose.coordinates"
        )
