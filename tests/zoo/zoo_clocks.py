"""Animals of the zoo whose clock is odd."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from zoo_filming import Look, Noise, film
from zoo_registry import Animal, Film, Refused
from zoo_surgery import remux

from edn_core.config import VideoConfig

EVEN = range(0, 2000, 40)  # 50 frames at 25 fps, in ms
BEEP = Noise(1.2, 2.0)  # with frame 30
WITH_B = Look(options=(("crf", "8"), ("x264-params", "keyint=50:bframes=3")))
MPEG4 = Look(codec="mpeg4", options=(("b", "4000000"),))
MPEG4_B = Look(codec="mpeg4", options=(("b", "4000000"), ("bf", "2")))
IN_FRAMES = Fraction(1, 25)
HEARD = Film(hertz=1000)


def _uneven(folder: Path) -> Path:
    # 20 ms, then 60 ms between frames: each is still the nearest to a multiple of 40 ms.
    times = [80 * (i // 2) + 20 * (i % 2) for i in range(49)] + [1960]
    return film(folder / "a.mkv", times, 30, noises=[BEEP])


def _paused(folder: Path) -> Path:
    times = [40 * i if i < 25 else 40 * i + 1000 for i in range(50)]
    return film(folder / "a.mkv", times, 30, noises=[Noise(2.2, 3.0)])


def _slow(folder: Path) -> Path:
    look = Look(rate=Fraction(1))
    return film(folder / "a.mp4", range(0, 10_000, 1000), 6, look=look, noises=[Noise(6.0, 10.0)])


def _fast(folder: Path) -> Path:
    look, step = Look(rate=Fraction(240)), Fraction(1, 240)
    return film(
        folder / "a.mp4", range(240), 120, look=look, time_base=step, noises=[Noise(0.5, 1.0)]
    )


def _ntsc(folder: Path) -> Path:
    look, beep_s = Look(rate=Fraction(30000, 1001)), 30 * 1001 / 30000
    step = Fraction(1001, 30000)
    return film(
        folder / "a.mp4", range(50), 30, look=look, time_base=step, noises=[Noise(beep_s, 1.6)]
    )


def _in_avi(look: Look, step: int = 1, flash: int = 30):
    def make(folder: Path) -> Path:
        return film(
            folder / "a.avi",
            range(0, 50, step),
            flash,
            look=look,
            time_base=IN_FRAMES,
            noises=[replace(BEEP, codec="pcm_s16le")],
        )

    return make


def _raw(folder: Path) -> Path:
    path = film(folder / "a.h264", range(50), 30, look=WITH_B, time_base=IN_FRAMES)
    return path.rename(folder / "a.mp4")


def _before_zero(name: str):
    def make(folder: Path) -> Path:
        times = [time - 400 for time in EVEN]
        noise = Noise(0.8, 1.6, start_s=-0.4 if name.endswith("mkv") else 0.0)
        return film(folder / name, times, 30, look=WITH_B, noises=[noise])

    return make


def _wrapping(folder: Path) -> Path:
    # 33 bits of 90 kHz end after 95443.7 s.
    return film(
        folder / "a.ts",
        [90 * time for time in EVEN],
        30,
        look=WITH_B,
        time_base=Fraction(1, 90_000),
        noises=[BEEP],
        options={"output_ts_offset": "95442.7"},
    )


def _same_times(folder: Path) -> Path:
    film(folder / "whole.mkv", EVEN, 30, noises=[BEEP])

    def stop(number: int, packet: av.Packet) -> av.Packet:
        if 10 <= number <= 12:
            packet.pts = packet.dts = 400
        return packet

    return remux(folder / "whole.mkv", folder / "a.mkv", stop)


def _going_back(folder: Path) -> Path:
    film(folder / "whole.mkv", EVEN, 30, noises=[BEEP])

    def set_back(number: int, packet: av.Packet) -> av.Packet:
        packet.dts = packet.pts - 500
        if number == 10:
            packet.pts = 20
        return packet

    return remux(folder / "whole.mkv", folder / "a.mkv", set_back)


def _jumping(folder: Path) -> Path:
    times = [time if time < 1000 else time + 3_600_000 for time in EVEN]
    return film(folder / "a.mkv", times)


def _pasted(folder: Path) -> Path:
    for name in ("one.ts", "two.ts"):
        film(folder / name, EVEN, 30, noises=[BEEP])
    path = folder / "a.ts"
    path.write_bytes((folder / "one.ts").read_bytes() + (folder / "two.ts").read_bytes())
    return path


CLOCKS = {
    "control": Animal(
        "an ordinary mp4 (the control)",
        "itself",
        lambda folder: film(folder / "a.mp4", EVEN, 30, noises=[BEEP]),
        HEARD,
    ),
    "with_b": Animal(
        "B-frames, decoded in another order than shown",
        "shown in order",
        lambda folder: film(folder / "a.mp4", EVEN, 30, look=WITH_B, noises=[BEEP]),
        HEARD,
    ),
    "part": Animal(
        "a part of it, from `start_s: 0.52` on",
        "begins with the nearest frame, its sound with it",
        lambda folder: film(folder / "a.mp4", EVEN, 30, look=WITH_B, noises=[BEEP]),
        Film(n_frames=37, flash=17, numbers=tuple(range(13, 50)), hertz=1000),
        VideoConfig(start_s=0.52),
    ),
    "uneven": Animal(
        "variable frame rate, 20 and 60 ms in turn",
        "constant rate, of each time the nearest frame",
        _uneven,
        HEARD,
    ),
    "paused": Animal(
        "variable frame rate with a pause of a second",
        "the pause shows the nearest frames; nothing after it moves",
        _paused,
        Film(n_frames=75, flash=55, numbers=None, hertz=1000),
    ),
    "slow": Animal(
        "1 frame a second",
        "1 frame a second",
        _slow,
        Film(n_frames=10, fps=Fraction(1), flash=6, numbers=tuple(range(10)), hertz=1000),
    ),
    "fast": Animal(
        "240 frames a second",
        "240 frames a second",
        _fast,
        Film(n_frames=240, fps=Fraction(240), flash=120, numbers=tuple(range(240)), hertz=1000),
    ),
    "ntsc": Animal(
        "30000/1001 frames a second",
        "the exact fraction",
        _ntsc,
        Film(fps=Fraction(30000, 1001), hertz=1000),
    ),
    "avi": Animal(
        "AVI with H.264 and B-frames: no times of presentation in it",
        "timed by the order of decoding",
        _in_avi(WITH_B),
        HEARD,
    ),
    "avi_mpeg4": Animal(
        "AVI with MPEG-4 and B-frames", "the same, not a frame late", _in_avi(MPEG4_B), HEARD
    ),
    "avi_empty": Animal(
        "AVI, every second frame an empty packet",
        "half the rate, no frame lost",
        _in_avi(MPEG4, step=2, flash=15),
        Film(n_frames=25, fps=Fraction(25, 2), flash=15, numbers=tuple(range(25)), hertz=1000),
    ),
    "avi_ms": Animal(
        "AVI that names 1000 frames a second and means milliseconds",
        "25 frames a second, as they lie",
        lambda folder: film(
            folder / "a.avi", EVEN, 30, look=MPEG4, noises=[replace(BEEP, codec="pcm_s16le")]
        ),
        HEARD,
    ),
    "raw": Animal(
        "a bare H.264 stream, without container or times, named .mp4",
        "25 frames a second, which it cannot say",
        _raw,
        Film(),
    ),
    "edit_list": Animal(
        "mp4 that begins before 0: an edit list cuts 10 frames off",
        "the frames that are shown",
        _before_zero("a.mp4"),
        Film(n_frames=40, flash=20, numbers=tuple(range(10, 50)), hertz=1000),
    ),
    "before_zero": Animal("mkv that begins before 0", "all of it", _before_zero("a.mkv"), HEARD),
    "wrapping": Animal(
        "MPEG-TS whose 33-bit clock wraps after a second", "one clock", _wrapping, HEARD
    ),
    "same_times": Animal(
        "three packets of one time",
        "the last of them stands there",
        _same_times,
        Film(numbers=None, hertz=1000),
    ),
    "going_back": Animal(
        "a frame whose time lies ten frames back",
        "shown where it stands in the file; the rest goes on",
        _going_back,
        Film(numbers=None, hertz=1000),
    ),
    "jumping": Animal(
        "the clock jumps an hour ahead",
        "refused: an hour of one frame is not meant",
        _jumping,
        Refused("no frame for 3600.0 s after 0.96 s"),
    ),
    "pasted": Animal(
        "two MPEG-TS pasted together, the clock goes back",
        "refused, with what mends it",
        _pasted,
        Refused("its clock goes back by"),
    ),
}
