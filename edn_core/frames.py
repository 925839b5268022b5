"""All pictures of a video in one file (``edn-frames``): frames.zip, labels.zip, masks.zip.

It is a stored ZIP: ``info.json`` first, then a picture a frame, named by its number
(``000000.jpg``, ``000000.png``); a frame that is not there is a member that is not there. A picture
with a matte is two members, the painted dancer as ``.jpg`` and the matte as ``.png``. ZIP keeps a
CRC-32 of each member, compared whenever one is read; the archive's comment is the SHA-256 of the
members' names.
"""

import hashlib
import json
import zipfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edn_core.errors import Refused, remake
from edn_core.store import check_schema, write_beside
from edn_core.timeline import Clip

Members = list[tuple[str, bytes]]
"""A frame as it is stored: name and content of each member."""
SCHEMA = "edn-frames"
SCHEMA_VERSION = 3
INFO = "info.json"
SUFFIXES = {"jpeg": ".jpg", "png": ".png"}
# Labels and mattes are flat: unfiltered they are written and read in half the time (measured at
# 512 x 288: 4.0 -> 1.6 and 1.1 -> 0.6 ms a label), and as small.
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
TO_BGR = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGR}


@dataclass(frozen=True)
class FramesInfo:
    """What the pictures of a store are."""

    video: str  # name of the video, or of the transfer
    n_frames: int  # number of frames
    fps: Fraction  # frames per second, exact
    width: int  # of the pictures, px
    height: int
    video_width: int  # of the video that they show a part of, px
    video_height: int
    # (T, 2, 3) float64, for each frame the affine from px of the picture to px of the video; pixel
    # centres are whole numbers
    to_video: np.ndarray = field(compare=False, repr=False)
    start_s: float = 0.0  # where in its video frame 0 lies, s
    figure_px: float = 0.0  # the dancer's, ankle to head, px; 0: they show the whole video
    style: str = ""  # label style, "" for photographs
    style_config: dict[str, Any] | None = None  # the label settings used
    generator_sha256: str = ""  # of the file of the generator that painted them, if one did
    codec: str = "jpeg"  # "jpeg" or "png"; of a matted picture "jpeg"
    channels: int = 3  # 1 grey, 3 RGB, 4 RGB of the dancer on neutral grey and his matte

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the pictures."""
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture as an array."""
        return self.size if self.channels == 1 else (*self.size, self.channels)

    @property
    def clip(self) -> Clip:
        """The part of the video that the pictures are of."""
        return Clip(
            n_frames=self.n_frames,
            fps=self.fps,
            start_s=self.start_s,
            video=self.video,
            width=self.video_width,
            height=self.video_height,
        )

    @property
    def to_picture(self) -> np.ndarray:
        """(T, 2, 3) float64, the affines from px of the video to px of the picture."""
        inverse = np.linalg.inv(self.to_video[:, :, :2])
        return np.concatenate([inverse, -inverse @ self.to_video[:, :, 2:]], axis=2)

    def replaced(self, **changes: Any) -> "FramesInfo":
        """A copy with some attributes changed."""
        return replace(self, **changes)


