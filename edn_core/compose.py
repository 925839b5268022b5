"""Painted windows put back into the room: the finished frames of a transfer.

    finished = room (1 - matte) + painted

at the size of the target's video, where ``painted`` is the dancer without the ground he was painted
on. A window that shows the whole picture (``background: paint``) is the finished frame itself.
"""

import re
from pathlib import Path

import cv2
import numpy as np

from edn_core.errors import Refused, remake
from edn_core.frames import FrameReader
from edn_core.png import check_png

GROUND = 127.5
"""Grey level that dancers are painted on: 0 where the networks see it."""
CUBIC = 2  # px to either side that an interpolation looks at
CHEQUERS = (200, 235)  # of a transparent background where people look at it
SQUARE = 16  # px


def compose(
    picture: np.ndarray, to_video: np.ndarray, background: np.ndarray | None, size: tuple[int, int]
) -> np.ndarray:
    """Put a painted window into a picture of the room: (H, W, 3) uint8.

    Args:
        picture: (h, w, 4) uint8, the dancer on GROUND and his matte; or (h, w, 3), a whole picture.
        to_video: (2, 3), window px -> px of the finished frame.
        background: (H, W, 3) uint8; None: the result is transparent where the room would be,
            (H, W, 4), not premultiplied.
        size: (H, W) of the finished frame.
    """
    if picture.shape[2] == 3:
        return _put(picture, to_video, size, cv2.BORDER_REPLICATE)
    finished = np.zeros((*size, 4), np.uint8) if background is None else background.copy()
    picture, to_video = _not_bare(picture, to_video)
    x0, y0, x1, y1 = _box(to_video, picture.shape, size)
    if x0 >= x1 or y0 >= y1:
        return finished
    share = picture[..., 3:].astype(np.float32) / 255
    # What JPEG leaves on the ground beside the dancer is no part of him.
    painted = np.clip(picture[..., :3] - GROUND * (1 - share), 0, 255 * share)
    inside = to_video.copy()
    inside[:, 2] -= x0, y0
    shape = y1 - y0, x1 - x0
    colours, opaque = (_put(one, inside, shape, cv2.BORDER_CONSTANT) for one in (painted, share))
    place = finished[y0:y1, x0:x1]
    if background is None:
        opaque = opaque.clip(0, 1)[..., None]
        colours = colours / np.maximum(opaque, 1 / 255)
        place[:] = np.dstack([colours, 255 * opaque]).round().clip(0, 255)
    else:
        # OpenCV rounds to what 8 bits hold; NumPy takes three times as long.
        bare = cv2.cvtColor(1 - opaque.clip(0, 1), cv2.COLOR_GRAY2RGB)
        place[:] = cv2.add(colours, cv2.multiply(bare, place, dtype=cv2.CV_32F), dtype=cv2.CV_8U)
    return finished


def _not_bare(picture: np.ndarray, to_video: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a window that is not wholly bare, most of the time half of it, and its affine."""
    left, top, width, height = cv2.boundingRect(picture[..., 3])
    x0, y0 = max(0, left - CUBIC), max(0, top - CUBIC)
    part = picture[y0 : top + height + CUBIC, x0 : left + width + CUBIC]
    return part, np.column_stack([to_video[:, :2], to_video @ (x0, y0, 1)])


def _put(
    picture: np.ndarray, to_video: np.ndarray, size: tuple[int, int], border: int
) -> np.ndarray:
    return cv2.warpAffine(picture, to_video, size[::-1], flags=cv2.INTER_CUBIC, borderMode=border)


def _box(
    to_video: np.ndarray, shape: tuple[int, ...], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """x0 y0 x1 y1, half-open, of what a window covers of a picture."""
    height, width = shape[:2]
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]) @ to_video[:, :2].T
    first, last = corners + to_video[:, 2]
    x0, y0 = np.maximum(np.floor(first), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(last) + 1, size[::-1]).astype(int).tolist()
    return x0, y0, x1, y1


class Composer:
    """The finished frames of a store of painted windows, composed when they are asked for."""

    def __init__(
        self, frames: FrameReader, background: np.ndarray | None, halvings: int = 0
    ) -> None:
        """Over a background (H, W, 3) uint8 at the video's size, or none; halved some times."""
        self._frames, self.halvings = frames, halvings
        height, width = (side >> halvings for side in frames.info.clip.size)
        self.size = height, width
        self._background = None if background is None else halved(background, halvings)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._frames)

    @property
    def to_frame(self) -> np.ndarray:
        """(T, 2, 3) window px -> px of the finished frames."""
        return halved_affine(self._frames.info.to_video, self.halvings)

    def __getitem__(self, frame: int) -> np.ndarray:
        """(H, W, 3) uint8, or (H, W, 4) where the background is transparent."""
        return self.put(frame, self._frames.get(frame))

    def matte(self, frame: int, picture: np.ndarray | None) -> np.ndarray:
        """Where a painted picture (h, w, 4) is opaque in the finished frame: (H, W) uint8."""
        if picture is None:
            return np.zeros(self.size, np.uint8)
        return cv2.warpAffine(picture[..., 3], self.to_frame[frame], self.size[::-1])

    def put(self, frame: int, picture: np.ndarray | None) -> np.ndarray:
        """The finished frame with another painted picture in its window; None: nobody is there."""
        if picture is None:
            empty = self._background
            return np.zeros((*self.size, 4), np.uint8) if empty is None else empty.copy()
        return compose(picture, self.to_frame[frame], self._background, self.size)


