"""Animals of the zoo whose sound is odd."""

from dataclasses import replace
from pathlib import Path

from zoo_clocks import BEEP, EVEN, HEARD, WITH_B
from zoo_filming import Look, Noise, film
from zoo_registry import Animal, Film
from zoo_surgery import blanked, patch, remux

VP9 = Look(codec="libvpx-vp9", options=(("crf", "20"), ("b", "0"), ("deadline", "realtime")))


def _coded(name: str, codec: str, look: Look = WITH_B, **options: str):
    def make(folder: Path) -> Path:
        noise = replace(BEEP, codec=codec, channels=2, options=tuple(options.items()))
        return film(folder / name, EVEN, 30, look=look, noises=[noise])

    return make


def _with(*noises: Noise, name: str = "a.mp4", times=EVEN):
    return lambda folder: film(folder / name, times, 30, noises=noises)


def _with_gap(folder: Path) -> Path:
    noise = replace(BEEP, codec="flac")
    film(folder / "whole.mkv", EVEN, 30, noises=[noise])

    def lose(number: int, packet):
        return None if 0.3 < packet.pts * packet.time_base < 0.9 else packet

    return remux(folder / "whole.mkv", folder / "a.mkv", sound=lose)


def _with_gap_copied(folder: Path) -> Path:
    film(folder / "whole.mkv", EVEN, 30, noises=[BEEP])
    return remux(
        folder / "whole.mkv",
        folder / "a.mkv",
        sound=lambda number, packet: None if 15 <= number < 40 else packet,
    )


def _damaged(folder: Path) -> Path:
    film(folder / "whole.mkv", EVEN, 30, noises=[replace(BEEP, codec="flac")])
    return remux(
        folder / "whole.mkv",
        folder / "a.mkv",
        sound=lambda number, packet: blanked(packet) if 2 <= number <= 4 else packet,
    )


def _unknown(folder: Path) -> Path:
    path = film(folder / "a.mkv", EVEN, 30, noises=[replace(BEEP, codec="flac")])
    return patch(path, b"A_FLAC", b"A_XLAC")


SOUNDS = {
    "silent": Animal("no sound", "no sound", _with(), Film()),
    "several": Animal(
        "two tracks of sound, the second marked as default",
        "the default one",
        _with(Noise(0.4, 2.0, hertz=500), Noise(1.2, 2.0, hertz=2000, is_default=True)),
        Film(hertz=2000),
    ),
    "longer": Animal(
        "sound twice as long as the picture",
        "ends with the picture",
        _with(Noise(1.2, 4.0)),
        HEARD,
    ),
    "shorter": Animal(
        "sound that ends before the picture", "silence after it", _with(Noise(1.2, 1.5)), HEARD
    ),
    "late_sound": Animal(
        "sound that begins 0.7 s after the picture",
        "begins 0.7 s late",
        _with(Noise(1.2, 2.0, start_s=0.7)),
        HEARD,
    ),
    "late_sound_encoded": Animal(
        "the same in PCM, which mp4 cannot carry",
        "encoded, 0.7 s late",
        _with(Noise(1.2, 2.0, start_s=0.7, codec="pcm_s16le"), name="a.mkv"),
        HEARD,
    ),
    "late_picture": Animal(
        "picture that begins 0.7 s after the sound",
        "what sounds before the picture is cut off",
        _with(Noise(1.9, 2.7), times=[time + 700 for time in EVEN]),
        HEARD,
    ),
    "late_picture_encoded": Animal(
        "the same in Opus",
        "likewise",
        _with(Noise(1.9, 2.7, codec="libopus"), name="a.mkv", times=[time + 700 for time in EVEN]),
        HEARD,
    ),
    "webm": Animal("Opus in webm", "AAC", _coded("a.webm", "libopus", VP9), HEARD),
    "vorbis": Animal(
        "Vorbis in mkv", "AAC", _coded("a.mkv", "vorbis", strict="experimental"), HEARD
    ),
    "pcm": Animal("PCM in mov", "AAC", _coded("a.mov", "pcm_s16le"), HEARD),
    "mp3": Animal("MP3 in mkv", "copied", _coded("a.mkv", "libmp3lame"), HEARD),
    "ac3": Animal("AC-3 in MPEG-TS", "copied", _coded("a.ts", "ac3"), HEARD),
    "adts": Animal("AAC in MPEG-TS", "copied", _coded("a.ts", "aac"), HEARD),
    "mp2": Animal("MPEG-1 layer 2 in MPEG-TS", "AAC", _coded("a.ts", "mp2"), HEARD),
    "alac": Animal("ALAC in mov", "copied", _coded("a.mov", "alac"), HEARD),
    "flac": Animal("FLAC in mkv", "AAC", _coded("a.mkv", "flac"), HEARD),
    "gap": Animal(
        "sound with a gap of 0.6 s in its packets",
        "silence there; nothing after it moves",
        _with_gap,
        HEARD,
    ),
    "gap_copied": Animal("the same in AAC, which is copied", "likewise", _with_gap_copied, HEARD),
    "damaged_sound": Animal(
        "sound with damaged packets",
        "silence there; nothing after it moves",
        _damaged,
        Film(hertz=1000, says="of its sound are damaged; they are silent"),
    ),
    "unknown_sound": Animal(
        "sound of a kind that nothing here decodes", "no sound", _unknown, Film()
    ),
}