class FrameWriter:
    """Writes a store picture by picture; a ``with`` block, put in place when it succeeds."""

    def __init__(self, path: str | Path, info: FramesInfo, quality: int = 95) -> None:
        """Prepare to write ``info.n_frames`` pictures, JPEG (4:4:4) of that quality, 1 to 100."""
        self.path, self.info = Path(path), info
        self._jpeg = [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
        self._stack, self._count = ExitStack(), 0

    def __enter__(self) -> "FrameWriter":
        """Open the partial file."""
        with ExitStack() as stack:
            partial = stack.enter_context(write_beside(self.path))
            stream = stack.enter_context(open(partial, "wb"))
            self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)
            about = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self.info)}
            about |= {"fps": str(self.info.fps), "to_video": self.info.to_video.tolist()}
            self._add(INFO, json.dumps(about).encode())
            self._stack = stack.pop_all()
        return self

    def append(self, picture: np.ndarray | None) -> None:
        """Add the next frame's picture as ``write`` does; None: it has none."""
        self.write(self._count, picture)

    def write(self, frame: int, picture: np.ndarray | None) -> None:
        """Add the picture of a frame, uint8 of info.shape; each frame comes once, in any order.

        ValueError: wrong size or too many pictures.
        """
        self.add(self.encode(frame, picture))

    def encode(self, frame: int, picture: np.ndarray | None) -> Members:
        """What ``add`` takes of a picture as ``write`` does; may be called from several threads."""
        if picture is None:
            return []
        if picture.shape != self.info.shape or picture.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: frame {frame} is {picture.dtype} {picture.shape}, "
                f"expected uint8 {self.info.shape}"
            )
        to_bgr = TO_BGR[self.info.channels]
        colours = picture if to_bgr is None else cv2.cvtColor(picture, to_bgr)
        members = [self._encode(frame, self.info.codec, colours)]
        if self.info.channels == 4:
            members.insert(0, self._encode(frame, "png", cv2.extractChannel(picture, 3)))
        return members

    def add(self, members: Members) -> None:
        """Add a frame as ``encode`` gave it; ValueError: too many."""
        self._count += 1
        if self._count > self.info.n_frames:
            raise ValueError(f"{self.path}: more than the {self.info.n_frames} frames announced")
        for name, content in members:
            self._add(name, content)

    def _encode(self, frame: int, codec: str, picture: np.ndarray) -> tuple[str, bytes]:
        suffix, parameters = SUFFIXES[codec], self._jpeg if codec == "jpeg" else PNG
        return f"{frame:06}{suffix}", cv2.imencode(suffix, picture, parameters)[1].tobytes()

    def _add(self, name: str, content: bytes) -> None:
        member = zipfile.ZipInfo(name)  # its date is fixed: the same images give the same bytes
        member.external_attr = 0o644 << 16
        self._archive.writestr(member, content)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Put in place, or remove what was begun."""
        with self._stack:
            if error is None and self._count != self.info.n_frames:
                made = f"{self.path}: {self._count} frames were made"
                error = ValueError(f"{made}, expected {self.info.n_frames}")
            if error is not None:
                self._archive.fp = None  # interrupted in a member, closing it would raise as well
                raise error
            self._archive.comment = _digest(self._archive)
            self._archive.close()


class FrameReader:
    """Random access to a store, also for several threads; a forked process opens its own."""

    def __init__(self, path: str | Path) -> None:
        """Open a store; Refused if it is none, damaged, or of another version."""
        self.path = Path(path)
        self._archive = self._open()
        self.info = _parse(self.path, self._read(INFO))
        self._suffix = SUFFIXES[self.info.codec]

    def __enter__(self) -> "FrameReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store; without a ``with`` block it is closed when nobody needs it any more."""
        self._archive.close()

    def __len__(self) -> int:
        """Number of frames, those included that have no picture."""
        return self.info.n_frames

    def has(self, frame: int) -> bool:
        """Whether a frame has a picture."""
        return f"{frame:06}{self._suffix}" in self._archive.NameToInfo

    def get(self, frame: int) -> np.ndarray | None:
        """One picture; None where the frame has none."""
        return self[frame] if self.has(frame) else None

    def __getitem__(self, frame: int) -> np.ndarray:
        """One picture, uint8 of info.shape; IndexError, or Refused if damaged or not there."""
        if not 0 <= frame < len(self):
            raise IndexError(f"{self.path}: frame {frame} of {len(self)}")
        if not self.has(frame):
            raise Refused(self.path, f"frame {frame} has no picture", "", remake(self.path))
        picture = self._decode(frame, self._suffix, min(self.info.channels, 3))
        if self.info.channels == 4:
            return cv2.merge([picture, self._decode(frame, ".png", 1)])
        return picture

    def _decode(self, frame: int, suffix: str, channels: int) -> np.ndarray:
        """(H, W) or (H, W, 3) uint8 RGB."""
        content = np.frombuffer(self._read(f"{frame:06}{suffix}"), np.uint8)
        flags = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
        picture = cv2.imdecode(content, flags)
        if picture is None or picture.shape[:2] != self.info.size:
            found = f"frame {frame} is no picture of {self.info.width}x{self.info.height}"
            raise Refused(self.path, found, "", remake(self.path))
        return picture

    def _read(self, name: str) -> bytes:
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
            found = f"not a whole ZIP file ({error})"
            raise Refused(self.path, found, "", remake(self.path)) from error
        if archive.comment != _digest(archive):
            raise Refused(self.path, "is damaged: not what was written", "", remake(self.path))
        return archive


def _digest(archive: zipfile.ZipFile) -> bytes:
    """SHA-256 over the names of the members, which have no checksum of their own."""
    return hashlib.sha256("\n".join(archive.namelist()).encode()).hexdigest().encode()


def _parse(path: Path, content: bytes) -> FramesInfo:
    about = json.loads(content)
    found = about.pop("schema", None), about.pop("schema_version", None)
    check_schema(path, found, (SCHEMA, SCHEMA_VERSION))
    fps, to_video = Fraction(about.pop("fps")), np.array(about.pop("to_video"), np.float64)
    return FramesInfo(fps=fps, to_video=to_video.reshape(-1, 2, 3), **about)


def read_info(path: str | Path) -> FramesInfo:
    """What the pictures of a store are."""
    with FrameReader(path) as reader:
        return reader.info
