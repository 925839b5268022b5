"""Frames as a film shows them, filmed or composed, each cropped about the dancer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edn_core.compose import Composer
from edn_core.footage import Footage
from edn_core.forensics.compression import compress_again
from edn_core.frames import FramesInfo

SMALLEST = 16  # px; the detector's least


@dataclass(frozen=True, eq=False)
class Crops:
    """The frames of a video, each with its crop.

    Attributes:
        name: of the video or transfer.
        frames: filmed frames, or finished ones composed into the room.
        corners: (T, 2) int, x and y px of each crop's first pixel.
        size: (H, W) of all of them, px; even.
    """

    name: str
    frames: Footage | Composer
    corners: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def pair(self, first: int) -> list[np.ndarray]:
        """Two frames from ``first`` on, (H, W, 3) uint8, in the crop of the first."""
        x, y = self.corners[first]
        rows, columns = slice(y, y + self.size[0]), slice(x, x + self.size[1])
        return [self.frames[frame][rows, columns] for frame in (first, first + 1)]


def crop_size(to_frame: np.ndarray, info: FramesInfo, size: tuple[int, int]) -> tuple[int, int]:
    """As much of a frame as the window usually shows.

    Args:
        to_frame: (T, 2, 3), px of the window -> px of the frame.
        info: of the pictures in the window.
        size: (H, W) of the frames, px.

    Returns:
        (H, W) px, even, at least SMALLEST and no larger than the frame.
    """
    step = float(np.median(to_frame[:, 0, 0]))
    height, width = (
        max(SMALLEST, min(round(step * own), whole)) // 2 * 2
        for own, whole in zip(info.size, size, strict=True)
    )
    return height, width


def crop_corners(
    to_frame: np.ndarray, info: FramesInfo, crop: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Where crops about the middle of the window begin: (T, 2) int x, y px, inside the frame."""
    middle = (np.array([info.width, info.height]) - 1) / 2
    centre = to_frame[:, :, :2] @ middle + to_frame[:, :, 2]
    lengths, most = np.array(crop[::-1]), np.array(size[::-1])
    corners = np.round(centre + 0.5 - lengths / 2).clip(0, most - lengths)
    return corners.astype(int)


def to_input(images: Sequence[np.ndarray], crf: int) -> np.ndarray:
    """Two (H, W, 3) uint8 RGB images as (6, H, W) float32 in [-1, 1], compressed anew."""
    again = np.concatenate(compress_again(images, crf), axis=2)
    return again.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
