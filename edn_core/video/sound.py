"""Sound for an mp4: samples encoded, or another video's track copied or encoded anew."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import av.error
import numpy as np

from edn_core.video.opening import open_container
from edn_core.video.probing import probe

Item = TypeVar("Item")
Packets = Iterator[tuple[float, "av.Packet"]]

# What players of mp4 files understand; any other sound is encoded anew as AAC.
COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
SOUND_BIT_RATE = 192_000


@dataclass(frozen=True)
class Sound:
    """Sound to be encoded.

    Attributes:
        samples: (n, channels) int16.
        rate: samples per second.
    """

    samples: np.ndarray
    rate: int


@dataclass(frozen=True)
class SoundTrack:
    """The sound of another video, from ``start_s`` after its first frame on."""

    path: Path
    start_s: float = 0.0


def encoded_sound(container: "av.container.OutputContainer", sound: Sound) -> Packets:
    """AAC packets of samples, each with its time in seconds."""
    channels = sound.samples.shape[1]
    layout = "mono" if channels == 1 else "stereo"
    stream = container.add_stream("aac", rate=sound.rate, layout=layout)
    stream.bit_rate = SOUND_BIT_RATE
    step = sound.rate // 4
    blocks = ((sound.samples[i : i + step], i) for i in range(0, len(sound.samples), step))
    return _aac(stream, blocks, layout, sound.rate)


def _aac(
    stream: "av.audio.stream.AudioStream",
    blocks: Iterable[tuple[np.ndarray, int]],
    layout: str,
    rate: int,
) -> Packets:
    for samples, position in blocks:
        packed = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        yield from _timed(stream.encode(frame))
    yield from _timed(stream.encode(None))


def _timed(packets: list["av.Packet"]) -> Packets:
    for packet in packets:
        yield float((packet.pts or 0) * packet.time_base), packet


def borrowed_sound(
    stack: ExitStack, container: "av.container.OutputContainer", track: SoundTrack
) -> Packets:
    """Packets of another video's sound, moved so that ``start_s`` becomes 0."""
    source = stack.enter_context(open_container(track.path))
    if not source.streams.audio:
        return iter(())
    stream = source.streams.best("audio") or source.streams.audio[0]
    zero = probe(track.path).first_s + track.start_s
    if stream.codec_context.name in COPIED_SOUND:
        packets = _undamaged(source.demux(stream), track.path)
        return _copied(packets, container.add_stream_from_template(stream), zero)
    layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    rate = min(stream.codec_context.sample_rate, 48_000)
    output = container.add_stream("aac", rate=rate, layout=layout)
    output.bit_rate = SOUND_BIT_RATE
    frames = _undamaged(source.decode(stream), track.path)
    return _aac(output, _resampled(frames, layout, rate, zero), layout, rate)


def _undamaged(items: Iterable[Item], path: Path) -> Iterator[Item]:
    try:
        yield from items
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path}: its sound is damaged ({error.strerror}); copy or convert the video again"
        ) from error


def _copied(
    packets: Iterable["av.Packet"], output: "av.audio.stream.AudioStream", zero: float
) -> Packets:
    for packet in packets:
        if packet.size == 0 or packet.pts is None:
            continue
        base = packet.time_base
        time = float(packet.pts * base) - zero
        if time + float((packet.duration or 0) * base) <= 0:
            continue
        shift = round(zero / base)
        packet.pts -= shift
        packet.dts = packet.pts
        packet.stream = output
        yield time, packet


def _resampled(
    frames: Iterable["av.AudioFrame"], layout: str, rate: int, zero: float
) -> Iterator[tuple[np.ndarray, int]]:
    channels = 1 if layout == "mono" else 2
    resampler = av.AudioResampler(format="s16", layout=layout, rate=rate)
    position = None
    for frame in _chain_frames(frames):
        if frame is not None and position is None:
            position = round((float(frame.time or 0.0) - zero) * rate)
        for converted in resampler.resample(frame):
            samples = converted.to_ndarray().reshape(-1, channels)
            start = position or 0
            position = start + len(samples)
            if position > 0:
                yield samples[max(0, -start) :], max(start, 0)


def _chain_frames(
    frames: Iterable["av.AudioFrame"],
) -> Iterator["av.AudioFrame | None"]:
    yield from frames
    yield None  # flushes the resampler
