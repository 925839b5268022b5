"""What a video file holds, from its packets, and when frames are wanted of it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av.error

from edn_core.video.decoding import decoded
from edn_core.video.opening import open_container, picture_stream
from edn_core.video.timeline import Timeline


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


def probe(path: str | Path) -> VideoInfo:
    """Read what a video holds, from its packets, decoding one frame only.

    Args:
        path: the video.

    Returns:
        Size, rate and number of frames as they will be decoded.

    Raises:
        ValueError: not a video, no picture in it, or cut off; one line that says which.
    """
    with open_container(path) as container:
        stream = picture_stream(container, path)
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
    height, width = next(decoded(path))[1].shape[:2]
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
    with open_container(path) as container:
        return {key.lower(): value for key, value in container.metadata.items()}