def halved(image: np.ndarray, halvings: int) -> np.ndarray:
    """A picture halved some times by the mean of its pixels; an odd row or column is left out."""
    for _ in range(halvings):
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(
            image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
        )
    return image


def halved_affine(to_video: np.ndarray, halvings: int) -> np.ndarray:
    """(..., 2, 3) affines to px of the video -> to px of the video halved some times."""
    result = to_video / 2**halvings
    result[..., 2] += (1 / 2**halvings - 1) / 2
    return result


def read_background(what: str, room: str | Path | None, size: tuple[int, int]) -> np.ndarray | None:
    """What stands behind the dancer: (H, W, 3) uint8; None: nothing, or what is painted shows it.

    Args:
        what: ``room``, ``transparent``, ``#rrggbb``, or a picture file, which is made to cover;
            Refused where there is none, or one of another size as the room.
        room: the target's room.png; None where the painted pictures show it.
        size: (H, W) of the finished frames, px.
    """
    if what == "transparent" or (what == "room" and room is None):
        return None
    if is_colour(what):
        colour = [int(what[i : i + 2], 16) for i in (1, 3, 5)]
        return np.full((*size, 3), colour, np.uint8)
    height, width = size
    if what == "room" and room is not None:
        picture = read_room(room)
        if picture.shape[:2] != size:
            found = f"is {picture.shape[1]}x{picture.shape[0]}"
            raise Refused(room, found, f"{width}x{height}", "delete it and run again")
        return picture
    own = cv2.imread(what, cv2.IMREAD_COLOR_RGB) if Path(what).is_file() else None
    if own is None:
        expected = "room, transparent, #rrggbb or a picture file"
        raise Refused("assembly.background", f"is {what!r}", expected, "name one that is there")
    rows, columns = own.shape[:2]
    enlarged = max(height / rows, width / columns)
    shape = max(width, round(columns * enlarged)), max(height, round(rows * enlarged))
    how = cv2.INTER_AREA if enlarged < 1 else cv2.INTER_CUBIC
    covering = cv2.resize(own, shape, interpolation=how)
    top, left = (covering.shape[0] - height) // 2, (covering.shape[1] - width) // 2
    return covering[top : top + height, left : left + width]


def read_room(path: str | Path) -> np.ndarray:
    """Read a room.png: (H, W, 3) uint8 RGB; Refused if it is none, or damaged."""
    check_png(path)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise Refused(path, "not a picture", "", remake(path))
    return picture


def even(picture: np.ndarray) -> np.ndarray:
    """A picture without its last row or column where their number is odd, for video codecs."""
    height, width = picture.shape[:2]
    return picture[: height - height % 2, : width - width % 2]


def is_colour(what: str) -> bool:
    """Whether a background is a colour, #rrggbb."""
    return re.fullmatch("#[0-9a-fA-F]{6}", what) is not None


def on_chequers(picture: np.ndarray) -> np.ndarray:
    """A transparent picture (H, W, 4) as people look at one: (H, W, 3) on grey squares."""
    if picture.shape[2] == 3:
        return picture
    rows, columns = (np.arange(side) // SQUARE for side in picture.shape[:2])
    ground = np.where((rows[:, None] + columns) % 2, *CHEQUERS)[..., None]
    share = picture[..., 3:] / 255
    result: np.ndarray = (picture[..., :3] * share + ground * (1 - share)).round().astype(np.uint8)
    return result
