"""Animals of the zoo that are damaged, cut off, or want more than there is."""

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from zoo_clocks import BEEP, EVEN, HEARD, IN_FRAMES, MPEG4
from zoo_filming import Look, film
from zoo_registry import Animal, Film, Refused
from zoo_surgery import patch, remux, set_mov_size, set_png_size, spoil

PNG = Look(codec="png", pix_fmt="rgb24", matrix=None, options=())
MJPEG = Look(codec="mjpeg", pix_fmt="yuvj420p", is_full_range=True, options=(("qscale", "2"),))


def _none(folder: Path) -> Path:
    with av.open(str(folder / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        container.start_encoding()
    return folder / "a.mp4"


def _spoilt(look: Look, first: int, last: int):
    def make(folder: Path) -> Path:
        film(folder / "whole.mkv", EVEN, 30, look=look, noises=[BEEP])
        return remux(folder / "whole.mkv", folder / "a.mkv", spoil(first, last))

    return make


def _spoilt_for_long(folder: Path) -> Path:
    look = Look(
        rate=Fraction(5), options=(("crf", "8"), ("x264-params", "keyint=80:bframes=0:scenecut=0"))
    )
    film(folder / "whole.mkv", range(0, 20_000, 200), look=look)
    return remux(folder / "whole.mkv", folder / "a.mkv", spoil(10, 11))


def _headless(folder: Path) -> Path:
    """A recording that begins in the middle of a group of pictures, sound and all."""
    film(folder / "whole.ts", EVEN, 30, noises=[BEEP])

    def lose(number: int, packet):
        return None if number < 5 else packet

    return remux(folder / "whole.ts", folder / "a.ts", lose)


def _cut(name: str, part: float):
    def make(folder: Path) -> Path:
        options = {"movflags": "+faststart"} if name.endswith("mp4") else None
        film(folder / "whole" / name, EVEN, 30, noises=[BEEP], options=options)
        data = (folder / "whole" / name).read_bytes()
        (folder / name).write_bytes(data[: round(len(data) * part)])
        return folder / name

    def make_in(folder: Path) -> Path:
        (folder / "whole").mkdir()
        return make(folder)

    return make_in


def _growing(folder: Path) -> Path:
    film(folder / "one.ts", EVEN, 30)
    film(folder / "two.ts", EVEN, look=Look(size=(96, 128)), options={"output_ts_offset": "2"})
    path = folder / "a.ts"
    path.write_bytes((folder / "one.ts").read_bytes() + (folder / "two.ts").read_bytes())
    return path


def _huge(folder: Path) -> Path:
    path = film(folder / "a.mov", range(5), look=PNG, time_base=IN_FRAMES)
    return set_mov_size(set_png_size(path, 60_000, 60_000), b"png ", 60_000, 60_000)


def _huge_inside(folder: Path) -> Path:
    path = film(folder / "a.mov", range(5), look=PNG, time_base=IN_FRAMES)
    return set_png_size(path, 60_000, 60_000)


def _huge_pixels(folder: Path) -> Path:
    path = film(folder / "a.mov", EVEN, look=replace(MJPEG, aspect=Fraction(16, 11)))
    return patch(path, struct.pack(">4sII", b"pasp", 16, 11), struct.pack(">4sII", b"pasp", 900, 1))


def _unknown(folder: Path) -> Path:
    return patch(film(folder / "a.mp4", EVEN), b"avc1", b"zzzz")


def _renamed(folder: Path) -> Path:
    return film(folder / "a.mkv", EVEN, 30, noises=[BEEP]).rename(folder / "a.avi")


WOUNDS = {
    "none": Animal(
        "no frame at all", "refused", _none, Refused("no picture in it (found no streams)")
    ),
    "one": Animal(
        "one frame",
        "refused",
        lambda folder: film(folder / "a.mp4", [0]),
        Refused("has 1 frame, expected a moving picture"),
    ),
    "spoilt": Animal(
        "H.264 with two damaged packets in its middle",
        "up to the next frame that stands alone the nearest good one, and a warning",
        _spoilt(Look(), 12, 13),
        Film(
            numbers=(*range(12), *[11] * 4, *[20] * 4, *range(20, 50)),
            hertz=1000,
            says="are damaged; the nearest good ones stand in",
        ),
    ),
    "spoilt_mpeg4": Animal(
        "MPEG-4 with two damaged packets",
        "likewise",
        _spoilt(MPEG4, 13, 14),
        Film(numbers=None, hertz=1000, says="are damaged; the nearest good ones stand in"),
    ),
    "spoilt_mjpeg": Animal(
        "Motion JPEG with two damaged packets: each frame stands alone",
        "the two replaced by their neighbours",
        _spoilt(MJPEG, 20, 21),
        Film(
            numbers=(*range(20), 19, 22, *range(22, 50)),
            hertz=1000,
            says="2 frames after 0.76 s are damaged",
        ),
    ),
    "spoilt_for_long": Animal(
        "damaged for more than 10 s",
        "refused: a picture that stands still so long is no dance",
        _spoilt_for_long,
        Refused("damaged for"),
    ),
    "headless": Animal(
        "a recording that begins in the middle: its first frames cannot be decoded",
        "begins with the first that can, sound and all",
        _headless,
        Film(n_frames=40, flash=20, numbers=tuple(range(10, 50)), hertz=1000),
    ),
    "cut_mp4": Animal(
        "mp4 cut off after half its bytes",
        "refused",
        _cut("a.mp4", 0.5),
        Refused("cut off"),
    ),
    "cut_ts": Animal(
        "MPEG-TS cut off in its last packet: it promises no length",
        "what there is",
        _cut("a.ts", 0.97),
        Film(n_frames=48, numbers=tuple(range(48)), hertz=1000),
    ),
    "growing": Animal(
        "the picture changes its size after 2 s",
        "refused",
        _growing,
        Refused("the picture changes size to 128x96"),
    ),
    "huge": Animal(
        "a header that promises 60000x60000",
        "refused before memory is taken",
        _huge,
        Refused("none of its frames can be decoded (those of more than 100 million px are not)"),
    ),
    "huge_inside": Animal(
        "a header that promises 96x64, pictures of 60000x60000",
        "refused before memory is taken",
        _huge_inside,
        Refused("none of its frames can be decoded (those of more than 100 million px are not)"),
    ),
    "wide": Animal(
        "20000x16",
        "refused",
        lambda folder: film(
            folder / "a.mkv",
            EVEN[:3],
            look=Look(codec="ffv1", size=(16, 20_000), options=()),
        ),
        Refused("its picture is 20000x16 px; at most 16384 px a side"),
    ),
    "huge_pixels": Animal(
        "pixels 900 times as wide as high",
        "refused before memory is taken",
        _huge_pixels,
        Refused("px; at most 16384 px a side"),
    ),
    "tiny": Animal(
        "4x4",
        "refused",
        lambda folder: film(
            folder / "a.mkv", EVEN, look=Look(codec="ffv1", size=(4, 4), options=())
        ),
        Refused("4x4 px, expected at least 8 a side"),
    ),
    "unknown": Animal(
        "a kind of picture that nothing here decodes",
        "refused, with what to convert it to",
        _unknown,
        Refused("encoded in a way that is not known here"),
    ),
    "renamed": Animal("mkv named .avi", "read for what it is", _renamed, HEARD),
}
