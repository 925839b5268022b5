"""A folder of numbered pictures as a video: the same pictures, put into one file."""

import functools
import hashlib
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import ExifTags, Image

from edn_core.errors import Refused
from edn_core.store import file_sha256, write_beside
from edn_core.video.seal import seal_video

CODECS = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg"}  # by the ending of a picture's name
MIRRORED = (2, 4, 5, 7)  # Exif's orientations that PyAV 18.1 does not tell from others


def list_stills(folder: str | Path) -> list[Path]:
    """The pictures of a folder by the last number in their names; other files are left out.

    Refused: fewer than two, of two kinds, or a number is missing, or there twice.
    """
    paths = [one for one in Path(folder).iterdir() if one.suffix.lower() in CODECS]
    kinds = sorted({CODECS[path.suffix.lower()] for path in paths})
    if len(paths) < 2 or len(kinds) > 1:
        found = f"holds {len(paths)} pictures ({', '.join(kinds)})"
        raise Refused(folder, found, "two or more, all .png or all .jpg")
    numbers = {path: int((re.findall("[0-9]+", path.stem) or "0")[-1]) for path in paths}
    paths.sort(key=lambda path: (numbers[path], path.name))
    steps = np.diff([numbers[path] for path in paths])
    for before, path, step in zip(paths, paths[1:], steps, strict=False):
        if step != steps.min() or not step:
            raise Refused(path, f"comes next to {before.name}", "numbers in even steps")
    return paths


@functools.cache
def stills_digest(folder: str | Path) -> str:
    """SHA-256 over names and contents of a folder's pictures; refused as of list_stills."""
    known = [f"{path.name}\0{file_sha256(path)}" for path in list_stills(folder)]
    return hashlib.sha256("\0".join(known).encode("utf-8", "surrogateescape")).hexdigest()


def film_stills(folder: str | Path, fps: float, out: str | Path) -> None:
    """Put a folder's pictures into a mov, ``fps`` a second, as they are: no pixel is changed.

    Refused: as of list_stills; one is no picture, is mirrored, or not as large as the first is, or
    turned otherwise.
    """
    paths, first = list_stills(folder), None
    rate = Fraction(fps).limit_denominator(1001)
    with write_beside(out) as partial:
        with av.open(str(partial), "w", format="mov") as container:
            stream = container.add_stream(CODECS[paths[0].suffix.lower()], rate=rate)
            stream.pix_fmt = stream.codec.video_formats[0].name  # each picture says its own
            for number, path in enumerate(paths):
                about = _size_and_turn(path)
                if first is None:
                    first, (stream.width, stream.height) = about, about[:2]
                if about != first or about[2] in MIRRORED:
                    said = "{}x{} px, Exif's orientation {}"
                    raise Refused(path, said.format(*about), f"{said.format(*first)}, no mirror")
                packet = av.Packet(path.read_bytes())
                packet.pts = packet.dts = number
                packet.time_base, packet.duration, packet.stream = 1 / rate, 1, stream
                packet.is_keyframe = True
                container.mux(packet)
        seal_video(partial)


def _size_and_turn(path: Path) -> tuple[int, int, int]:
    """Width and height of a picture as stored, px, and Exif's orientation."""
    try:
        with Image.open(path) as picture:
            return (*picture.size, int(picture.getexif().get(ExifTags.Base.Orientation, 1)))
    except OSError as error:
        raise Refused(path, "is no picture", "", "copy it again") from error
