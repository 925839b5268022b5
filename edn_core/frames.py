"""The image store: all frames of a video in one HDF5 file (``edn-frames``).

Frame extraction decides the canvas of a video here, once: isotropic scale to the pixel budget at
the video's own aspect, padded by its edge to multiples of 32. Everything on disk after it is in
canvas pixels.
"""

import hashlib
import io
import json
import math
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import h5py
import numpy as np
from PIL import Image

from edn_core.artefact import remake, write_beside
from edn_core.config import CanvasConfig, VideoConfig
from edn_core.disk import watched_file
from edn_core.hdf5 import (
    Layout,
    check_picture_claims,
    check_texts,
    create_store,
    is_image_heap_whole,
    open_store,
    refusals_named,
    seal_store,
)
from edn_core.logs import LOGGER, progress
from edn_core.mark import draw_mark
from edn_core.provenance import Provenance, to_metadata
from edn_core.video import SoundTrack, Timeline, decode, encode, probe

SCHEMA = "edn-frames"
SCHEMA_VERSION = 1
LAYOUT = Layout(SCHEMA, SCHEMA_VERSION, {"crc32": ("u4", 1)}, "images", frozenset({"crc32"}))
MAX_NUMBER = 10**7  # px and s that a store may name; of 10**7 s are 115 days
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


