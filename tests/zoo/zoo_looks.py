"""Animals of the zoo whose pictures are odd: turned, of other sizes, colours, kinds."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from zoo_animals import FFV1, SILENT, VP9, Animals, Film, filmed
from zoo_filming import (
    BEEP,
    COLOURS,
    EVEN,
    MILLISECOND,
    Look,
    add_pictures,
    draw,
    film,
    to_picture,
    write_noise,
    write_pictures,
)
from zoo_surgery import Make, set_matrix

PLAIN = Look()
INTERLACED = (("crf", "8"), ("flags", "+ilme+ildct"))
TOP_FIRST = Look(options=(*INTERLACED, ("x264-params", "interlaced=1:keyint=10:bframes=0")))
BOTTOM_FIRST = Look(
    codec="mpeg2video", options=(("flags", "+ilme+ildct"), ("b", "6000000"), ("field_order", "bb"))
)
X265 = Look(codec="libx265", options=(("x265-params", "log-level=none:keyint=10:crf=12"),))
AV1 = Look(codec="libsvtav1", options=(("crf", "15"), ("preset", "10")))
RGB = Look(pix_fmt="rgb24", matrix=None, options=())
GREYED = tuple((round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for r, g, b in COLOURS)
HALF_BLACK = (COLOURS[0], (0, 0, 0), COLOURS[2], (0, 0, 0))
TRANSPARENT = Film(flash=None, numbers=None, colours=HALF_BLACK)
HDR = Film(10, flash=5, tolerance=18)
HD = replace(PLAIN, size=(720, 1280), matrix=None)


def turned(
    matrix: tuple[int, int, int, int], order: tuple[int, int, int, int]
) -> tuple[Make, Film]:
    """A matrix in its header, and which quarter stands where afterwards."""
    size = (96, 64) if matrix[0] else (64, 96)
    colours = tuple(COLOURS[place] for place in order)
    return (
        lambda folder: set_matrix(film(folder / "a.mp4", noises=[BEEP]), *matrix),
        Film(size=size, numbers=None, colours=colours, hertz=1000),
    )


def pq(light: np.ndarray) -> np.ndarray:
    """Signal of cd/m2 in PQ (SMPTE ST 2084)."""
    y = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(light: np.ndarray) -> np.ndarray:
    """Signal of cd/m2 in HLG on a display of 1000 cd/m2 (ITU-R BT.2100, system gamma 1.2)."""
    shown = light / 1000
    y = shown @ np.array([0.2627, 0.6780, 0.0593])
    scene = shown * np.maximum(y, 1e-9)[..., None] ** (1 / 1.2 - 1)
    log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)


TO_BT2020 = np.array(  # linear, from BT.709 (ITU-R BT.2087)
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


def hdr(look: Look, transfer: int, curve: Callable[[np.ndarray], np.ndarray]) -> Make:
    """A film in HDR: white at 203 cd/m2, as ITU-R BT.2408 wants it."""

    def mark(thing) -> None:
        thing.colorspace = thing.color_primaries = 9
        thing.color_trc, thing.color_range = transfer, 1

    def picture(number: int) -> av.VideoFrame:
        light = 203 * (draw(number, number == 5) / 255.0) ** 2.4 @ TO_BT2020.T
        signal = np.round(np.clip(curve(light), 0, 1) * 65535).astype(np.uint16)
        frame = av.VideoFrame.from_ndarray(signal, format="rgb48le").reformat(
            format="yuv420p10le", dst_colorspace="BT2020", dst_color_range="MPEG"
        )
        mark(frame)
        return frame

    def make(folder: Path) -> Path:
        with av.open(str(folder / "a.mkv"), "w") as container:
            stream = add_pictures(container, replace(look, pix_fmt="yuv420p10le"), None)
            mark(stream.codec_context)
            write_pictures(container, stream, map(picture, range(10)))
        return folder / "a.mkv"

    return make


def with_alpha(codec: str, pix_fmt: str, name: str) -> Make:
    """The right half transparent, with bright rubbish under it."""

    def picture(number: int) -> av.VideoFrame:
        image = np.dstack([draw(number), np.full((64, 96), 255, np.uint8)])
        image[:, 48:, :] = (255, 0, 255, 0)
        return av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pix_fmt)

    def make(folder: Path) -> Path:
        look = Look(codec=codec, pix_fmt=pix_fmt, matrix=None, options=())
        with av.open(str(folder / name), "w") as container:
            stream = add_pictures(container, look, None)
            write_pictures(container, stream, map(picture, range(50)))
        return folder / name

    return make


def combed(look: Look, name: str, is_top_first: bool) -> Make:
    """A white bar that moves 8 px from field to field over the quarters, woven into frames."""

    def picture(number: int) -> av.VideoFrame:
        fields = [draw(number, number == 30) for _ in range(2)]
        for place, image in enumerate(fields):
            x = (16 * number + 8 * place) % 64
            image[2:22, x : x + 32] = 250
        first, second = fields if is_top_first else fields[::-1]
        first[1::2] = second[1::2]
        return to_picture(first, look)

    def make(folder: Path) -> Path:
        with av.open(str(folder / name), "w") as container:
            stream = add_pictures(container, look, None)
            sound = container.add_stream("mp2", rate=48_000, layout="mono")
            write_pictures(container, stream, map(picture, range(50)))
            write_noise(container, sound, BEEP)
        return folder / name

    return make


def behind(look: Look, n_frames: int, disposition=None) -> Make:
    """The film behind other pictures in the same file; neither is the default."""

    def make(folder: Path) -> Path:
        with av.open(str(folder / "a.mp4"), "w") as container:
            first = add_pictures(container, replace(look, rate=25 if n_frames > 1 else 1), None)
            if disposition is not None:
                first.disposition = disposition
            stream = add_pictures(container, PLAIN)
            other = to_picture(np.full((*look.size, 3), 90, np.uint8), look)
            write_pictures(container, first, [other] * n_frames)
            pictures = (to_picture(draw(number, number == 30), PLAIN) for number in range(50))
            write_pictures(container, stream, pictures, EVEN, MILLISECOND)
        return folder / "a.mp4"

    return make


def plain(name: str = "a.mkv", times=EVEN, **changes) -> Make:
    """A silent film, other than PLAIN in its look."""
    time_base = changes.pop("time_base", MILLISECOND)
    return filmed(name, times, noises=(), look=replace(PLAIN, **changes), time_base=time_base)


LOOKS: Animals = {
    "turned_90": turned((0, 1, -1, 0), (2, 0, 3, 1)),
    "turned_270": turned((0, -1, 1, 0), (1, 3, 0, 2)),
    "mirrored": turned((-1, 0, 0, 1), (1, 0, 3, 2)),
    "transposed": turned((0, 1, 1, 0), (0, 2, 1, 3)),
    "odd": (  # the mp4 has one pixel more
        filmed(look=replace(VP9, size=(63, 97)), noises=()),
        Film(size=(97, 63)),
    ),
    "anamorphic": (
        filmed("a.mp4", look=replace(PLAIN, aspect=Fraction(16, 11))),
        Film(size=(140, 64), hertz=1000),
    ),
    "hevc10": (filmed(noises=(), look=replace(X265, pix_fmt="yuv420p10le")), SILENT),
    "av1_10": (filmed(noises=(), look=replace(AV1, pix_fmt="yuv420p10le")), SILENT),
    "pq": (hdr(X265, 16, pq), HDR),
    "hlg": (hdr(AV1, 18, hlg), HDR),
    "full_range": (plain(is_full_range=True), SILENT),
    "bt2020": (plain(matrix=9), SILENT),
    "untagged": (plain(matrix=None), SILENT),  # BT.601, as players take it
    "untagged_hd": (  # BT.709, as players take it
        filmed(times=EVEN[:10], flash=5, noises=(), look=HD),
        Film(10, size=(1280, 720), flash=5),
    ),
    "gray": (
        filmed(noises=(), look=replace(FFV1, pix_fmt="gray", matrix=None)),
        Film(colours=GREYED),
    ),
    "yuv444": (plain(pix_fmt="yuv444p"), SILENT),
    "gbrp": (plain("a.avi", codec="utvideo", pix_fmt="gbrp", matrix=None, options=()), SILENT),
    "rgb": (plain(codec="libx264rgb", pix_fmt="rgb24", matrix=0, options=(("crf", "8"),)), SILENT),
    "gif": (
        filmed(
            "a.gif",
            range(0, 200, 4),
            noises=(),
            time_base=Fraction(1, 100),
            look=replace(RGB, codec="gif", pix_fmt="rgb8"),
        ),
        Film(tolerance=25),
    ),
    "alpha_prores": (with_alpha("prores_ks", "yuva444p10le", "a.mov"), TRANSPARENT),
    "alpha_vp9": (
        with_alpha("libvpx-vp9", "yuva420p", "a.webm"),
        replace(TRANSPARENT, tolerance=20),
    ),
    "interlaced": (combed(TOP_FIRST, "a.mkv", True), Film(colours=None, hertz=1000)),
    "interlaced_mpeg2": (combed(BOTTOM_FIRST, "a.mpg", False), Film(colours=None, hertz=1000)),
    "cover": (
        behind(
            Look(codec="mjpeg", pix_fmt="yuvj420p", size=(200, 200), matrix=None, options=()),
            1,
            av.stream.Disposition.attached_pic,
        ),
        SILENT,
    ),
    "preview": (
        behind(replace(PLAIN, size=(32, 48), options=()), 50),
        Film(says="of its 2 streams of pictures the largest is taken"),
    ),
}
