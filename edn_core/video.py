"""Video files in, frames out, and back: any container PyAV reads, H.264 with sound written.

Frames come out on a constant-frame-rate timeline (the nearest frame for a variable rate), with
rotation metadata and pixel aspect applied.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import av.error
import cv2
import numpy as np

from edn_core.artefact import write_beside
from edn_core.integrity import seal_mp4

Item = TypeVar("Item")

# What players of mp4 files understand; any other sound is encoded anew as AAC.
COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
# x264's constant rate factor 17 is visually lossless on small canvases. Without mbtree=0 the same
# frames give other bytes each time (seen with libx264 in PyAV 18.1: its fast path for mbtree).
X264 = {"crf": "17", "x264-params": "mbtree=0"}
SOUND_BIT_RATE = 192_000
# By this id an mp4 box of no other kind is known to hold XMP (Adobe XMP specification, part 3).
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass(frozen=True)
class Timeline:
    """Constant-rate times at which frames are wanted.

    Attributes:
        n_frames: how many.
        fps: frames per second, exact.
        start_s: time of frame 0, in seconds after the video's first frame.
    """

    n_frames: int
    fps: Fraction
    start_s: float = 0.0


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds.

    Attributes:
        width: as displayed (rotation and pixel aspect applied), px.
        height: likewise, px.
        fps: the stream's average rate, exact.
        n_frames: frames on the constant-rate timeline.
        first_s: presentation time of the first frame in the file's own clock, s.
        has_sound: whether there is an audio stream.
    """

    width: int
    height: int
    fps: Fraction
    n_frames: int
    first_s: float
    has_sound: bool

    def timeline(self, start_s: float = 0.0, stop_s: float | None = None) -> Timeline:
        """The timeline of the whole video, or of a part of it given in seconds.

        It begins with a whole frame, the one nearest to ``start_s``: every time half-way between
        two frames would be nearest to one or the other as the floats fall.
        """
        fps = float(self.fps)
        duration = self.n_frames / fps
        stop = duration if stop_s is None else min(stop_s, duration)
        first = round(start_s * fps)
        n_frames = round(stop * fps) - first
        if n_frames < 1:
            raise ValueError(
                f"nothing left between {start_s} s and {stop} s of a video of {duration:.2f} s; "
                "correct start_s and stop_s"
            )
        return Timeline(n_frames=n_frames, fps=self.fps, start_s=first / fps)


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


@dataclass(frozen=True)
class Metadata:
    """What a video file says about itself.

    Attributes:
        texts: by key; any key is kept.
        xmp: an XMP packet; none where empty.
    """

    texts: Mapping[str, str]
    xmp: str = ""


# Formats that know no XMP pass over the option. What is left out are the lists and scripts that
# FFmpeg takes for videos too (concat, hls, dash, sdp ...): a file of that kind reads other files.
_READING = {
    "export_xmp": "1",
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,"
    "hevc,asf,flv,live_flv,ogg,mxf,dv,nut,ivf,obu,wtv,rm,mjpeg,mp3,wav,aac,flac",
}


def _open(path: str | Path) -> "av.container.InputContainer":
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such video; put the file there")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes); copy the video again")
    try:
        return av.open(str(path), metadata_errors="ignore", options=_READING)
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path}: not a readable video ({error.strerror}); expected a complete mp4, mov, mkv, "
            "webm or avi file; copy or convert it again"
        ) from error


def _picture_stream(
    container: "av.container.InputContainer", path: str | Path
) -> "av.video.stream.VideoStream":
    pictures = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not pictures:
        found = "sound only" if container.streams.audio else "no streams"
        raise ValueError(f"{path}: no picture in it (found {found}); expected a video")
    return pictures[0]


