"""One decoded frame as people see it: RGB of BT.709, opaque, turned, of square pixels."""

from fractions import Fraction

import av.error
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, VideoReformatter

# libav's numbers (ITU-T H.273): matrices, transfers and primaries that need more than a matrix.
UNSPECIFIED = 2
HDR_TRANSFERS = (16, 18)  # PQ, HLG
BT2020_PRIMARIES = 9
# Pictures beyond standard definition that do not name their matrix are taken as BT.709, as players
# do; libswscale alone would take BT.601 and shift the colours.
SD_WIDTH, SD_HEIGHT = 1279, 576
UPRIGHT = np.array([[1, 0], [0, 1]])


class Developer:
    """Makes images of frames; keeps libswscale's tables, which take seconds for HDR, in between."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(
        self, frame: "av.VideoFrame", ratio: Fraction | None, matrix: np.ndarray
    ) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a decoded frame, as it is to be shown.

        ``ratio`` is width to height of a pixel, ``matrix`` is from ``display_matrix``.
        """
        has_alpha = any(component.is_alpha for component in frame.format.components)
        image = self._reformat(frame, "rgba" if has_alpha else "rgb24").to_ndarray()
        if has_alpha:  # over black, as players show it; what lies under is often rubbish
            image = cv2.multiply(image[..., :3], cv2.merge([image[..., 3]] * 3), scale=1 / 255)
        if ratio and ratio != 1:
            width = max(1, round(image.shape[1] * float(ratio)))
            image = cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_AREA)
        return turn(image, matrix)

    def _reformat(self, frame: "av.VideoFrame", name: str) -> "av.VideoFrame":
        is_wide = frame.color_primaries == BT2020_PRIMARIES
        if frame.color_trc in HDR_TRANSFERS or is_wide:
            # libswscale maps tones and colours itself, white at 203 cd/m2 (ITU-R BT.2408).
            if is_wide and frame.color_trc == UNSPECIFIED:
                frame.color_trc = ColorTrc.BT709
            target = {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
            try:
                return self._reformatter.reformat(frame, format=name, **target)
            except av.error.FFmpegError:  # tags that libswscale does not know
                pass
        is_large = frame.width > SD_WIDTH or frame.height > SD_HEIGHT
        if frame.colorspace == UNSPECIFIED and is_large and not frame.format.is_rgb:
            return self._reformatter.reformat(frame, format=name, src_colorspace=Colorspace.ITU709)
        return self._reformatter.reformat(frame, format=name)


def display_matrix(frame: "av.VideoFrame") -> np.ndarray:
    """How a frame is to be turned and mirrored, from its metadata, to the nearest quarter turn.

    (2, 2) of -1, 0, 1: a point (x, y) of the frame is shown at (x, y) @ matrix, but for a shift
    (ISO/IEC 14496-12, 6.2.2).
    """
    try:
        found = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV 18.1 stumbles over Exif, which JPEGs have; this it does not look at
        angle = np.radians(-frame.rotation)
        a, b = np.round([np.cos(angle), np.sin(angle)]).astype(int)
        return np.array([[a, b], [-b, a]])
    if found is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(found), np.int32)[:9].astype(float)
    if abs(a) + abs(d) == abs(b) + abs(c) == 0:
        return UPRIGHT
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return np.array([[-1 if a < 0 else 1, 0], [0, -1 if d < 0 else 1]])
    return np.array([[0, -1 if b < 0 else 1], [-1 if c < 0 else 1, 0]])


def turn(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turn and mirror an (H, W, 3) image by a matrix of ``display_matrix``."""
    if np.array_equal(matrix, UPRIGHT):
        return image
    if matrix[0, 0] == 0:
        image = image.transpose(1, 0, 2)
    to_x, to_y = matrix.sum(axis=0)  # sign of what becomes x, of what becomes y
    return np.ascontiguousarray(image[:: int(to_y), :: int(to_x)])


def shown_size(
    frame: "av.VideoFrame", ratio: Fraction | None, matrix: np.ndarray
) -> tuple[int, int]:
    """(H, W) of a frame as ``Developer`` makes it, without making it."""
    width, height = frame.width, frame.height
    if ratio and ratio != 1:
        width = max(1, round(width * float(ratio)))
    return (height, width) if matrix[0, 0] else (width, height)
