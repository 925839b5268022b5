"""Frames and sound into an mp4."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from edn_core.store import write_beside
from edn_core.video.seal import append_box, seal_mp4
from edn_core.video.sound import Packets, Sound, SoundTrack, borrowed_sound, encoded_sound

# x264's constant rate factor 17 is visually lossless on small canvases. Without mbtree=0 the same
# frames give other bytes each time (seen with libx264 in PyAV 18.1: its fast path for mbtree).
X264 = {"crf": "17", "x264-params": "mbtree=0"}
# By this id an mp4 box of no other kind is known to hold XMP (Adobe XMP specification, part 3).
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass(frozen=True)
class Metadata:
    """What a video file says about itself.

    Attributes:
        texts: by key; any key is kept.
        xmp: an XMP packet; none where empty.
    """

    texts: Mapping[str, str]
    xmp: str = ""


def encode(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    sound: Sound | SoundTrack | None = None,
    metadata: Metadata | None = None,
) -> None:
    """Write an mp4 (H.264, yuv420p, BT.709) with sound, atomically.

    The sound of another video is copied where mp4 allows its codec, else encoded as AAC; it ends
    with the picture.

    Args:
        path: the mp4 to write.
        frames: (H, W, 3) uint8 RGB, all of one size; H and W even.
        fps: frames per second.
        sound: samples, another video's track, or None for a silent video.
        metadata: what the file shall say about itself.

    Raises:
        ValueError: no frames, or an odd or changing size.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: no frames to write")
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"{path}: frames are {width}x{height}, expected an even width and height")
    metadata = metadata or Metadata({})
    with write_beside(path) as partial:
        _write(partial, chain([first], frames), (height, width), fps, sound, metadata.texts)
        if metadata.xmp:  # libav writes XMP into mov files only
            append_box(partial, XMP_BOX, metadata.xmp.encode())
        seal_mp4(partial)


def _write(
    path: Path,
    frames: Iterable[np.ndarray],
    size: tuple[int, int],
    fps: Fraction,
    sound: Sound | SoundTrack | None,
    texts: Mapping[str, str],
) -> None:
    # Without the flag, mp4 keeps only keys that iTunes knows; with it, those lie elsewhere.
    flags = "+faststart+use_metadata_tags" if texts else "+faststart"
    with ExitStack() as stack:
        container = stack.enter_context(
            av.open(str(path), "w", format="mp4", options={"movflags": flags})
        )
        container.metadata.update(texts)
        stream = container.add_stream("libx264", rate=fps, options=X264)
        (stream.height, stream.width), stream.pix_fmt = size, "yuv420p"
        stream.codec_context.time_base = 1 / fps
        # Unmarked, players guess the matrix from the size and colours shift.
        stream.codec_context.colorspace = stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = stream.codec_context.color_range = 1
        track: Packets = iter(())
        if isinstance(sound, Sound):
            track = encoded_sound(container, sound)
        elif sound is not None:
            track = borrowed_sound(stack, container, sound)
        waiting = next(track, None)
        n_frames = 0
        for image in frames:
            if image.shape != (*size, 3):
                raise ValueError(
                    f"frame {n_frames} is {image.shape[1]}x{image.shape[0]}, "
                    f"expected {size[1]}x{size[0]}"
                )
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            picture = picture.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            picture.pts, picture.time_base = n_frames, 1 / fps
            n_frames += 1
            container.mux(stream.encode(picture))
            while waiting is not None and _begins(waiting) <= n_frames / fps:
                container.mux(waiting)
                waiting = next(track, None)
        container.mux(stream.encode(None))
        while waiting is not None and _begins(waiting) < n_frames / fps:
            container.mux(waiting)
            waiting = next(track, None)


def _begins(packet: "av.Packet") -> float:
    return float((packet.pts or 0) * packet.time_base)
