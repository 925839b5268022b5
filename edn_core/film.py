"""From a video to its frames on their canvas, and from frames to a video again."""

from pathlib import Path

from edn_core.config import CanvasConfig, VideoConfig
from edn_core.frames import FrameReader, FramesInfo, FrameWriter, choose_canvas, fit_to_canvas
from edn_core.logs import LOGGER, progress
from edn_core.mark import draw_mark
from edn_core.provenance import Provenance, to_metadata
from edn_core.store import file_sha256
from edn_core.video import SoundTrack, decode, encode, probe


def plan_frames(
    video_path: str | Path, video: str, settings: VideoConfig, canvas: CanvasConfig
) -> FramesInfo:
    """Decide a video's timeline and canvas.

    Args:
        video_path: the file.
        video: the video's name.
        settings: which part of it.
        canvas: pixel budget.

    Raises:
        ValueError: not a usable video; one line that says why.
    """
    found = probe(video_path)
    try:
        timeline = found.timeline(settings.start_s, settings.stop_s)
    except ValueError as error:
        raise ValueError(f"{video_path}: {error}") from error
    if timeline.n_frames < 2:
        raise ValueError(f"{video_path}: has {timeline.n_frames} frame, expected a moving picture")
    scale, size, offset = choose_canvas(found.width, found.height, canvas.pixels)
    return FramesInfo(
        video=video,
        n_frames=timeline.n_frames,
        fps=timeline.fps,
        width=size[1],
        height=size[0],
        source_width=found.width,
        source_height=found.height,
        scale=scale,
        offset=offset,
        start_s=timeline.start_s,
        stop_s=timeline.start_s + timeline.n_frames / float(timeline.fps),
        source_sha256=file_sha256(video_path),
    )


def extract_frames(
    video_path: str | Path,
    store_path: str | Path,
    video: str,
    settings: VideoConfig,
    canvas: CanvasConfig,
) -> None:
    """Decode a video once and store its frames on its canvas.

    Args:
        video_path: the file.
        store_path: the ``edn-frames`` file to write.
        video: the video's name.
        settings: which part of it.
        canvas: pixel budget and JPEG quality.

    Raises:
        ValueError: not a usable video; one line that says why.
    """
    info = plan_frames(video_path, video, settings, canvas)
    LOGGER.info(
        f"{video_path}: {info.source_width}x{info.source_height}, {info.n_frames} frames at "
        f"{float(info.fps):g} fps -> canvas {info.width}x{info.height}"
    )
    with FrameWriter(store_path, info, "jpeg", canvas.jpeg_quality) as writer:
        frames = decode(video_path, info.timeline)
        for image in progress(frames, f"extract {video}", info.n_frames):
            if image.shape[:2] != (info.source_height, info.source_width):
                raise ValueError(
                    f"{video_path}: the picture changes size to {image.shape[1]}x{image.shape[0]}; "
                    "convert it to one size"
                )
            writer.append(fit_to_canvas(image, info))


def assemble_video(
    frames_path: str | Path,
    source_frames_path: str | Path,
    source_video: str | Path,
    out: str | Path,
    target: str = "",
    mark: str = "",
) -> None:
    """Make the finished video of a transfer: the target's canvas, the source's rate and sound.

    Its metadata says that it is synthetic and by which model.

    Args:
        frames_path: synthesized frames.
        source_frames_path: the source's store, which says where in the source it began.
        source_video: the video the sound comes from.
        out: mp4 to write; the canvas's padding is cut off.
        target: name of the video that the looks come from.
        mark: text to write into a corner of the picture; none where empty.
    """
    frames, source = FrameReader(frames_path), FrameReader(source_frames_path)
    x0, y0, x1, y1 = frames.info.picture_box
    images = (draw_mark(frames[i][y0:y1, x0:x1], mark) for i in range(len(frames)))
    encode(
        out,
        progress(images, f"assemble {frames.info.video}", len(frames)),
        frames.info.fps,
        SoundTrack(Path(source_video), source.info.start_s),
        to_metadata(Provenance(source.info.video, target, frames.info.generator_sha256)),
    )
