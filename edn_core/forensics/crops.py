"""What a detector is shown of a frame: a crop about the dancer, compressed as in any film."""

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

from edn_core.frames import FramesInfo

SMALLEST = 16  # px; the detector's least
# mbtree=0: without it the same frames give other bytes each time.
X264 = {"preset": "veryfast", "tune": "zerolatency", "x264-params": "mbtree=0"}


def crop_size(to_frame: np.ndarray, info: FramesInfo, size: tuple[int, int]) -> tuple[int, int]:
    """As much of a frame of (H, W) px as the window usually shows.

    Args:
        to_frame: (T, 2, 3), px of the window -> px of the frame.
        info: of the pictures in the window.
        size: of the frames.

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


def compress_again(images: Sequence[np.ndarray], crf: int) -> list[np.ndarray]:
    """Frames in a row through H.264 with colour at half resolution (4:2:0) and back.

    What this leaves of an image is what any video file leaves of it, however it was stored before.

    Args:
        images: (H, W, 3) uint8 RGB, of one size with even sides.
        crf: x264's constant rate factor, 17 (fine) to about 35 (coarse).

    Returns:
        As many (H, W, 3) uint8 RGB; the same for the same input.
    """
    encoder = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = images[0].shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.thread_count, encoder.options = 1, X264 | {"crf": str(crf)}
    packets = []
    for number, image in enumerate(images):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture = picture.reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return [
        frame.reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG").to_ndarray()
        for frame in frames
    ]