class FrameWriter:
    """Writes a store image by image; a ``with`` block, renamed into place when it succeeds."""

    def __init__(self, path: str | Path, info: FramesInfo, codec: str, quality: int = 95) -> None:
        """Prepare to write.

        Args:
            path: the store.
            info: what the images are; ``n_frames`` of them must be appended.
            codec: "jpeg" (4:4:4) for photographs, "png" (lossless) for labels.
            quality: of JPEG, 1 to 100.
        """
        self.path, self.info, self.codec = Path(path), info, codec
        self._parameters = (
            [
                cv2.IMWRITE_JPEG_QUALITY,
                quality,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
            ]
            if codec == "jpeg"
            else [cv2.IMWRITE_PNG_COMPRESSION, 3]
        )
        self._quality = quality if codec == "jpeg" else 0
        self._stack = ExitStack()
        self._count, self._sums = 0, np.zeros(info.n_frames, np.uint32)

    def __enter__(self) -> "FrameWriter":
        """Open the partial file."""
        with ExitStack() as stack:
            partial = stack.enter_context(write_beside(self.path))
            self._stream = stack.enter_context(watched_file(partial))
            store = self._store = stack.enter_context(create_store(self._stream))
            info = self.info
            store.attrs.update(
                schema=SCHEMA,
                schema_version=SCHEMA_VERSION,
                video=info.video,
                n_frames=info.n_frames,
                fps=str(info.fps),
                width=info.width,
                height=info.height,
                source_width=info.source_width,
                source_height=info.source_height,
                scale=info.scale,
                offset=list(info.offset),
                start_s=info.start_s,
                stop_s=info.stop_s,
                source_sha256=info.source_sha256,
                codec=self.codec,
                quality=self._quality,
                style=info.style,
                style_config=json.dumps(info.style_config or {}, sort_keys=True),
                generator_sha256=info.generator_sha256,
            )
            self._images = store.create_dataset(
                "images", (info.n_frames,), dtype=h5py.vlen_dtype(np.uint8)
            )
            self._images.attrs["dims"] = ["frame"]
            self._images.attrs["unit"] = f"bytes of one {self.codec} image"
            self._stack = stack.pop_all()
        return self

    def append(self, image: np.ndarray) -> None:
        """Add the next image, (height, width, 3) uint8 RGB.

        Raises:
            ValueError: wrong size or too many images.
        """
        if image.shape != (*self.info.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: frame {self._count} is {image.dtype} {image.shape}, "
                f"expected uint8 {(*self.info.size, 3)}"
            )
        if self._count >= self.info.n_frames:
            raise ValueError(f"{self.path}: more than the {self.info.n_frames} frames announced")
        suffix = ".jpg" if self.codec == "jpeg" else ".png"
        encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), self._parameters)[1]
        self._images[self._count] = encoded
        self._stream.check()  # now, and not when all frames are made
        self._sums[self._count] = zlib.crc32(encoded.data)
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Rename into place, or remove what was begun."""
        if error is None and self._count != self.info.n_frames:
            error = ValueError(
                f"{self.path}: {self._count} frames were made, expected {self.info.n_frames}"
            )
            self._stack.__exit__(type(error), error, None)
            raise error
        with self._stack.pop_all() as stack:
            if error is None:
                self._seal()
            stack.__exit__(kind, error, trace)

    def _seal(self) -> None:
        dataset = self._store.create_dataset("crc32", data=self._sums, fletcher32=True)
        dataset.attrs["dims"] = ["frame"]
        seal_store(self._store, LAYOUT)


class FrameReader:
    """Random access to a store; safe to open in several processes at once."""

    def __init__(self, path: str | Path) -> None:
        """Open and check a store.

        Raises:
            ValueError: not such a file, or another version; says how to remake it.
        """
        self.path = Path(path)
        with refusals_named(path, SCHEMA):
            self._store, content = open_store(path, LAYOUT)
            about, self._sums = content.attributes[""], content.arrays.get("crc32")
            check_picture_claims(path, about)
            check_texts(path, about, "video", "source_sha256", "codec", "style", "style_config")
            _check_place(path, about)
            self._codec, self._images = about["codec"], self._store["images"]
            self.info = FramesInfo(
                video=about["video"],
                n_frames=int(about["n_frames"]),
                fps=Fraction(about["fps"]),
                width=int(about["width"]),
                height=int(about["height"]),
                source_width=int(about["source_width"]),
                source_height=int(about["source_height"]),
                scale=float(about["scale"]),
                offset=(int(about["offset"][0]), int(about["offset"][1])),
                start_s=float(about["start_s"]),
                stop_s=float(about["stop_s"]),
                source_sha256=about["source_sha256"],
                style=about["style"],
                style_config=json.loads(about["style_config"]),
                # Earlier releases did not write it.
                generator_sha256=about.get("generator_sha256", ""),
            )
            lengths = {len(self._images), len(self._images if self._sums is None else self._sums)}
            if lengths != {self.info.n_frames}:
                raise ValueError(
                    f"{path}: holds {len(self._images)} images, expected {self.info.n_frames}; "
                    f"{remake(path)}"
                )

    def __enter__(self) -> "FrameReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store; without a ``with`` block it is closed when nobody needs it any more."""
        self._store.close()

    def __len__(self) -> int:
        """Number of frames."""
        return self.info.n_frames

    def __getitem__(self, frame: int) -> np.ndarray:
        """One image, (height, width, 3) uint8 RGB."""
        if not 0 <= frame < len(self):
            raise IndexError(f"{self.path}: frame {frame} of {len(self)}")
        encoded = self.encoded(frame)
        # What it says of its size comes first: a decoder takes memory for whatever that is.
        is_ours = said_size(encoded, self._codec) == self.info.size
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if is_ours else None
        if image is None or image.shape[:2] != self.info.size:
            raise self._damaged(frame)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    @property
    def is_sealed(self) -> bool:
        """Whether images carry checksums; those of earlier releases do not."""
        return self._sums is not None

    def encoded(self, frame: int) -> np.ndarray:
        """The bytes of one image, (N,) uint8, as they were written.

        Raises:
            ValueError: they are not; says how to remake the file.
        """
        if not is_image_heap_whole(self._images, frame):
            raise self._damaged(frame)
        try:
            encoded = self._images[frame]
        except Exception as error:  # what HDF5 says of a damaged piece
            raise self._damaged(frame) from error
        if self._sums is not None and zlib.crc32(encoded.data) != self._sums[frame]:
            raise self._damaged(frame)
        return encoded

    def _damaged(self, frame: int) -> ValueError:
        return ValueError(
            f"{self.path}: frame {frame} is damaged; "
            f"delete the file and run `snakemake {self.path}` to write it anew"
        )


def said_size(encoded: np.ndarray, codec: str) -> tuple[int, int] | None:
    """(H, W) that an encoded image says it has, undecoded; None where it is none of that codec."""
    try:
        with Image.open(io.BytesIO(encoded.tobytes()), formats=[codec.upper()]) as image:
            return image.height, image.width
    except Exception:  # Pillow raises half a dozen kinds for what is no image, or a huge one
        return None


