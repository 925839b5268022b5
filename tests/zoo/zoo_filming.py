"""Films for the zoo, made packet by packet, and instruments that read them.

Every film shows four coloured quarters and, in a band across the middle, its frame's number as
eight black or white bits. One frame flashes white while a beep begins in the sound: what the two
are apart in a finished video is how far picture and sound have come apart.
"""

from collections.abc import Iterable, Sequence
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
MILLISECOND, IN_FRAMES = Fraction(1, 1000), Fraction(1, 25)  # time bases
EVEN = range(0, 2000, 40)  # 50 frames at 25 fps, in ms


def draw(number: int, is_flash: bool = False, size: tuple[int, int] = SIZE) -> np.ndarray:
    """One frame: red, green above blue, grey; its number in the band; all white for a flash."""
    height, width = size
    quarters = np.array([WHITE] * 4 if is_flash else COLOURS, np.uint8).reshape(2, 2, 3)
    rows, columns = np.arange(height) >= height // 2, np.arange(width) >= width // 2
    image = quarters[rows.astype(int)[:, None], columns.astype(int)]
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


@dataclass(frozen=True)
class Noise:
    """Sound of a film: silence, but for a beep at ``beep_s`` on the film's clock."""

    beep_s: float
    stop_s: float
    start_s: float = 0.0
    codec: str = "aac"
    channels: int = 1
    hertz: int = 1000
    is_default: bool = False
    options: tuple[tuple[str, str], ...] = ()

    @property
    def layout(self) -> str:
        """As libav calls it."""
        return "mono" if self.channels == 1 else "stereo"


BEEP = Noise(1.2, 2.0)  # with frame 30


def write_noise(container, stream, noise: Noise) -> None:
    """Encode and mux a film's sound."""
    time = np.arange(round(noise.start_s * RATE), round(noise.stop_s * RATE)) / RATE
    is_on = (time >= noise.beep_s) & (time < noise.beep_s + BEEP_S)
    wave = np.where(is_on, 0.5 * np.sin(2 * np.pi * noise.hertz * (time - noise.beep_s)), 0)
    sample = stream.codec_context.format
    resampler = av.AudioResampler(format=sample, layout=noise.layout, rate=RATE)
    for start in range(0, len(wave), 960):
        piece = np.repeat(wave[None, start : start + 960], noise.channels, axis=0)
        frame = av.AudioFrame.from_ndarray(piece.astype(np.float32), "fltp", noise.layout)
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = start + round(noise.start_s * RATE)
        for converted in resampler.resample(frame):
            container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


@dataclass(frozen=True)
class Look:
    """How a film's pictures are encoded; ``matrix`` is libav's number, None leaves it untagged."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    options: tuple[tuple[str, str], ...] = (("crf", "8"), ("x264-params", "keyint=10:bframes=0"))
    aspect: Fraction | None = None
    matrix: int | None = 5
    is_full_range: bool = False
    rate: Fraction = Fraction(25)


def add_pictures(container, look: Look, time_base: Fraction | None = MILLISECOND):
    """Add a stream of pictures to a film."""
    stream = container.add_stream(look.codec, rate=look.rate, options=dict(look.options))
    stream.height, stream.width = look.size
    stream.pix_fmt = look.pix_fmt
    if time_base is not None:
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
    if look.pix_fmt in ("rgb24", "gbrp") or space is None:
        return picture.reformat(format=look.pix_fmt)
    color_range = "JPEG" if look.is_full_range else "MPEG"
    return picture.reformat(format=look.pix_fmt, dst_colorspace=space, dst_color_range=color_range)


def write_pictures(
    container,
    stream,
    pictures: Iterable[av.VideoFrame],
    times: Sequence[int] = range(1000),
    time_base: Fraction = IN_FRAMES,
) -> None:
    """Encode and mux a film's pictures."""
    for picture, time in zip(pictures, times, strict=False):
        picture.pts, picture.time_base = time, time_base
        container.mux(stream.encode(picture))
    container.mux(stream.encode(None))


def film(
    path: Path,
    times: Sequence[int] = EVEN,
    flash: int | None = 30,
    *,
    look: Look = Look(),
    noises: Sequence[Noise] = (),
    time_base: Fraction = MILLISECOND,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a film: the times of its frames in time bases, which of them flashes, its sounds."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = add_pictures(container, look, time_base)
        tracks = []
        for noise in noises:
            about = {"layout": noise.layout, "options": dict(noise.options)}
            tracks.append(container.add_stream(noise.codec, rate=RATE, **about))
            if noise.is_default:
                tracks[-1].disposition = av.stream.Disposition.default
        images = (draw(number, number == flash, look.size) for number in range(len(times)))
        pictures = (to_picture(image, look) for image in images)
        write_pictures(container, stream, pictures, times, time_base)
        for track, noise in zip(tracks, noises, strict=True):
            write_noise(container, track, noise)
    return path


@dataclass(frozen=True)
class Seen:
    """What is in a finished video, read without the library under test.

    ``flash_s`` and ``beep_s`` are None where there is none; ``colours`` (4, 3) of frame 0.
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
    with av.open(str(path)) as container:
        frames = [
            (float(frame.time), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]
    times, images = zip(*frames, strict=True)
    colours = [read_colours(image) for image in images]
    flashes = [time for time, one in zip(times, colours, strict=True) if one.min() > 190]
    flash_s, numbers = next(iter(flashes), None), [read_number(image) for image in images]
    return Seen(list(times), numbers, flash_s, *listen(path), images[0].shape[:2], colours[0])


def listen(path: Path) -> tuple[float | None, float, float]:
    """When a video's beep begins (None: nothing heard), how long its sound is, the beep's pitch."""
    track, rate = np.zeros(0), RATE
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0) if container.streams.audio else ():
            rate = frame.sample_rate
            start, samples = round(float(frame.time) * rate), frame.to_ndarray()[0].astype(float)
            samples = samples[:: 1 if frame.format.is_planar else len(frame.layout.channels)]
            whole = np.zeros(max(len(track), start + len(samples)))
            whole[: len(track)] = track
            whole[max(start, 0) : start + len(samples)] = samples[max(-start, 0) :]
            track = whole
    loud = np.abs(track) > 0.3 * np.abs(track).max(initial=0)
    if not loud.any():
        return None, len(track) / rate, 0.0
    first = int(np.argmax(loud))
    beep = track[first : first + round(0.8 * BEEP_S * rate)]
    spectrum = np.abs(np.fft.rfft(beep))
    return first / rate, len(track) / rate, float(np.argmax(spectrum) * rate / len(beep))
