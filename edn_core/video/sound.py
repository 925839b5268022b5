"""Sound for a video: samples encoded, or another video's track copied or encoded anew."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np

from edn_core.logs import LOGGER
from edn_core.video.opening import open_container, read_packets, sound_stream
from edn_core.video.probing import probe

Packets = Iterator["av.Packet"]
Blocks = Iterator[tuple[np.ndarray, int]]  # samples, position of the first

# What players of such files understand; any other sound is encoded anew.
_COPIED_IN_MP4 = ("aac", "mp3", "ac3", "eac3", "alac")
COPIED_SOUND = {"mp4": _COPIED_IN_MP4, "mov": _COPIED_IN_MP4, "webm": ("opus",)}
SOUND_BIT_RATE = 192_000
AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
RUN_UP_S = 1.0  # decoded before the part that is wanted: decoders swing in
MAX_DRIFT_S = 0.02  # between a sound's clock and its samples, before silence is put in


@dataclass(frozen=True)
class Sound:
    """Sound to be encoded."""

    samples: np.ndarray  # (n, channels) int16
    rate: int  # samples per second


@dataclass(frozen=True)
class SoundTrack:
    """The sound of another video, from ``start_s`` after its first frame on."""

    path: Path
    start_s: float = 0.0


def encoded_sound(container: "av.container.OutputContainer", sound: Sound) -> Packets:
    """Packets of samples, in AAC or Opus."""
    layout = "mono" if sound.samples.shape[1] == 1 else "stereo"
    stream = _add_track(container, layout, sound.rate)
    step = sound.rate // 4
    blocks = ((sound.samples[i : i + step], i) for i in range(0, len(sound.samples), step))
    return _encoded(stream, blocks, layout, sound.rate)


def _add_track(
    container: "av.container.OutputContainer", layout: str, rate: int
) -> "av.audio.stream.AudioStream":
    """A track of AAC, or in webm of Opus, which knows no 44.1 kHz: PyAV resamples for it."""
    codec, rate = ("libopus", 48_000) if container.format.name == "webm" else ("aac", rate)
    stream = container.add_stream(codec, rate=rate, layout=layout)
    stream.bit_rate = SOUND_BIT_RATE
    return stream


def _encoded(
    stream: "av.audio.stream.AudioStream",
    blocks: Iterable[tuple[np.ndarray, int]],
    layout: str,
    rate: int,
) -> Packets:
    for samples, position in blocks:
        packed = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def borrowed_sound(
    stack: ExitStack, container: "av.container.OutputContainer", track: SoundTrack
) -> Packets:
    """Packets of another video's sound, moved so that ``start_s`` becomes 0."""
    source = stack.enter_context(open_container(track.path))
    stream, info = sound_stream(source), probe(track.path)
    for note in info.sound_notes:
        LOGGER.warning(f"{track.path}: {note}")
    if stream is None:
        return iter(())
    context = stream.codec_context
    zero = info.first_s + track.start_s
    if context.name in COPIED_SOUND[container.format.name]:
        output = container.add_stream_from_template(stream)
        return _copied(read_packets(source, stream), output, zero, track.path)
    layout = "mono" if context.channels == 1 else "stereo"
    rate = context.sample_rate if context.sample_rate in AAC_RATES else 48_000
    output = _add_track(container, layout, rate)
    wanted = (
        packet
        for packet in read_packets(source, stream)
        if packet.pts is None or packet.pts * packet.time_base >= zero - RUN_UP_S
    )
    frames = _undamaged(wanted, context, track.path)
    blocks = _gapless(_resampled(frames, layout, rate, zero), rate)
    return _encoded(output, blocks, layout, rate)


def _undamaged(
    packets: Iterable["av.Packet"], decoder: "av.AudioCodecContext", path: Path
) -> Iterator["av.AudioFrame"]:
    """The frames that can be decoded; where others were, there will be silence."""
    n_lost = 0
    for packet in chain(_until_broken(packets, path), [None]):
        try:
            frames = decoder.decode(packet)
        except av.error.FFmpegError:
            n_lost += 1
            continue
        yield from frames
    if n_lost:
        LOGGER.warning(f"{path}: {n_lost} pieces of its sound are damaged; they are silent")


def _until_broken(packets: Iterable["av.Packet"], path: Path) -> Iterator["av.Packet"]:
    try:
        yield from packets
    except av.error.FFmpegError as error:
        LOGGER.warning(f"{path}: its sound breaks off ({error.strerror}); the rest is silent")


def _copied(
    packets: Iterable["av.Packet"], output: "av.audio.stream.AudioStream", zero: float, path: Path
) -> Packets:
    last = None
    for packet in _until_broken(packets, path):
        if packet.pts is None:
            continue
        base = packet.time_base
        if float((packet.pts + (packet.duration or 0)) * base) <= zero:
            continue
        packet.pts -= round(zero / base)
        packet.dts = packet.pts
        if last is not None and packet.pts <= last:  # a clock that stands still
            continue
        last = packet.pts
        packet.stream = output
        yield packet


def _resampled(frames: Iterable["av.AudioFrame"], layout: str, rate: int, zero: float) -> Blocks:
    """Blocks of samples, each with its position by the sound's own clock."""
    resampler, position, kind = None, 0, None
    for frame in chain(frames, [None]):  # None flushes the resampler
        due = position
        if frame is not None and frame.time is not None:
            due = round((float(frame.time) - zero) * rate)
        found = kind if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != kind or abs(due - position) > MAX_DRIFT_S * rate:
            if resampler is not None:
                yield from ((rest, position) for rest in _converted(resampler, None, layout))
            resampler = av.AudioResampler(format="s16", layout=layout, rate=rate)
            position, kind = due, found
        for samples in _converted(resampler, frame, layout):
            yield samples, position
            position += len(samples)


def _converted(
    resampler: "av.AudioResampler", frame: "av.AudioFrame | None", layout: str
) -> list[np.ndarray]:
    channels = 1 if layout == "mono" else 2
    return [piece.to_ndarray().reshape(-1, channels) for piece in resampler.resample(frame)]


def _gapless(blocks: Blocks, rate: int) -> Blocks:
    """The same from position 0 on, silence where nothing was; of what overlaps, the earlier."""
    end = None
    for samples, position in blocks:
        end = max(position, 0) if end is None else end
        while position > end:  # by the second: a gap may be long
            n_silent = min(rate, position - end)
            yield np.zeros((n_silent, samples.shape[1]), np.int16), end
            end += n_silent
        rest = samples[end - position :]
        if len(rest):
            yield rest, end
            end += len(rest)
