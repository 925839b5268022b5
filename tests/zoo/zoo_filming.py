"""Films for the zoo, made packet by packet, and instruments that read them.

Every film shows four coloured quarters and, in a band across the middle, its frame's number as
eight black or white bits. One frame flashes white while a beep begins in the sound: what the two
are apart in a finished video is how far picture and sound have come apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, GREEN, BLUE, GREY = (200, 40, 40), (40, 170, 60), (50, 60, 190), (128, 128, 128)
COLOURS = (RED, GREEN, BLUE, GREY)
WHITE = (250, 250, 250)
SIZE = (64, 96)  # H, W
BITS = 8
RATE = 48_000
BEEP_S = 0.1
MILLISECOND = Fraction(1, 1000)


def draw(number: int, is_flash: bool = False, size: tuple[int, int] = SIZE) -> np.ndarray:
    """One frame: red, green above blue, grey; its number in the band; all white for a flash."""
    height, width = size
    image = np.empty((height, width, 3), np.uint8)
    colours = [WHITE] * 4 if is_flash else COLOURS
    image[: height // 2, : width // 2] = colours[0]
    image[: height // 2, width // 2 :] = colours[1]
    image[height // 2 :, : width // 2] = colours[2]
    image[height // 2 :, width // 2 :] = colours[3]
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    for bit in range(BITS):
        level = 235 if number >> bit & 1 else 16
        image[height * 3 // 8 : height * 5 // 8, edges[bit] : edges[bit + 1]] = level
    return image


def read_number(image: np.ndarray) -> int:
    """The number in the band of a frame."""
    height, width = image.shape[:2]
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    band = image[height // 2 - 2 : height // 2 + 2].astype(float).mean(axis=(0, 2))
    return sum(1 << bit for bit, x in enumerate(centres) if band[x] > 120)


def read_colours(image: np.ndarray) -> np.ndarray:
    """(4, 3) mean colours of the quarters' middles: top left, top right, bottom left and right."""
    height, width = image.shape[:2]
    places = [(y, x) for y in (1 / 6, 5 / 6) for x in (1 / 4, 3 / 4)]
    boxes = [(round(height * y), round(width * x)) for y, x in places]
    return np.array([image[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1)) for y, x in boxes])


def is_flash(image: np.ndarray) -> bool:
    """Whether a frame flashes."""
    return bool(read_colours(image).min() > 190)


@dataclass(frozen=True)
class Noise:
    """Sound of a film: silence, but for a beep.

    Attributes:
        beep_s: when, on the film's clock.
        stop_s: when the sound ends.
        start_s: when it begins.
        codec: libav's name of the encoder.
        channels: 1 or 2.
        hertz: pitch of the beep.
        is_default: marked as the track to play.
        options: of the encoder.
    """

    beep_s: float
    stop_s: float
    start_s: float = 0.0
    codec: str = "aac"
    channels: int = 1
    hertz: int = 1000
    is_default: bool = False
    options: tuple[tuple[str, str], ...] = ()


