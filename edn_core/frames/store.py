"""The image store: all frames of a video in one HDF5 file (``edn-frames``)."""

import io
import json
import zlib
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import h5py
import numpy as np
from PIL import Image

from edn_core.store import remake, write_beside
from edn_core.disk import watched_file
from edn_core.frames.canvas import FramesInfo
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
from edn_core.shortage import raise_if_short_of_memory

SCHEMA = "edn-frames"
SCHEMA_VERSION = 1
LAYOUT = Layout(SCHEMA, SCHEMA_VERSION, {"crc32": ("u4", 1)}, "images", frozenset({"crc32"}))
MAX_NUMBER = 10**7  # px and s that a store may name; of 10**7 s are 115 days


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
            raise self._damaged(frame, self.is_sealed)
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
            raise_if_short_of_memory(error, self.path)
            raise self._damaged(frame) from error
        if self._sums is not None and zlib.crc32(encoded.data) != self._sums[frame]:
            raise self._damaged(frame)
        return encoded

    def _damaged(self, frame: int, is_as_written: bool = False) -> ValueError:
        # Decoders give no picture where memory ran out, and do not say that it did.
        found = (
            "cannot be decoded, though it is what was written; where memory is short, run the "
            "command again with more, else"
            if is_as_written
            else "is damaged;"
        )
        return ValueError(
            f"{self.path}: frame {frame} {found} "
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
