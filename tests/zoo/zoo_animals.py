"""Animals of the zoo whose clock or sound is odd, or that are damaged."""

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from zoo_filming import BEEP, COLOURS, EVEN, IN_FRAMES, Look, Noise, add_pictures, av, film
from zoo_surgery import (
    Change,
    Make,
    changed,
    cut,
    pasted,
    patch,
    renamed,
    replaced,
    set_mov_size,
    set_png_size,
    spoil,
)


@dataclass(frozen=True)
class Film:
    """What is to come out of an animal, through extraction and assembly.

    Attributes:
        n_frames: of the frame store and of the finished video.
        fps: of both.
        size: (W, H) of the picture as shown.
        flash: number of the frame that flashes, counted in what comes out; None without a flash.
        numbers: of the animal's own frames, as they stand in the finished video; (): all, in order;
            None: not asked.
        colours: (4, 3) of the quarters; None: not asked.
        tolerance: of each colour, of 255.
        hertz: pitch of the beep that sounds with the flash; None: silent.
        says: what is said about it in the log.
    """

    n_frames: int = 50
    fps: Fraction = Fraction(25)
    size: tuple[int, int] = (96, 64)
    flash: int | None = 30
    numbers: tuple[int, ...] | None = ()
    colours: tuple[tuple[int, int, int], ...] | None = COLOURS
    tolerance: int = 8
    hertz: int | None = None
    says: str = ""


Animals = dict[str, tuple[Make, Film | str]]
"""What writes a bad video into a folder, and what comes out; a text: of the one line."""
HEARD, SILENT = Film(hertz=1000), Film()
WITH_B = Look(options=(("crf", "8"), ("x264-params", "keyint=50:bframes=3")))
MPEG4 = Look(codec="mpeg4", options=(("b", "4000000"),))
VP9 = Look(codec="libvpx-vp9", options=(("crf", "20"), ("b", "0"), ("deadline", "realtime")))
PNG = Look(codec="png", pix_fmt="rgb24", matrix=None, options=())
MJPEG = Look(codec="mjpeg", pix_fmt="yuvj420p", is_full_range=True, options=(("qscale", "2"),))
FFV1 = Look(codec="ffv1", options=())
PCM, FLAC = replace(BEEP, codec="pcm_s16le"), replace(BEEP, codec="flac")


def filmed(name: str = "a.mkv", times=EVEN, flash: int = 30, noises=(BEEP,), **about) -> Make:
    """A film as it comes from ``film``."""
    return lambda folder: film(folder / name, times, flash, noises=noises, **about)


def at_rate(rate: Fraction, n_frames: int, flash: int) -> Make:
    """A film of so many frames a second."""
    noise = Noise(float(flash / rate), float(n_frames / rate))
    times = range(n_frames)
    look = Look(rate=rate)
    return filmed("a.mp4", times, flash, [noise], look=look, time_base=1 / rate)


def in_avi(look: Look, step: int = 1, flash: int = 30) -> Make:
    return filmed("a.avi", range(0, 50, step), flash, [PCM], look=look, time_base=IN_FRAMES)


def with_same_times(number: int, packet):
    if 10 <= number <= 12:
        packet.pts = packet.dts = 400
    return packet


def going_back(number: int, packet):
    packet.dts = packet.pts - 500
    if number == 10:
        packet.pts = 20
    return packet


