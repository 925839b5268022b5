"""The canvas of a video: the one size and place that all its frames, labels and keypoints share.

Isotropic scale to the pixel budget at the video's own aspect, padded by its edge to multiples of
32. Everything on disk after frame extraction is in canvas pixels.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from edn_core.timeline import Timeline

MULTIPLE = 32  # the deepest network halves five times
CANVAS_OVERHEAD = 1.25


@dataclass(frozen=True)
class FramesInfo:
    """What the images of a store are.

    Attributes:
        video: name of the video, or of the transfer.
        n_frames: number of images.
        fps: frames per second, exact.
        width: canvas width, px, a multiple of 32.
        height: canvas height, px, a multiple of 32.
        source_width: width of the video the canvas was made for, px.
        source_height: likewise, px.
        scale: canvas px per source px.
        offset: (x, y) canvas px of the scaled picture's top-left corner.
        start_s: where in its video frame 0 lies, s.
        stop_s: where the last frame ends, s.
        source_sha256: SHA-256 of the video file, "" for drawn images.
        style: label style, "" for photographs.
        style_config: the label settings used.
        generator_sha256: SHA-256 of the generator's file that synthesized the images, "" for all
            others.
        codec: "jpeg" or "png", set by the writer.
    """

    video: str
    n_frames: int
    fps: Fraction
    width: int
    height: int
    source_width: int
    source_height: int
    scale: float
    offset: tuple[int, int]
    start_s: float = 0.0
    stop_s: float = 0.0
    source_sha256: str = ""
    style: str = ""
    style_config: dict[str, Any] | None = None
    generator_sha256: str = ""
    codec: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Canvas (H, W)."""
        return self.height, self.width

    @property
    def timeline(self) -> Timeline:
        """When the frames are in the video they come from."""
        return Timeline(n_frames=self.n_frames, fps=self.fps, start_s=self.start_s)

    @property
    def picture_box(self) -> tuple[int, int, int, int]:
        """The canvas without its padding, x0 y0 x1 y1 half-open; even sides, for video codecs."""
        width = _even(round(self.source_width * self.scale), self.width)
        height = _even(round(self.source_height * self.scale), self.height)
        x0 = min(self.offset[0], self.width - width)
        y0 = min(self.offset[1], self.height - height)
        return x0, y0, x0 + width, y0 + height

    def to_canvas(self, xy: np.ndarray) -> np.ndarray:
        """Map (..., 2) px of the full-size video to canvas px; pixel centres are whole numbers."""
        return ((xy + 0.5) * self.scale - 0.5 + np.array(self.offset)).astype(np.float32)

    def replaced(self, **changes: Any) -> "FramesInfo":
        """A copy with some attributes changed."""
        return replace(self, **changes)


def _even(length: int, limit: int) -> int:
    return min(length + length % 2, limit)


def choose_canvas(
    width: int, height: int, pixels: int
) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """Decide the canvas of a video: the most picture within the budget, the least padding.

    Args:
        width: of the video, px.
        height: of the video, px.
        pixels: budget for the scaled picture; a smaller video is not enlarged. The canvas may be
            a quarter larger, since its sides are multiples of 32.

    Returns:
        scale, canvas (H, W), offset (x, y) of the picture in it.
    """
    wanted = min(1.0, math.sqrt(pixels / (width * height)))
    most = max(pixels * CANVAS_OVERHEAD, MULTIPLE**2)
    choices = []
    for wide in range(MULTIPLE, int(most / MULTIPLE) + 1, MULTIPLE):
        for high in range(MULTIPLE, int(most / wide) + 1, MULTIPLE):
            choices.append((min(wanted, wide / width, high / height), -wide * high, high, wide))
    scale, _, high, wide = max(choices)
    picture = max(1, round(width * scale)), max(1, round(height * scale))
    return scale, (high, wide), ((wide - picture[0]) // 2, (high - picture[1]) // 2)


def fit_to_canvas(image: np.ndarray, info: FramesInfo) -> np.ndarray:
    """Scale a full-size frame to its canvas and pad it by its edge.

    Args:
        image: (source_height, source_width, 3) uint8.
        info: the canvas.

    Returns:
        (height, width, 3) uint8.
    """
    picture = cv2.resize(image, None, fx=info.scale, fy=info.scale, interpolation=cv2.INTER_AREA)
    left, top = info.offset
    right = info.width - picture.shape[1] - left
    bottom = info.height - picture.shape[0] - top
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_REPLICATE)
