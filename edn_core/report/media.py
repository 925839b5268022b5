"""Videos and pictures inside a page, as data URIs, kept small."""

import base64
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edn_core.errors import Refused, remake
from edn_core.png import check_png
from edn_core.video import (
    Metadata,
    SoundTrack,
    Timeline,
    check_video,
    decode,
    encode,
    probe,
    read_metadata,
)

MB = 1_000_000
MIN_HEIGHT = 240  # below it a dancer cannot be judged: then fewer seconds are shown
MIN_SHARE = 0.2 * MB  # a video squeezed further shows nothing
ATTEMPTS = 6
MAX_WIDTH = 1400
QUALITY = 85  # of WebP, where small print stays legible
AS_IT_IS = 60_000  # bytes up to which a picture is not encoded again


@dataclass(frozen=True)
class Clip:
    """A video as it stands in a page."""

    uri: str  # ``data:video/mp4;base64,...``; empty where it would not fit
    poster: str  # a frame from its middle, ``data:image/webp;base64,...``
    width: int  # px as displayed, as the height
    height: int
    seconds: float  # of the clip in the page
    whole_seconds: float  # of the file
    is_smaller: bool  # whether it was encoded anew in a smaller size


@dataclass(frozen=True)
class Picture:
    """A picture as it stands in a page: its data URI and its size in px."""

    uri: str
    width: int
    height: int


def embed_video(path: Path, limit: float) -> Clip:
    """An mp4 as a data URI: as it is where it fits, else smaller, and in the end shorter.

    The limit is in bytes of the video, before base64 adds a third.

    Raises:
        ValueError: the video is damaged or cannot be read.
    """
    check_video(path)  # a decoder makes do with damage, and a page holds the bytes as they are
    info = probe(path)
    whole = info.timeline()
    fps, height, n_frames = float(whole.fps), info.height, whole.n_frames
    middle = Timeline(1, whole.fps, whole.n_frames // 2 / fps)
    poster = _as_webp(Image.fromarray(next(decode(path, middle))), 960)
    data, attempt = path.read_bytes(), 0
    while len(data) > limit >= MIN_SHARE and attempt < ATTEMPTS:
        share = limit / len(data)
        if height > MIN_HEIGHT:
            # x264's bytes grow about with the pixels to the power of 0.75.
            height = max(MIN_HEIGHT, round(0.95 * height * share**0.67))
        else:
            n_frames = max(1, int(0.9 * n_frames * share))
        width = 2 * max(1, round(height * info.width / info.height / 2))
        shorter = Timeline(n_frames, whole.fps, whole.start_s)
        data, attempt = _encode_small(path, (width, height + height % 2), shorter), attempt + 1
    uri = _data_uri("video/mp4", data) if len(data) <= limit else ""
    seconds = n_frames / fps, whole.n_frames / fps
    return Clip(uri, poster.uri, info.width, info.height, *seconds, attempt > 0)


def _encode_small(path: Path, size: tuple[int, int], timeline: Timeline) -> bytes:
    """The beginning of a video in another size, (W, H) px, with its sound and its metadata."""

    def frames() -> Iterator[np.ndarray]:
        for frame in decode(path, timeline):
            yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA)

    # What the file says about its making goes with every copy.
    texts = read_metadata(path)
    metadata = Metadata({key: texts[key] for key in texts if key != "xmp"}, texts.get("xmp", ""))
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        encode(small, frames(), timeline.fps, SoundTrack(path), metadata)
        return small.read_bytes()


def embed_picture(path: Path, max_width: int = MAX_WIDTH) -> Picture:
    """A PNG or JPEG file as a data URI; a large one as WebP, at most ``max_width`` px wide.

    Raises:
        Refused: the file is damaged or no picture.
    """
    if path.suffix == ".png":
        check_png(path)
    try:
        with Image.open(path) as image:
            if path.stat().st_size <= AS_IT_IS and image.width <= max_width:
                uri = _data_uri(Image.MIME[image.format or "PNG"], path.read_bytes())
                return Picture(uri, *image.size)
            return _as_webp(image.convert("RGB"), max_width)
    except OSError as error:
        raise Refused(path, f"not a picture ({error})", "", remake(path)) from error


def embed_png(data: bytes) -> Picture:
    """A PNG that was just drawn."""
    with Image.open(io.BytesIO(data)) as image:
        return _as_webp(image.convert("RGB"), MAX_WIDTH)


def _as_webp(image: Image.Image, max_width: int) -> Picture:
    if image.width > max_width:
        height = round(image.height * max_width / image.width)
        image = image.resize((max_width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=4)
    return Picture(_data_uri("image/webp", stream.getvalue()), *image.size)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