EARLY = [time - 400 for time in EVEN]
CLOCKS: Animals = {
    "control": (filmed("a.mp4"), HEARD),
    "part": (  # from 0.52 s on; begins with the nearest frame, its sound with it
        filmed("a.mp4", look=WITH_B),
        Film(37, flash=17, numbers=tuple(range(13, 50)), hertz=1000),
    ),
    # 20 ms, then 60 ms between frames: each is still the nearest to a multiple of 40 ms.
    "uneven": (filmed(times=[*(80 * (i // 2) + 20 * (i % 2) for i in range(49)), 1960]), HEARD),
    "paused": (
        filmed(times=[40 * i + 1000 * (i >= 25) for i in range(50)], noises=[Noise(2.2, 3.0)]),
        Film(75, flash=55, numbers=None, hertz=1000),
    ),
    "fast": (at_rate(Fraction(240), 240, 120), Film(240, Fraction(240), flash=120, hertz=1000)),
    "ntsc": (at_rate(Fraction(30000, 1001), 50, 30), Film(fps=Fraction(30000, 1001), hertz=1000)),
    "avi": (in_avi(WITH_B), HEARD),  # no times of presentation in it
    "avi_empty": (  # every second frame is an empty packet
        in_avi(MPEG4, step=2, flash=15),
        Film(25, Fraction(25, 2), flash=15, hertz=1000),
    ),
    # It names 1000 frames a second and means milliseconds.
    "avi_ms": (filmed("a.avi", look=MPEG4, noises=[PCM]), HEARD),
    "raw": (  # no container, no times
        renamed(filmed("a.h264", range(50), noises=(), look=WITH_B, time_base=IN_FRAMES), "a.mp4"),
        SILENT,
    ),
    "edit_list": (  # which cuts 10 frames off
        filmed("a.mp4", EARLY, look=WITH_B, noises=[Noise(0.8, 1.6)]),
        Film(40, flash=20, numbers=tuple(range(10, 50)), hertz=1000),
    ),
    "before_zero": (
        filmed(times=EARLY, look=WITH_B, noises=[Noise(0.8, 1.6, start_s=-0.4)]),
        HEARD,
    ),
    "wrapping": (  # 33 bits of 90 kHz end after 95443.7 s
        filmed(
            "a.ts",
            [90 * time for time in EVEN],
            look=WITH_B,
            time_base=Fraction(1, 90_000),
            options={"output_ts_offset": "95442.7"},
        ),
        HEARD,
    ),
    "same_times": (changed(filmed(), picture=with_same_times), Film(numbers=None, hertz=1000)),
    "going_back": (changed(filmed(), picture=going_back), Film(numbers=None, hertz=1000)),
    "jumping": (
        filmed(times=[time + 3_600_000 * (time >= 1000) for time in EVEN], noises=()),
        "no frame for 3600.0 s after 0.96 s",
    ),
    "pasted": (pasted(filmed("one.ts"), filmed("two.ts")), "its clock goes back by"),
}


def coded(name: str, codec: str, look: Look = WITH_B, **options: str) -> Make:
    noise = replace(BEEP, codec=codec, channels=2, options=tuple(options.items()))
    return filmed(name, look=look, noises=[noise])


def sounding(*noises: Noise, name: str = "a.mp4", late_ms: int = 0) -> Make:
    return filmed(name, [time + late_ms for time in EVEN], noises=noises)


SOUNDS: Animals = {
    "silent": (sounding(), SILENT),
    "several": (  # the default one is taken
        sounding(Noise(0.4, 2.0, hertz=500), Noise(1.2, 2.0, hertz=2000, is_default=True)),
        Film(hertz=2000, says="of its 2 sounds number 2 (aac) is taken"),
    ),
    "shorter": (sounding(Noise(1.2, 1.5)), HEARD),
    "late_sound": (sounding(Noise(1.2, 2.0, start_s=0.7)), HEARD),
    "late_sound_encoded": (sounding(replace(PCM, start_s=0.7), name="a.mkv"), HEARD),
    "late_picture": (sounding(Noise(1.9, 2.7), late_ms=700), HEARD),
    "webm": (coded("a.webm", "libopus", VP9), HEARD),
    "pcm": (coded("a.mov", "pcm_s16le"), HEARD),
    "ac3": (coded("a.ts", "ac3"), HEARD),
    "flac": (coded("a.mkv", "flac"), HEARD),
    "gap": (  # silence there; nothing after it moves
        changed(
            filmed(noises=[FLAC]),
            sound=lambda _, packet: None if 0.3 < packet.pts * packet.time_base < 0.9 else packet,
        ),
        HEARD,
    ),
    "gap_copied": (
        changed(filmed(), sound=lambda number, packet: None if 15 <= number < 40 else packet),
        HEARD,
    ),
    "damaged_sound": (
        changed(
            filmed(noises=[FLAC]),
            sound=lambda i, packet: replaced(packet, bytes(packet.size)) if 2 <= i <= 4 else packet,
        ),
        Film(hertz=1000, says="of its sound are damaged; they are silent"),
    ),
    "unknown_sound": (
        lambda folder: patch(filmed(noises=[FLAC])(folder), b"A_FLAC", b"A_XLAC"),
        Film(says="its sound (A_XLAC) is of a kind that no decoder here knows"),
    ),
    "phone_sound": (  # as new phones write it
        lambda folder: patch(coded("a.mp4", "ac3")(folder), b"ac-3", b"apac"),
        Film(says="its sound (apac) is of a kind that no decoder here knows: films of it are"),
    ),
}


def no_frames(folder: Path) -> Path:
    with av.open(str(folder / "a.mp4"), "w") as container:
        add_pictures(container, Look(), None)
        container.start_encoding()
    return folder / "a.mp4"


def huge(folder: Path) -> Path:
    path = filmed("a.mov", range(5), noises=(), look=PNG, time_base=IN_FRAMES)(folder)
    return set_png_size(path, 60_000, 60_000)


def huge_pixels(folder: Path) -> Path:
    path = filmed("a.mov", noises=(), look=replace(MJPEG, aspect=Fraction(16, 11)))(folder)
    return patch(path, struct.pack(">4sII", b"pasp", 16, 11), struct.pack(">4sII", b"pasp", 900, 1))


STAND_IN = "3 of 50 frames are damaged, after 0.64 s; the nearest good ones stand in for them"
TOO_LARGE = "none of its frames can be decoded (those of more than 100 million px are not)"
SPARSE = Look(
    rate=Fraction(5), options=(("crf", "8"), ("x264-params", "keyint=80:bframes=0:scenecut=0"))
)


def seldom_whole(n_frames: int, rate: int, keyint: int, change: Change) -> Make:
    """A film of few key frames, with a change to its packets."""
    coded = f"keyint={keyint}:min-keyint={keyint}:bframes=0:scenecut=0"
    look = Look(rate=Fraction(rate), options=(("crf", "20"), ("x264-params", coded)))
    about = {"look": look, "time_base": 1 / Fraction(rate)}
    return changed(filmed("a.mkv", range(n_frames), -1, (), **about), picture=change)


def beheaded(number: int, packet):
    return packet if number else None


TWELVE_SECONDS_LATE = seldom_whole(480, 30, 360, beheaded)
LATE = "its first 359 of 479 frames cannot be decoded: it has no key frame before 11.97 s"
A_FRAME_A_SECOND = {"fps": Fraction(1), "flash": None, "colours": None}
WOUNDS: Animals = {
    "late": (
        TWELVE_SECONDS_LATE,
        f"{LATE}, expected at most a tenth lost; set videos.late.start_s to 11.97 to begin there, "
        "or encode it anew: `ffmpeg -i IN -c:v libx264 OUT.mp4`",
    ),
    "late_begun": (
        TWELVE_SECONDS_LATE,
        Film(
            120,
            Fraction(30),
            flash=None,
            numbers=tuple(n % 256 for n in range(360, 480)),
            says=LATE,
        ),
    ),
    "late_by_11_s": (  # of two minutes
        seldom_whole(120, 1, 12, beheaded),
        Film(108, numbers=tuple(range(12, 120)), says="first 11 of 119", **A_FRAME_A_SECOND),
    ),
    "spoilt_for_11_s": (
        seldom_whole(120, 1, 12, spoil(13, 13)),
        Film(
            120,
            numbers=(*range(13), *[12] * 5, *[24] * 6, *range(24, 120)),
            says="11 of 120 frames are damaged, after 12.00 s; the nearest good ones stand in",
            **A_FRAME_A_SECOND,
        ),
    ),
    "spoilt_twice": (
        changed(
            filmed(look=MJPEG),
            picture=lambda i, packet: spoil(i, i)(i, packet) if i in (5, 40) else packet,
        ),
        Film(
            numbers=(*range(5), 6, *range(6, 40), 41, *range(41, 50)),
            hertz=1000,
            says="2 of 50 frames are damaged, after 0.16, 1.56 s;",
        ),
    ),
    "none": (no_frames, "no picture in it (found no streams)"),
    "one": (filmed("a.mp4", [0], noises=()), "has 1 frame, expected a moving picture"),
    "spoilt": (  # up to the next frame that stands alone the nearest good one
        changed(filmed(), picture=spoil(17, 17)),
        Film(numbers=(*range(17), 16, 16, 20, *range(20, 50)), hertz=1000, says=STAND_IN),
    ),
    "spoilt_mjpeg": (  # each frame stands alone
        changed(filmed(look=MJPEG), picture=spoil(20, 21)),
        Film(
            numbers=(*range(20), 19, 22, *range(22, 50)),
            hertz=1000,
            says="2 of 50 frames are damaged, after 0.76 s",
        ),
    ),
    "spoilt_for_long": (
        changed(filmed(times=range(0, 20_000, 200), noises=(), look=SPARSE), picture=spoil(10, 11)),
        "70 of 100 frames are damaged, after 1.80 s, expected at most a tenth",
    ),
    "headless": (  # begins in the middle of a group of pictures
        changed(filmed("a.ts"), picture=lambda number, packet: None if number < 7 else packet),
        Film(40, flash=20, numbers=tuple(range(10, 50)), hertz=1000, says="first 3 of 43 frames"),
    ),
    "cut_mp4": (cut(filmed("a.mp4", options={"movflags": "+faststart"}), 0.5), "cut off"),
    # It promises no length.
    "cut_ts": (cut(filmed("a.ts"), 0.97), Film(48, hertz=1000)),
    "growing": (
        pasted(
            filmed("one.ts", noises=()),
            filmed(
                "two.ts", noises=(), look=Look(size=(96, 128)), options={"output_ts_offset": "2"}
            ),
        ),
        "the picture changes size to 128x96",
    ),
    "huge": (lambda folder: set_mov_size(huge(folder), b"png ", 60_000, 60_000), TOO_LARGE),
    "huge_inside": (huge, TOO_LARGE),
    "wide": (
        filmed(times=EVEN[:3], noises=(), look=replace(FFV1, size=(16, 20_000))),
        "its picture is 20000x16 px, expected at most 16384 px a side",
    ),
    "huge_pixels": (huge_pixels, "px, expected at most 16384 px a side"),
    "tiny": (
        filmed(noises=(), look=replace(FFV1, size=(4, 4))),
        "4x4 px, expected at least 8 px a side",
    ),
    "unknown": (
        lambda folder: patch(filmed("a.mp4", noises=())(folder), b"avc1", b"zzzz"),
        "encoded in a way that is not known here",
    ),
    "renamed": (renamed(filmed("a.mkv"), "a.avi"), HEARD),
}
