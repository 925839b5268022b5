"""What a video file holds, from its packets, and when frames are wanted of it."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av.error
import numpy as np

from edn_core.errors import Refused
from edn_core.timeline import Timeline
from edn_core.video.decoding import decode_stream, is_timed_by_decoding
from edn_core.video.opening import (
    check_size,
    moving_pictures,
    open_container,
    picture_stream,
    read_packets,
    sounds_left_out,
)
from edn_core.video.picture import display_matrix, shown_size

MAX_GAP_S = 10.0
"""Seconds between a picture and the next from which on a clock is taken to have jumped."""
MAX_BACK_S = 0.5
"""Seconds that a clock may go back from one packet to the next."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds."""

    width: int  # as displayed (rotation and pixel aspect applied), px
    height: int  # likewise, px
    fps: Fraction  # the stream's average rate, exact
    n_frames: int  # frames on the constant-rate timeline
    first_s: float  # presentation time of the first frame in the file's own clock, s
    has_sound: bool  # whether there is an audio stream
    late_s: float = 0.0  # how much of its beginning cannot be decoded, s
    notes: tuple[str, ...] = ()  # what of its pictures is left out, a sentence each
    sound_notes: tuple[str, ...] = ()  # what of its sounds is

    def timeline(self, start_s: float = 0.0, stop_s: float | None = None) -> Timeline:
        """The timeline of the whole video, or of a part of it given in seconds, as players count.

        It begins with a whole frame, the one nearest to ``start_s``: every time half-way between
        two frames would be nearest to one or the other as the floats fall.
        """
        fps = float(self.fps)
        duration = self.n_frames / fps
        stop = duration if stop_s is None else min(stop_s - self.late_s, duration)
        first = round(max(0.0, start_s - self.late_s) * fps)
        n_frames = round(stop * fps) - first
        if n_frames < 1:
            raise ValueError(
                f"nothing left between {start_s} s and {stop + self.late_s} s of a video of "
                f"{duration + self.late_s:.2f} s; correct start_s and stop_s"
            )
        return Timeline(n_frames=n_frames, fps=self.fps, start_s=first / fps)


def probe(path: str | Path) -> VideoInfo:
    """Read what a video holds, as it will be decoded: from its packets and its first frame.

    Raises:
        Refused: not a video, no picture in it, too large, cut off, or of a broken clock; one line
            that says which.
    """
    with open_container(path) as container:
        stream = picture_stream(container, path)
        base, is_avi = stream.time_base, container.format.name == "avi"
        stamps, decoding, n_packets = _read_stamps(container, stream, path)
        if not n_packets or base is None:
            raise Refused(path, "no frames in it", "a video")
        promised, held = _promised(container, stream), n_packets
        if is_avi and len(stamps) > 1:
            # It promises those that stay as they were too, which have no packet of their own.
            held = round(float(stamps[-1] - stamps[0]) * len(stamps) / (len(stamps) - 1))
        if promised and held < 0.99 * promised - 1:
            found = f"cut off: its header names {promised} frames, the file holds {held}"
            raise Refused(path, found, "", "copy the video again")
        _check_clock(stamps * float(base), decoding * float(base), path)
        fps = _rate(stream, stamps * float(base))
        has_sound = any(track.codec_context is not None for track in container.streams.audio)
        sound_notes, n_streams = sounds_left_out(container, path), len(moving_pictures(container))
        notes = (f"of its {n_streams} streams of pictures the largest is taken",) * (n_streams > 1)
    with open_container(path) as container:
        stream = picture_stream(container, path)
        first_s, frame = next(decode_stream(container, stream, path, []))
        height, width = shown_size(frame, stream.sample_aspect_ratio, display_matrix(frame))
        check_size(width, height, path)
        late = stamps[0] - decoding[0] if is_avi and len(stamps) and len(decoding) else 0
    # Frames before the first that can be decoded (of an open GOP that was cut) do not count.
    n_frames, late_s = n_packets, 0.0
    if len(stamps):
        n_frames = max(1, round((float(stamps[-1] * base) - first_s) * fps + 1))
        late_s = max(0.0, first_s - float(stamps[0] * base))
    if n_late := round(late_s * fps):
        said = f"its first {n_late} of {n_late + n_frames} frames cannot be decoded"
        notes += (f"{said}: it has no key frame before {late_s:.2f} s",)
    # AVI knows times of decoding only, and its sound goes by them.
    first_s -= float(late * base)
    return VideoInfo(width, height, fps, n_frames, first_s, has_sound, late_s, notes, sound_notes)


