"""A video file opened, the streams in it that are meant, and what is left out."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import av.error
import av.logging

from edn_core.errors import Refused
from edn_core.video.seal import check_video

MAX_SIDE = 16_384
"""Px; no camera films wider, and no H.264 or HEVC may be."""
MAX_PIXELS = 100_000_000
"""Px of a picture as shown: three times 8K, 300 MB as RGB. A header of a few bytes can promise
more than any memory holds, so larger pictures are refused before one is decoded."""
MIN_SIDE = 8
"""Px; in less there is nobody to be seen."""
# Formats that know no XMP pass over that option. What is left out are the lists and scripts that
# FFmpeg takes for videos too (concat, hls, dash, sdp ...): a file of that kind reads other files.
_READING = {
    "export_xmp": "1",
    "max_pixels": str(MAX_PIXELS),
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,"
    "hevc,asf,flv,live_flv,ogg,mxf,dv,nut,ivf,obu,wtv,rm,mjpeg,gif,apng,yuv4mpegpipe,mp3,wav,aac,"
    "flac",
}


def open_container(path: str | Path) -> "av.container.InputContainer":
    """Open a video for reading.

    Raises Refused: no such file, an empty one, not a video, or one of the demo that is not any more
    what was written.
    """
    path = Path(path)
    if not path.is_file():
        raise Refused(path, "no such video", "", "put the file there")
    if path.stat().st_size == 0:
        raise Refused(path, "the file is empty (0 bytes)", "", "copy the video again")
    # A decoder makes do with what is left of a damaged video: other pictures than were written.
    if path.parts[-3:-1] == ("results", "demo"):  # made by a job
        check_video(path)
    # Opening decodes a frame where the header leaves something open: the limit holds there too.
    try:
        return av.open(str(path), metadata_errors="ignore", options=_READING)
    except av.error.FFmpegError as error:
        found = f"not a readable video ({error.strerror})"
        expected = "a complete mp4, mov, mkv, webm or avi file"
        raise Refused(path, found, expected, "copy or convert it again") from error


def read_packets(
    container: "av.container.InputContainer", stream: "av.stream.Stream"
) -> Iterator["av.Packet"]:
    """All packets of a stream that hold something; none for flushing."""
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except IndexError:
        # PyAV 18.1 stumbles after the last packet where a stream came in meanwhile (MPEG-TS).
        return


def picture_stream(
    container: "av.container.InputContainer", path: str | Path
) -> "av.video.stream.VideoStream":
    """The stream of moving pictures, ready to be decoded.

    Of several, the largest; of those the one marked as default (many programs mark the first one,
    whatever it is). Raises Refused: there is none, it is of an unknown kind, or its pictures are
    too large or small.
    """
    pictures = moving_pictures(container)
    if not pictures:
        found = "sound only" if container.streams.audio else "no streams"
        raise Refused(path, f"no picture in it (found {found})", "a video")
    known = [stream for stream in pictures if stream.codec_context is not None]
    if not known:
        found = "its picture is encoded in a way that is not known here"
        raise Refused(path, found, "", "convert it, to H.264 in an mp4 for one")

    def worth(stream: "av.video.stream.VideoStream") -> tuple[int, bool]:
        context = stream.codec_context
        is_default = bool(stream.disposition & av.stream.Disposition.default)
        return context.width * context.height, is_default

    stream = max(known, key=worth)
    context = stream.codec_context
    if context.width and context.height:
        ratio = stream.sample_aspect_ratio or 1
        check_size(max(1, round(context.width * float(ratio))), context.height, path)
        check_size(context.width, context.height, path)
    context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_type = "AUTO"
    return stream


def moving_pictures(container: "av.container.InputContainer") -> list["av.VideoStream"]:
    """The streams of moving pictures; cover pictures and thumbnails are none."""
    kinds = av.stream.Disposition
    still = kinds.attached_pic | kinds.timed_thumbnails | kinds.still_image
    return [stream for stream in container.streams.video if not stream.disposition & still]


def check_moving(path: str | Path) -> None:
    """Refuse (ValueError, OSError) a file that is no video, by its first two pictures."""
    with open_container(path) as container:
        packets = read_packets(container, picture_stream(container, path))
        if len(list(islice(packets, 2))) < 2:
            raise Refused(path, "holds a single picture", "a video")


def sound_stream(container: "av.container.InputContainer") -> "av.audio.stream.AudioStream | None":
    """The sound to take; None where there is none that can be decoded.

    Of several, the one that libav calls best: marked as default, then of most channels.
    """
    sounds = [(one, one.codec_context) for one in container.streams.audio]
    known = [one for one, about in sounds if about and about.sample_rate and about.channels]
    best = container.streams.best("audio")
    return best if best in known else next(iter(known), None)


def sounds_left_out(container: "av.container.InputContainer", path: str | Path) -> tuple[str, ...]:
    """Which of its sounds are not taken, in a sentence; nothing where all are."""
    sounds, taken = container.streams.audio, sound_stream(container)
    if taken is not None:
        said = f"number {sounds.index(taken) + 1} ({taken.codec.name}) is taken"
        return (f"of its {len(sounds)} sounds {said}",) if len(sounds) > 1 else ()
    if not sounds:
        return ()
    # A codec that libav does not know it names in its log or its summary only.
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    with av.logging.Capture() as said, open_container(path) as again:
        text = f"{said} {again.dumps_format()}"
    av.logging.set_level(level)
    found = re.search(r"AVCodecID (\w+)|Audio: (?:none \()?(\w+)", text)
    is_unknown = f"its sound ({found and (found[1] or found[2])}) is of a kind that no decoder here"
    return (f"{is_unknown} knows: films of it are silent; convert its sound to AAC to hear it",)


def check_size(width: int, height: int, path: str | Path) -> None:
    """Refuse pictures that no memory can be taken for, or in which nobody can be seen."""
    found = f"its picture is {width}x{height} px"
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        most = f"at most {MAX_SIDE} px a side and {MAX_PIXELS // 1_000_000} million in all"
        raise Refused(path, found, most, "scale the video down")
    if min(width, height) < MIN_SIDE:
        raise Refused(path, found, f"at least {MIN_SIDE} px a side")
