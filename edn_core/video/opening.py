"""A video file opened, and the stream of pictures in it."""

from pathlib import Path

import av
import av.error


def open_container(path: str | Path) -> "av.container.InputContainer":
    """Open a video for reading.

    Raises:
        ValueError: no such file, an empty one, or not a video; one line.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such video; put the file there")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes); copy the video again")
    try:
        # Formats that know no XMP pass over the option.
        return av.open(str(path), metadata_errors="ignore", options={"export_xmp": "1"})
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path}: not a readable video ({error.strerror}); expected a complete mp4, mov, mkv, "
            "webm or avi file; copy or convert it again"
        ) from error


def picture_stream(
    container: "av.container.InputContainer", path: str | Path
) -> "av.video.stream.VideoStream":
    """The stream of moving pictures; a cover picture is none.

    Raises:
        ValueError: there is none.
    """
    pictures = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not pictures:
        found = "sound only" if container.streams.audio else "no streams"
        raise ValueError(f"{path}: no picture in it (found {found}); expected a video")
    return pictures[0]
