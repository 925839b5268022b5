"""Frames out of a video: turned, of square pixels, on a constant-rate timeline."""

from collections.abc import Iterator
from pathlib import Path

import av.error
import cv2
import numpy as np

from edn_core.video.opening import open_container, picture_stream
from edn_core.video.timeline import Timeline


def decoded(path: str | Path) -> Iterator[tuple[float, np.ndarray]]:
    """Every decodable frame as (seconds after the first frame, (H, W, 3) uint8 RGB as shown)."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
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
    frames = decoded(path)
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