def _promised(
    container: "av.container.InputContainer", stream: "av.video.stream.VideoStream"
) -> int:
    """How many frames the header names; 0 where it names none."""
    if stream.frames and "mp4" in container.format.name:
        return min(stream.frames, len(stream.index_entries))  # without those an edit list cuts
    return int(stream.frames)


def _read_stamps(
    container: "av.container.InputContainer",
    stream: "av.video.stream.VideoStream",
    path: str | Path,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Times of all packets, ascending and without doubles; times of decoding; number of packets."""
    by_decoding = is_timed_by_decoding(container, stream)
    shown, decoding, n_packets = array("q"), array("q"), 0
    try:
        for packet in read_packets(container, stream):
            n_packets += 1
            if packet.dts is not None:
                decoding.append(packet.dts)
            stamp = packet.dts if by_decoding or packet.pts is None else packet.pts
            if stamp is not None and not packet.is_discard:
                shown.append(stamp)
    except av.error.FFmpegError as error:
        found = f"damaged or cut off ({error.strerror})"
        raise Refused(path, found, "", "copy the video again") from error
    return np.unique(np.array(shown, np.int64)), np.array(decoding, np.int64), n_packets


def _check_clock(shown_s: np.ndarray, decoding_s: np.ndarray, path: str | Path) -> None:
    """Refuse a clock that jumps: frames would be lost, or thousands be made of one."""
    mend = "mend its clock, with `ffmpeg -i IN -c copy OUT.mp4` for one, or cut the video there"
    steps, gaps = np.diff(decoding_s), np.diff(shown_s)
    if steps.min(initial=0) < -MAX_BACK_S:
        at = decoding_s[steps.argmin()] - decoding_s[0]
        found = f"its clock goes back by {-steps.min():.1f} s after {at:.2f} s"
        raise Refused(path, found, "", mend)
    if gaps.max(initial=0) > MAX_GAP_S:
        at = shown_s[gaps.argmax()] - shown_s[0]
        found = f"no frame for {gaps.max():.1f} s after {at:.2f} s"
        raise Refused(path, found, f"at most {MAX_GAP_S:g} s", mend)


def _rate(stream: "av.video.stream.VideoStream", shown_s: np.ndarray) -> Fraction:
    """Frames per second: what the file says, unless its frames lie quite otherwise."""
    said = stream.average_rate or stream.guessed_rate
    gaps = np.diff(shown_s)
    if len(gaps):
        mean, median = 1 / gaps.mean(), 1 / float(np.median(gaps))
        is_plausible = said and 0.5 <= said <= 1000
        agree = (said and 0.8 <= rate / float(said) <= 1.25 for rate in (mean, median))
        if not is_plausible or not any(agree):
            usual = gaps[gaps < 2 * np.median(gaps)]  # without pauses and lost frames
            said = Fraction(1 / usual.mean()).limit_denominator(1001)
    elif not said or not 0.5 <= said <= 1000:
        said = Fraction(25)
    return Fraction(said).limit_denominator(100_000)


def read_metadata(path: str | Path) -> dict[str, str]:
    """What a video file says about itself: texts by key, an XMP packet under ``xmp``.

    Keys are in lower case (Matroska writes capitals). Refused where it is no readable video.
    """
    with open_container(path) as container:
        return {key.lower(): value for key, value in container.metadata.items()}