def _check_place(path: str | Path, about: dict[str, Any]) -> None:
    """Refuse what no canvas can have been made of."""
    lengths = [about["source_width"], about["source_height"], *about["offset"]]
    numbers = [about["scale"], about["start_s"], about["stop_s"], *lengths]
    if not all(isinstance(one, int | float) and abs(one) <= MAX_NUMBER for one in numbers):
        found = "scale, offset, start_s, stop_s or source size that is no number of a video"
    elif about["scale"] <= 0 or min(lengths[:2]) < 1 or min(lengths) < 0 or len(lengths) != 4:
        found = "a scale, offset or source size below what is possible"
    elif about["codec"] not in ("jpeg", "png"):
        found = f"codec {about['codec']!r:.40}, expected jpeg or png"
    else:
        return
    raise ValueError(f"{path}: has {found}; {remake(path)}")


def plan_frames(
    video_path: str | Path, video: str, settings: VideoConfig, canvas: CanvasConfig
) -> FramesInfo:
    """Decide a video's timeline and canvas.

    Args:
        video_path: the file.
        video: the video's name.
        settings: which part of it.
        canvas: pixel budget.

    Raises:
        ValueError: not a usable video; one line that says why.
    """
    found = probe(video_path)
    try:
        timeline = found.timeline(settings.start_s, settings.stop_s)
    except ValueError as error:
        raise ValueError(f"{video_path}: {error}") from error
    if timeline.n_frames < 2:
        raise ValueError(f"{video_path}: has {timeline.n_frames} frame, expected a moving picture")
    scale, size, offset = choose_canvas(found.width, found.height, canvas.pixels)
    return FramesInfo(
        video=video,
        n_frames=timeline.n_frames,
        fps=timeline.fps,
        width=size[1],
        height=size[0],
        source_width=found.width,
        source_height=found.height,
        scale=scale,
        offset=offset,
        start_s=timeline.start_s,
        stop_s=timeline.start_s + timeline.n_frames / float(timeline.fps),
        source_sha256=file_sha256(video_path),
    )


def extract_frames(
    video_path: str | Path,
    store_path: str | Path,
    video: str,
    settings: VideoConfig,
    canvas: CanvasConfig,
) -> None:
    """Decode a video once and store its frames on its canvas.

    Args:
        video_path: the file.
        store_path: the ``edn-frames`` file to write.
        video: the video's name.
        settings: which part of it.
        canvas: pixel budget and JPEG quality.

    Raises:
        ValueError: not a usable video; one line that says why.
    """
    info = plan_frames(video_path, video, settings, canvas)
    LOGGER.info(
        f"{video_path}: {info.source_width}x{info.source_height}, {info.n_frames} frames at "
        f"{float(info.fps):g} fps -> canvas {info.width}x{info.height}"
    )
    with FrameWriter(store_path, info, "jpeg", canvas.jpeg_quality) as writer:
        frames = decode(video_path, info.timeline)
        for image in progress(frames, f"extract {video}", info.n_frames):
            if image.shape[:2] != (info.source_height, info.source_width):
                raise ValueError(
                    f"{video_path}: the picture changes size to {image.shape[1]}x{image.shape[0]}; "
                    "convert it to one size"
                )
            writer.append(fit_to_canvas(image, info))


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def assemble_video(
    frames_path: str | Path,
    source_frames_path: str | Path,
    source_video: str | Path,
    out: str | Path,
    target: str = "",
    mark: str = "",
) -> None:
    """Make the finished video of a transfer: the target's canvas, the source's rate and sound.

    Its metadata says that it is synthetic and by which model.

    Args:
        frames_path: synthesized frames.
        source_frames_path: the source's store, which says where in the source it began.
        source_video: the video the sound comes from.
        out: mp4 to write; the canvas's padding is cut off.
        target: name of the video that the looks come from.
        mark: text to write into a corner of the picture; none where empty.
    """
    frames, source = FrameReader(frames_path), FrameReader(source_frames_path)
    x0, y0, x1, y1 = frames.info.picture_box
    images = (draw_mark(frames[i][y0:y1, x0:x1], mark) for i in range(len(frames)))
    encode(
        out,
        progress(images, f"assemble {frames.info.video}", len(frames)),
        frames.info.fps,
        SoundTrack(Path(source_video), source.info.start_s),
        to_metadata(Provenance(source.info.video, target, frames.info.generator_sha256)),
    )
