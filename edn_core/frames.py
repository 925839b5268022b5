"""All frames or labels of a video in one file: ``frames.zip``, ``labels.zip`` (``edn-frames``).

It is a stored ZIP: ``info.json`` first, then a picture a frame, named by its number
(``000000.jpg``, ``000000.png``); a frame that is not there is a member that is not there. ZIP
keeps a CRC-32 of each member, compared whenever one is read; the archive's comment is the SHA-256
of the members' names.
"""

import hashlib
import json
import os
import zipfile
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from edn_core.canvas import FramesInfo, choose_canvas, fit_to_canvas
from edn_core.errors import Refused, remake
from edn_core.store import check_schema, write_beside

__all__ = [
    "FrameReader",
    "FrameWriter",
    "FramesInfo",
    "choose_canvas",
    "fit_to_canvas",
    "read_info",
]

SCHEMA = "edn-frames"
SCHEMA_VERSION = 2
INFO = "info.json"
SUFFIXES = {"jpeg": ".jpg", "png": ".png"}


class FrameWriter:
    """Writes a store image by image; a ``with`` block, put in place when it succeeds."""

    def __init__(self, path: str | Path, info: FramesInfo, codec: str, quality: int = 95) -> None:
        """Prepare to write.

        Args:
            path: the store.
            info: what the images are; ``n_frames`` of them must be appended.
            codec: "jpeg" (4:4:4) for photographs, "png" (lossless) for labels.
            quality: of JPEG, 1 to 100.
        """
        self.path, self.info = Path(path), info.replaced(codec=codec)
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
        self._stack, self._count = ExitStack(), 0

    def __enter__(self) -> "FrameWriter":
        """Open the partial file."""
        with ExitStack() as stack:
            partial = stack.enter_context(write_beside(self.path))
            stream = stack.enter_context(open(partial, "wb"))
            self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)
            about = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self.info)}
            about["fps"] = str(self.info.fps)
            self._add(INFO, json.dumps(about, indent=2).encode())
            self._stack = stack.pop_all()
        return self

    def append(self, image: np.ndarray | None) -> None:
        """Add the next frame's image, (height, width, 3) uint8 RGB; None: it has none.

        Raises:
            ValueError: wrong size or too many images.
        """
        self.write(self._count, image)

    def write(self, frame: int, image: np.ndarray | None) -> None:
        """Add the image of a frame; each frame comes once, in any order.

        Raises:
            ValueError: wrong size or too many images.
        """
        self._count += 1
        if self._count > self.info.n_frames:
            raise ValueError(f"{self.path}: more than the {self.info.n_frames} frames announced")
        if image is None:
            return
        if image.shape != (*self.info.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: frame {frame} is {image.dtype} {image.shape}, "
                f"expected uint8 {(*self.info.size, 3)}"
            )
        suffix = SUFFIXES[self.info.codec]
        encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), self._parameters)[1]
        self._add(f"{frame:06}{suffix}", encoded.tobytes())

    def _add(self, name: str, content: bytes) -> None:
        member = zipfile.ZipInfo(name)  # its date is fixed: the same images give the same bytes
        member.external_attr = 0o644 << 16
        self._archive.writestr(member, content)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put in place, or remove what was begun."""
        with self._stack:
            if error is None and self._count != self.info.n_frames:
                error = ValueError(
                    f"{self.path}: {self._count} frames were made, expected {self.info.n_frames}"
                )
            if error is not None:
                self._archive.fp = None  # interrupted in a member, closing it would raise as well
                raise error
            self._archive.comment = _digest(self._archive)
            self._archive.close()


class FrameReader:
    """Random access to a store; each process that uses one opens the file for itself."""

    def __init__(self, path: str | Path) -> None:
        """Open a store.

        Raises:
            Refused: not such a file, damaged, or another version; says how to remake it.
        """
        self.path = Path(path)
        self._process, self._archive = os.getpid(), self._open()
        self.info = _parse(self.path, self._read(INFO))
        self._suffix = SUFFIXES[self.info.codec]

    def __enter__(self) -> "FrameReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store; without a ``with`` block it is closed when nobody needs it any more."""
        self._archive.close()

    def __len__(self) -> int:
        """Number of frames, those included that have no image."""
        return self.info.n_frames

    def has(self, frame: int) -> bool:
        """Whether a frame has an image."""
        return f"{frame:06}{self._suffix}" in self._archive.NameToInfo

    def __getitem__(self, frame: int) -> np.ndarray:
        """One image, (height, width, 3) uint8 RGB.

        Raises:
            IndexError: no such frame.
            Refused: it is damaged, or has no image.
        """
        if not 0 <= frame < len(self):
            raise IndexError(f"{self.path}: frame {frame} of {len(self)}")
        image = cv2.imdecode(self.encoded(frame), cv2.IMREAD_COLOR)
        if image is None or image.shape[:2] != self.info.size:
            raise Refused(
                self.path, f"frame {frame} is no image of the canvas", "", remake(self.path)
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def encoded(self, frame: int) -> np.ndarray:
        """The bytes of one image, (N,) uint8, as they were written.

        Raises:
            Refused: they are not, or it has none; says how to remake the file.
        """
        if not self.has(frame):
            raise Refused(self.path, f"frame {frame} has no image", "", remake(self.path))
        return np.frombuffer(self._read(f"{frame:06}{self._suffix}"), np.uint8)

    def _read(self, name: str) -> bytes:
        if os.getpid() != self._process:  # after a fork, two would move one file position
            self._process, self._archive = os.getpid(), self._open()
        try:
            return self._archive.read(name)
        except MemoryError:
            raise
        except Exception as error:  # zipfile raises half a dozen kinds for a damaged member
            raise Refused(self.path, f"{name} is damaged", "", remake(self.path)) from error

    def _open(self) -> zipfile.ZipFile:
        try:
            archive = zipfile.ZipFile(self.path)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise Refused(
                self.path, f"not a whole ZIP file ({error})", "", remake(self.path)
            ) from error
        if archive.comment != _digest(archive):
            raise Refused(self.path, "is damaged: not what was written", "", remake(self.path))
        return archive


def _digest(archive: zipfile.ZipFile) -> bytes:
    """SHA-256 over the names of the members, which have no checksum of their own."""
    return hashlib.sha256("\n".join(archive.namelist()).encode()).hexdigest().encode()


def _parse(path: Path, content: bytes) -> FramesInfo:
    about = json.loads(content)
    check_schema(
        path,
        (about.pop("schema", None), about.pop("schema_version", None)),
        (SCHEMA, SCHEMA_VERSION),
    )
    fps, offset = Fraction(about.pop("fps")), about.pop("offset")
    return FramesInfo(fps=fps, offset=(offset[0], offset[1]), **about)


def read_info(path: str | Path) -> FramesInfo:
    """What the images of a store are."""
    with FrameReader(path) as reader:
        return reader.info
