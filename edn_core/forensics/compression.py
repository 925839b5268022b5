"""The same compression for real and synthetic frames, as in a finished video."""

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

# mbtree=0: without it the same frames give other bytes each time.
X264 = {"preset": "veryfast", "tune": "zerolatency", "x264-params": "mbtree=0"}


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