def probe(path: str | Path) -> VideoInfo:
    """Read what a video holds, from its packets, decoding one frame only.

    Args:
        path: the video.

    Returns:
        Size, rate and number of frames as they will be decoded.

    Raises:
        ValueError: not a video, no picture in it, or cut off; one line that says which.
    """
    with _open(path) as container:
        stream = _picture_stream(container, path)
        time_base, promised = stream.time_base, stream.frames
        try:
            stamps = {
                packet.pts if packet.pts is not None else packet.dts
                for packet in container.demux(stream)
                if packet.size and not packet.is_discard
            }
            times = sorted(stamp for stamp in stamps if stamp is not None)
        except av.error.FFmpegError as error:
            raise ValueError(
                f"{path}: damaged or cut off ({error.strerror}); copy the video again"
            ) from error
        if not times or time_base is None:
            raise ValueError(f"{path}: no frames in it; expected a video")
        if promised and len(times) < 0.99 * promised - 1:
            raise ValueError(
                f"{path}: cut off: its header names {promised} frames, the file holds "
                f"{len(times)}; copy the video again"
            )
        fps = stream.average_rate or stream.guessed_rate
        if not fps or not 0.5 <= fps <= 1000:
            span = (times[-1] - times[0]) * time_base
            fps = Fraction(len(times) - 1) / span if span else Fraction(25)
        fps = Fraction(fps).limit_denominator(100_000)
        span = (times[-1] - times[0]) * time_base
        n_frames = max(1, round((span + 1 / fps) * fps))
        has_sound = bool(container.streams.audio)
    height, width = next(_decoded(path))[1].shape[:2]
    return VideoInfo(width, height, fps, n_frames, float(times[0] * time_base), has_sound)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Read what a video file says about itself.

    Args:
        path: the video.

    Returns:
        Texts by key in lower case (Matroska writes capitals); an XMP packet under ``xmp``.

    Raises:
        ValueError: not a readable video.
    """
    with _open(path) as container:
        return {key.lower(): value for key, value in container.metadata.items()}


def _decoded(path: str | Path) -> Iterator[tuple[float, np.ndarray]]:
    """Every decodable frame as (seconds after the first frame, (H, W, 3) uint8 RGB as shown)."""
    with _open(path) as container:
        stream = _picture_stream(container, path)
        stream.thread_type = "AUTO"
        ratio = stream.sample_aspect_ratio
        first = None
        count = 0
        try:
            for frame in container.decode(stream):
                time = (
                    frame.time
                    if frame.time is not None
                    else float(count / (stream.average_rate or 25))
                )
                first = time if first is None else first
                image = frame.to_ndarray(format="rgb24")
                if ratio and ratio != 1:
                    width = max(1, round(image.shape[1] * float(ratio)))
                    image = cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_AREA)
                turns = round(frame.rotation / 90)  # the display matrix turns counter-clockwise
                count += 1
                yield time - first, np.ascontiguousarray(np.rot90(image, turns)) if turns else image
        except av.error.FFmpegError as error:
            raise ValueError(
                f"{path}: cannot be decoded after frame {count} ({error.strerror}); "
                "convert or copy the video again"
            ) from error
        if count == 0:
            raise ValueError(f"{path}: none of its frames can be decoded; convert or copy it again")


def decode(path: str | Path, timeline: Timeline) -> Iterator[np.ndarray]:
    """Decode a video at the times of a timeline: for each the frame nearest in time.

    Args:
        path: the video.
        timeline: which times.

    Yields:
        (H, W, 3) uint8 RGB, rotation applied, ``timeline.n_frames`` of them.

    Raises:
        ValueError: the video is damaged, or ends more than two frames before the timeline.
    """
    frames = _decoded(path)
    time, image = next(frames)
    later = next(frames, None)
    for i in range(timeline.n_frames):
        wanted = timeline.start_s + i / float(timeline.fps)
        while later is not None and abs(later[0] - wanted) <= abs(time - wanted):
            time, image = later
            later = next(frames, None)
        if later is None and wanted - time > 2.5 / float(timeline.fps):
            raise ValueError(
                f"{path}: ends at {time:.2f} s, but frame {i} lies at {wanted:.2f} s; "
                "the video is cut off: copy it again"
            )
        yield image


def encode(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    sound: Sound | SoundTrack | None = None,
    metadata: Metadata | None = None,
) -> None:
    """Write an mp4 (H.264, yuv420p, BT.709) with sound, atomically.

    The sound of another video is copied where mp4 allows its codec, else encoded as AAC; it ends
    with the picture.

    Args:
        path: the mp4 to write.
        frames: (H, W, 3) uint8 RGB, all of one size; H and W even.
        fps: frames per second.
        sound: samples, another video's track, or None for a silent video.
        metadata: what the file shall say about itself.

    Raises:
        ValueError: no frames, or an odd or changing size.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: no frames to write")
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"{path}: frames are {width}x{height}, expected an even width and height")
    # Without the flag, mp4 keeps only keys that iTunes knows; with it, those lie elsewhere.
    flags = "+faststart+use_metadata_tags" if metadata else "+faststart"
    with ExitStack() as stack:
        partial = stack.enter_context(write_beside(path))
        stack.callback(seal_mp4, partial)  # the last to be called
        if metadata is not None and metadata.xmp:
            # When the container is closed: libav writes XMP into mov files only.
            stack.callback(_append_xmp, partial, metadata.xmp)
        container = stack.enter_context(
            av.open(str(partial), "w", format="mp4", options={"movflags": flags})
        )
        container.metadata.update(metadata.texts if metadata else {})
        stream = container.add_stream("libx264", rate=fps, options=X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = 1 / fps
        # Unmarked, players guess the matrix from the size and colours shift.
        stream.codec_context.colorspace = stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = stream.codec_context.color_range = 1
        track: Packets = iter(())
        if isinstance(sound, Sound):
            track = _encoded_sound(container, sound)
        elif sound is not None:
            track = _borrowed_sound(stack, container, sound)
        waiting = next(track, None)
        n_frames = 0
        for image in _chain(first, frames):
            if image.shape != first.shape:
                raise ValueError(
                    f"{path}: frame {n_frames} is {image.shape[1]}x{image.shape[0]}, "
                    f"expected {width}x{height}"
                )
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            picture = picture.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            picture.pts, picture.time_base = n_frames, 1 / fps
            n_frames += 1
            container.mux(stream.encode(picture))
            while waiting is not None and waiting[0] <= n_frames / fps:
                container.mux(waiting[1])
                waiting = next(track, None)
        container.mux(stream.encode(None))
        while waiting is not None and waiting[0] < n_frames / fps:
            container.mux(waiting[1])
            waiting = next(track, None)


def _append_xmp(path: Path, packet: str) -> None:
    content = XMP_BOX + packet.encode()
    with open(path, "ab") as stream:
        stream.write((8 + len(content)).to_bytes(4, "big") + b"uuid" + content)


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


Packets = Iterator[tuple[float, "av.Packet"]]


def _encoded_sound(container: "av.container.OutputContainer", sound: Sound) -> Packets:
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


def _borrowed_sound(
    stack: ExitStack, container: "av.container.OutputContainer", track: SoundTrack
) -> Packets:
    """Packets of another video's sound, moved so that ``start_s`` becomes 0."""
    source = stack.enter_context(_open(track.path))
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
