"""Animals of the zoo whose pictures are odd: turned, of other sizes, colours, kinds."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from zoo_clocks import BEEP, EVEN, IN_FRAMES
from zoo_filming import (
    COLOURS,
    MILLISECOND,
    Look,
    add_pictures,
    draw,
    film,
    to_picture,
    write_noise,
)
from zoo_registry import Animal, Film, as_seen
from zoo_sounds import VP9
from zoo_surgery import set_matrix

PLAIN = Look()
INTERLACED = (("crf", "8"), ("flags", "+ilme+ildct"))
TOP_FIRST = Look(options=(*INTERLACED, ("x264-params", "interlaced=1:keyint=10:bframes=0")))
MPEG2 = Look(codec="mpeg2video", options=(("flags", "+ilme+ildct"), ("b", "6000000")))
X265 = Look(codec="libx265", options=(("x265-params", "log-level=none:keyint=10:crf=12"),))
AV1 = Look(codec="libsvtav1", options=(("crf", "15"), ("preset", "10")))
SILENT = Film()
GREYED = tuple((round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for r, g, b in COLOURS)
# A matrix of a track: which quarter stands where afterwards.
TURNED = {
    "turned_90": ((0, 1, -1, 0), (2, 0, 3, 1), "turned by 90°, as telephones write it"),
    "turned_180": ((-1, 0, 0, -1), (3, 2, 1, 0), "turned by 180°"),
    "turned_270": ((0, -1, 1, 0), (1, 3, 0, 2), "turned by 270°"),
    "mirrored": ((-1, 0, 0, 1), (1, 0, 3, 2), "mirrored left to right, as front cameras write it"),
    "flipped": ((1, 0, 0, -1), (2, 3, 0, 1), "mirrored top to bottom"),
    "transposed": ((0, 1, 1, 0), (0, 2, 1, 3), "mirrored and turned by 90°"),
}


def _looking(look: Look, name: str = "a.mkv", noises=(), times=EVEN) -> Callable[[Path], Path]:
    return lambda folder: film(folder / name, times, 30, look=look, noises=noises)


def _turned(matrix: tuple[int, int, int, int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return set_matrix(film(folder / "a.mp4", EVEN, 30, noises=[BEEP]), matrix)

    return make


def _animal_turned(name: str) -> Animal:
    matrix, order, words = TURNED[name]
    size = (96, 64) if matrix[0] else (64, 96)
    expected = Film(size=size, numbers=None, colours=as_seen(order), hertz=1000)
    return Animal(
        f"a matrix in its header: {words}", "as players show it", _turned(matrix), expected
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


def _hdr(look: Look, transfer: int, curve: Callable[[np.ndarray], np.ndarray]):
    """A film in HDR: white at 203 cd/m2, as ITU-R BT.2408 wants it."""

    def make(folder: Path) -> Path:
        with av.open(str(folder / "a.mkv"), "w") as container:
            stream = container.add_stream(look.codec, rate=25, options=dict(look.options))
            stream.height, stream.width = look.size
            stream.pix_fmt = "yuv420p10le"
            context = stream.codec_context
            context.colorspace = context.color_primaries = 9
            context.color_trc, context.color_range = transfer, 1
            for number in range(10):
                light = 203 * (draw(number, number == 5) / 255.0) ** 2.4 @ TO_BT2020.T
                signal = np.round(np.clip(curve(light), 0, 1) * 65535).astype(np.uint16)
                picture = av.VideoFrame.from_ndarray(signal, format="rgb48le").reformat(
                    format="yuv420p10le", dst_colorspace="BT2020", dst_color_range="MPEG"
                )
                picture.pts, picture.time_base = number, IN_FRAMES
                picture.colorspace = picture.color_primaries = 9
                picture.color_trc, picture.color_range = transfer, 1
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return folder / "a.mkv"

    return make


def _with_alpha(codec: str, pix_fmt: str, name: str) -> Callable[[Path], Path]:
    """The right half transparent, with bright rubbish under it."""

    def make(folder: Path) -> Path:
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width, stream.pix_fmt = 64, 96, pix_fmt
            for number in range(50):
                image = np.dstack([draw(number), np.full((64, 96), 255, np.uint8)])
                image[:, 48:, :] = (255, 0, 255, 0)
                picture = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pix_fmt)
                picture.pts, picture.time_base = number, IN_FRAMES
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return folder / name

    return make


def _combed(look: Look, name: str, is_top_first: bool) -> Callable[[Path], Path]:
    """A white bar that moves 8 px from field to field over the quarters, woven into frames."""

    def make(folder: Path) -> Path:
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(look.codec, rate=25, options=dict(look.options))
            stream.height, stream.width, stream.pix_fmt = 64, 96, look.pix_fmt
            stream.codec_context.colorspace, stream.codec_context.color_range = 5, 1
            sound = container.add_stream("mp2", rate=48_000, layout="mono")
            for number in range(50):
                fields = [draw(number, number == 30) for _ in range(2)]
                for field, image in enumerate(fields):
                    x = (16 * number + 8 * field) % 64
                    image[2:22, x : x + 32] = 250
                first, second = fields if is_top_first else fields[::-1]
                image = first.copy()
                image[1::2] = second[1::2]
                picture = to_picture(image, look)
                picture.pts, picture.time_base = number, IN_FRAMES
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
            write_noise(container, sound, BEEP)
        return folder / name

    return make


def _with_cover(folder: Path) -> Path:
    """A picture to be shown in lists, larger than the film and before it."""
    with av.open(str(folder / "a.mp4"), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 200, 200, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        _fill_two(container, cover, 1, Look(codec="mjpeg", pix_fmt="yuvj420p", size=(200, 200)))
    return folder / "a.mp4"


def _with_preview(folder: Path) -> Path:
    """A small film in front of the real one, as some cameras write it; neither is the default."""
    with av.open(str(folder / "a.mp4"), "w") as container:
        small = container.add_stream("libx264", rate=25)
        small.height, small.width, small.pix_fmt = 32, 48, "yuv420p"
        _fill_two(container, small, 50, replace(PLAIN, size=(32, 48)))
    return folder / "a.mp4"


def _fill_two(container, first, n_first: int, look: Look) -> None:
    stream = add_pictures(container, PLAIN)
    for number in range(n_first):
        picture = to_picture(np.full((*look.size, 3), 90, np.uint8), look)
        picture.pts, picture.time_base = number, IN_FRAMES
        container.mux(first.encode(picture))
    container.mux(first.encode(None))
    for number in range(50):
        picture = to_picture(draw(number, number == 30), PLAIN)
        picture.pts, picture.time_base = 40 * number, MILLISECOND
        container.mux(stream.encode(picture))
    container.mux(stream.encode(None))


HALF_BLACK = (COLOURS[0], (0, 0, 0), COLOURS[2], (0, 0, 0))
HDR = Film(n_frames=10, flash=5, numbers=tuple(range(10)), tolerance=18)
HD = replace(PLAIN, size=(720, 1280), matrix=None)
LOOKS = {
    **{name: _animal_turned(name) for name in TURNED},
    "odd": Animal(
        "odd size, 97x63",
        "97x63; the mp4 one pixel more",
        _looking(replace(VP9, size=(63, 97))),
        Film(size=(97, 63)),
    ),
    "anamorphic": Animal(
        "anamorphic pixels, 16:11",
        "square pixels: wider",
        _looking(replace(PLAIN, aspect=Fraction(16, 11)), "a.mp4", [BEEP]),
        Film(size=(140, 64), hertz=1000),
    ),
    "hevc10": Animal(
        "HEVC with 10 bits", "8 bits", _looking(replace(X265, pix_fmt="yuv420p10le")), SILENT
    ),
    "av1_10": Animal(
        "AV1 with 10 bits", "8 bits", _looking(replace(AV1, pix_fmt="yuv420p10le")), SILENT
    ),
    "pq": Animal(
        "HDR10: PQ, BT.2020, HEVC with 10 bits",
        "tones and colours mapped to BT.709, white at 203 cd/m²",
        _hdr(X265, 16, pq),
        HDR,
    ),
    "hlg": Animal("HLG, BT.2020, AV1 with 10 bits", "likewise", _hdr(AV1, 18, hlg), HDR),
    "full_range": Animal(
        "full range, 0 to 255",
        "right colours",
        _looking(replace(PLAIN, is_full_range=True)),
        SILENT,
    ),
    "bt709": Animal("BT.709", "right colours", _looking(replace(PLAIN, matrix=1)), SILENT),
    "bt2020": Animal(
        "the matrix of BT.2020", "right colours", _looking(replace(PLAIN, matrix=9)), SILENT
    ),
    "untagged": Animal(
        "SD that does not name its matrix",
        "BT.601, as players take it",
        _looking(replace(PLAIN, matrix=None)),
        SILENT,
    ),
    "untagged_hd": Animal(
        "HD that does not name its matrix",
        "BT.709, as players take it",
        lambda folder: film(folder / "a.mkv", EVEN[:10], 5, look=HD),
        Film(n_frames=10, size=(1280, 720), flash=5, numbers=tuple(range(10))),
    ),
    "gray": Animal(
        "grey only (FFV1)",
        "grey",
        _looking(Look(codec="ffv1", pix_fmt="gray", matrix=None, options=())),
        Film(colours=GREYED),
    ),
    "yuv444": Animal("4:4:4", "itself", _looking(replace(PLAIN, pix_fmt="yuv444p")), SILENT),
    "yuv422": Animal("4:2:2", "itself", _looking(replace(PLAIN, pix_fmt="yuv422p")), SILENT),
    "gbrp": Animal(
        "planes of RGB (UT Video)",
        "itself",
        _looking(Look(codec="utvideo", pix_fmt="gbrp", matrix=None, options=()), "a.avi"),
        SILENT,
    ),
    "rgb": Animal(
        "H.264 of RGB",
        "itself",
        _looking(Look(codec="libx264rgb", pix_fmt="rgb24", matrix=0, options=(("crf", "8"),))),
        SILENT,
    ),
    "gif": Animal(
        "animated GIF: a palette",
        "itself",
        lambda folder: film(
            folder / "a.gif",
            range(0, 200, 4),
            30,
            time_base=Fraction(1, 100),
            look=Look(codec="gif", pix_fmt="rgb8", matrix=None, options=()),
        ),
        Film(tolerance=25),
    ),
    "apng": Animal(
        "animated PNG",
        "itself",
        lambda folder: film(
            folder / "a.apng",
            range(50),
            30,
            time_base=IN_FRAMES,
            look=Look(codec="apng", pix_fmt="rgb24", matrix=None, options=()),
        ),
        SILENT,
    ),
    "alpha_prores": Animal(
        "ProRes 4444, half transparent over magenta",
        "black where it is transparent",
        _with_alpha("prores_ks", "yuva444p10le", "a.mov"),
        Film(flash=None, numbers=None, colours=HALF_BLACK),
    ),
    "alpha_png": Animal(
        "PNG in mov, half transparent over magenta",
        "black where it is transparent",
        _with_alpha("png", "rgba", "a.mov"),
        Film(flash=None, numbers=None, colours=HALF_BLACK),
    ),
    "alpha_vp9": Animal(
        "VP9 with alpha in webm",
        "likewise",
        _with_alpha("libvpx-vp9", "yuva420p", "a.webm"),
        Film(flash=None, numbers=None, colours=HALF_BLACK, tolerance=20),
    ),
    "interlaced": Animal(
        "interlaced H.264, top field first",
        "deinterlaced, one frame for two fields",
        _combed(TOP_FIRST, "a.mkv", True),
        Film(colours=None, hertz=1000),
    ),
    "interlaced_mpeg2": Animal(
        "interlaced MPEG-2 in a DVD's stream, bottom field first",
        "likewise",
        _combed(replace(MPEG2, options=(*MPEG2.options, ("field_order", "bb"))), "a.mpg", False),
        Film(colours=None, hertz=1000),
    ),
    "cover": Animal("a cover picture in front of the film", "the film", _with_cover, SILENT),
    "preview": Animal(
        "two films in one file, the small one first", "the larger one", _with_preview, SILENT
    ),
}