def write_noise(container, stream, noise: Noise) -> None:
    """Encode and mux a film's sound."""
    time = np.arange(round(noise.start_s * RATE), round(noise.stop_s * RATE)) / RATE
    is_on = (time >= noise.beep_s) & (time < noise.beep_s + BEEP_S)
    wave = np.where(is_on, 0.5 * np.sin(2 * np.pi * noise.hertz * (time - noise.beep_s)), 0)
    layout = "mono" if noise.channels == 1 else "stereo"
    resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=RATE)
    for start in range(0, len(wave), 960):
        piece = np.repeat(wave[None, start : start + 960], noise.channels, axis=0)
        frame = av.AudioFrame.from_ndarray(piece.astype(np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = start + round(noise.start_s * RATE)
        for converted in resampler.resample(frame):
            container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


@dataclass(frozen=True)
class Look:
    """How a film's pictures are encoded.

    Attributes:
        codec: libav's name of the encoder.
        pix_fmt: pixel format handed to it.
        size: (H, W).
        options: of the encoder.
        aspect: of its pixels, wide to high.
        matrix: of YUV, libav's number of the colour space; None leaves it untagged.
        is_full_range: 0..255 rather than 16..235.
        rate: nominal frames per second.
    """

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    options: tuple[tuple[str, str], ...] = (("crf", "8"), ("x264-params", "keyint=10:bframes=0"))
    aspect: Fraction | None = None
    matrix: int | None = 5
    is_full_range: bool = False
    rate: Fraction = Fraction(25)


def add_pictures(container, look: Look, time_base: Fraction = MILLISECOND):
    """Add a stream of pictures to a film."""
    stream = container.add_stream(look.codec, rate=look.rate, options=dict(look.options))
    stream.height, stream.width = look.size
    stream.pix_fmt = look.pix_fmt
    stream.codec_context.time_base = time_base
    if look.aspect is not None:
        stream.codec_context.sample_aspect_ratio = look.aspect
    if look.matrix is not None:
        stream.codec_context.colorspace = look.matrix
        stream.codec_context.color_range = 2 if look.is_full_range else 1
    return stream


def to_picture(image: np.ndarray, look: Look) -> av.VideoFrame:
    """An RGB image in a film's pixel format."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    untagged = "ITU709" if look.size[0] > 576 else "ITU601"  # what players take it for
    space = {None: untagged, 0: None, 1: "ITU709", 5: "ITU601", 9: "BT2020"}[look.matrix]
    if look.pix_fmt in ("rgb24", "rgba", "pal8", "gbrp", "bgra") or space is None:
        return picture.reformat(format=look.pix_fmt)
    return picture.reformat(
        format=look.pix_fmt,
        dst_colorspace=space,
        dst_color_range="JPEG" if look.is_full_range else "MPEG",
    )


def film(
    path: Path,
    times: Sequence[int],
    flash: int | None = None,
    *,
    look: Look = Look(),
    noises: Sequence[Noise] = (),
    time_base: Fraction = MILLISECOND,
    options: dict[str, str] | None = None,
    container_format: str | None = None,
    is_sound_first: bool = False,
) -> Path:
    """Write a film.

    Args:
        path: to write.
        times: of the frames, in time bases.
        flash: number of the frame that flashes.
        look: of the pictures.
        noises: one for each track of sound.
        time_base: of the times, s.
        options: of the container.
        container_format: libav's name where the path's ending does not say it.
        is_sound_first: the sound's tracks come before the picture's.
    """
    with av.open(str(path), "w", format=container_format, options=options or {}) as container:
        pictures = None if is_sound_first else add_pictures(container, look, time_base)
        tracks = []
        for noise in noises:
            layout = "mono" if noise.channels == 1 else "stereo"
            tracks.append(
                container.add_stream(
                    noise.codec, rate=RATE, layout=layout, options=dict(noise.options)
                )
            )
            if noise.is_default:
                tracks[-1].disposition = av.stream.Disposition.default
        if pictures is None:
            pictures = add_pictures(container, look, time_base)
        for number, time in enumerate(times):
            picture = to_picture(draw(number, number == flash, look.size), look)
            picture.pts, picture.time_base = time, time_base
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        for track, noise in zip(tracks, noises, strict=True):
            write_noise(container, track, noise)
    return path


@dataclass(frozen=True)
class Seen:
    """What is in a finished video, read without the library under test.

    Attributes:
        times: of every frame, s.
        numbers: in every frame's band.
        flash_s: time of the first flash; None without one.
        beep_s: when the beep begins; None where nothing is heard.
        sound_s: seconds of sound.
        hertz: pitch of the beep.
        size: (H, W) of the picture.
        colours: (4, 3) of the first frame's quarters.
    """

    times: list[float]
    numbers: list[int]
    flash_s: float | None
    beep_s: float | None
    sound_s: float
    hertz: float
    size: tuple[int, int]
    colours: np.ndarray


def look_at(path: Path) -> Seen:
    """Read a finished video."""
    times, numbers, flashes, colours, size = [], [], [], None, (0, 0)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            times.append(float(frame.time))
            numbers.append(read_number(image))
            if is_flash(image):
                flashes.append(times[-1])
            if colours is None:
                colours, size = read_colours(image), image.shape[:2]
    beep_s, sound_s, hertz = listen(path)
    flash_s = flashes[0] if flashes else None
    return Seen(times, numbers, flash_s, beep_s, sound_s, hertz, size, colours)


def listen(path: Path) -> tuple[float | None, float, float]:
    """When a video's beep begins (None: nothing heard), how long its sound is, the beep's pitch."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None, 0.0, 0.0
        track = np.zeros(0)
        for frame in container.decode(audio=0):
            start = round(float(frame.time) * frame.sample_rate)
            samples = frame.to_ndarray().astype(float)
            samples = (
                samples.reshape(-1, len(frame.layout.channels))[:, 0]
                if (not frame.format.is_planar)
                else samples[0]
            )
            whole = np.zeros(max(len(track), start + len(samples)))
            whole[: len(track)] = track
            whole[max(start, 0) : start + len(samples)] = samples[max(-start, 0) :]
            track, rate = whole, frame.sample_rate
    loud = np.abs(track) > 0.3 * np.abs(track).max()
    if not loud.any():
        return None, len(track) / rate, 0.0
    first = int(np.argmax(loud))
    beep = track[first : first + round(0.8 * BEEP_S * rate)]
    spectrum = np.abs(np.fft.rfft(beep))
    return first / rate, len(track) / rate, float(np.argmax(spectrum) * rate / len(beep))
