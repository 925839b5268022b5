"""Frames and sound into an mp4, a webm or a mov."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from edn_core.errors import Refused
from edn_core.store import write_beside
from edn_core.video.seal import append_box, seal_video
from edn_core.video.sound import Packets, Sound, SoundTrack, borrowed_sound, encoded_sound

# x264's constant rate factor 17 is visually lossless on small canvases. Its veryfast preset takes
# half the time of the default, for 2 % more bytes and 0.7 dB less (44.7 dB). Without mbtree=0 the
# same frames give other bytes each time (seen with libx264 in PyAV 18.1: its fast path for mbtree).
X264 = {"crf": "17", "preset": "veryfast", "x264-params": "mbtree=0"}
# As near to the frames as that (demo, 1024 px: 38 dB both). The number of threads is one for every
# machine, and no rows of blocks are shared among them (row-mt), so that the bytes stay the same.
VP9 = {"crf": "20", "cpu-used": "4", "threads": "4"}
# By this id an mp4 box of no other kind is known to hold XMP (Adobe XMP specification, part 3).
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass(frozen=True)
class Coding:
    """How the pictures of a container are encoded."""

    encoder: str  # libav's name of it
    options: Mapping[str, str]  # its options
    opaque: str  # pixel format of RGB frames
    transparent: str = ""  # pixel format of RGBA frames; empty where there can be none


CODINGS = {
    ".mp4": Coding("libx264", X264, "yuv420p"),
    ".webm": Coding("libvpx-vp9", VP9, "yuv420p", "yuva420p"),
    ".mov": Coding("prores_ks", {"profile": "4444"}, "yuv444p10le", "yuva444p10le"),
}
"""By the ending of a file's name."""


@dataclass(frozen=True)
class Metadata:
    """What a video file says about itself."""

    texts: Mapping[str, str]  # by key; any key is kept
    xmp: str = ""  # an XMP packet; none where empty


def encode(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    sound: Sound | SoundTrack | None = None,
    metadata: Metadata | None = None,
) -> None:
    """Write a video (BT.709) with sound, atomically.

    Its name says what it is: ``.mp4`` H.264 and AAC, ``.webm`` VP9 and Opus, ``.mov`` ProRes 4444
    and AAC. The sound of another video is copied where the container allows its codec, else encoded
    anew; it ends with the picture. The same input gives the same bytes; an mp4's depend on the
    number of cores too.

    Args:
        path: the video to write.
        frames: (H, W, 3) uint8 RGB, or but for mp4 (H, W, 4) uint8 RGBA, not premultiplied; all of
            one size; H and W even.
        fps: frames per second.
        sound: samples, another video's track, or None for a silent video.
        metadata: what the file shall say about itself.

    Raises:
        ValueError: no frames, or an odd or changing size.
        Refused: no such container, or one that knows no transparency.
    """
    path = Path(path)
    coding = CODINGS.get(path.suffix)
    if coding is None:
        raise Refused(path, f"the ending is {path.suffix!r}", f"one of {', '.join(CODINGS)}")
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: no frames to write")
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"{path}: frames are {width}x{height}, expected an even width and height")
    has_alpha = first.shape[2:] == (4,)
    if has_alpha and not coding.transparent:
        found = "a transparent background needs .webm or .mov"
        raise Refused(path, found, "", "name the file so, or set assembly.background")
    metadata, frames = metadata or Metadata({}), chain([first], frames)
    texts = dict(metadata.texts)
    if metadata.xmp and path.suffix == ".webm":
        texts["XMP"] = metadata.xmp
    with write_beside(path) as partial:
        _write(partial, frames, (height, width, 4 if has_alpha else 3), coding, fps, sound, texts)
        if metadata.xmp and path.suffix != ".webm":  # libav writes none beside own keys
            append_box(partial, XMP_BOX, metadata.xmp.encode())
        seal_video(partial)


def _write(
    path: Path,
    frames: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    coding: Coding,
    fps: Fraction,
    sound: Sound | SoundTrack | None,
    texts: Mapping[str, str],
) -> None:
    # Without the flag, mp4 keeps only keys that iTunes knows; with it, those lie elsewhere.
    options = {"movflags": "+faststart+use_metadata_tags" if texts else "+faststart"}
    if path.suffix == ".webm":
        options = {"fflags": "+bitexact"}  # else its ids are random
    source, wanted = "rgb24", coding.opaque
    if shape[2] == 4:
        source, wanted = "rgba", coding.transparent
    with ExitStack() as stack:
        container = stack.enter_context(
            av.open(str(path), "w", format=path.suffix[1:], options=options)
        )
        container.metadata.update(texts)
        stream = container.add_stream(coding.encoder, rate=fps, options=coding.options)
        stream.height, stream.width, stream.pix_fmt = *shape[:2], wanted
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
            if image.shape != shape:
                raise ValueError(
                    f"frame {n_frames} is {image.shape[1]}x{image.shape[0]}, "
                    f"expected {shape[1]}x{shape[0]} of {shape[2]} channels"
                )
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=source)
            picture = picture.reformat(
                format=wanted, dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            picture.color_primaries = picture.color_trc = 1  # ProRes notes them in each picture
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
