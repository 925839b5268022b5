"""From a video to the pictures of its dancer, and from pictures to a video again."""

from pathlib import Path

import cv2
import numpy as np

from edn_core.compose import GROUND, Composer, even, read_background
from edn_core.config import AssemblyConfig, CanvasConfig, VideoConfig
from edn_core.errors import Refused
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER, progress
from edn_core.mark import draw_mark
from edn_core.normalize import VideoStatistics
from edn_core.provenance import Provenance, to_metadata
from edn_core.timeline import Clip
from edn_core.video import MOST_LOST, SoundTrack, decode, encode, probe
from edn_core.window import Window, frames_info


def plan_clip(video_path: str | Path, video: str, settings: VideoConfig) -> Clip:
    """Decide which part of a video is used, and when its frames are.

    ValueError for what is not a usable video; one line that says why.
    """
    found = probe(video_path)
    try:
        timeline = found.timeline(settings.start_s, settings.stop_s)
    except ValueError as error:
        raise ValueError(f"{video_path}: {error}") from error
    n_late = round(max(0.0, found.late_s - settings.start_s) * float(found.fps))
    if n_late > MOST_LOST * (n_late + timeline.n_frames):
        begin = f"set videos.{video}.start_s to {found.late_s:.2f} to begin there"
        anew = "encode it anew: `ffmpeg -i IN -c:v libx264 OUT.mp4`"
        raise Refused(video_path, found.notes[-1], "at most a tenth lost", f"{begin}, or {anew}")
    for note in found.notes:
        LOGGER.warning(f"{video_path}: {note}")
    if timeline.n_frames < 2:
        raise ValueError(f"{video_path}: has {timeline.n_frames} frame, expected a moving picture")
    return Clip(
        n_frames=timeline.n_frames,
        fps=timeline.fps,
        start_s=timeline.start_s,
        video=video,
        width=found.width,
        height=found.height,
    )


def cut_window(
    video_path: str | Path,
    masks_path: str | Path | None,
    keypoints: Keypoints,
    statistics: VideoStatistics,
    window: Window,
    store_path: str | Path,
    canvas: CanvasConfig,
) -> None:
    """Cut a target out of a video into an ``edn-frames`` store: on neutral ground, with his matte.

    Frames without him have no picture. Without mattes, the window is the whole picture, room and
    all.
    """
    info = frames_info(window, keypoints, statistics)
    masks = FrameReader(masks_path) if masks_path else None
    if masks is not None:
        info = info.replaced(channels=4)
        if len(masks) != len(keypoints):
            found, expected = f"has {len(masks)} frames", str(len(keypoints))
            raise Refused(masks.path, found, expected, "delete it and run again")
    LOGGER.info(
        f"{keypoints.video}: {keypoints.width}x{keypoints.height} -> window of "
        f"{info.width}x{info.height}"
    )
    with FrameWriter(store_path, info, canvas.jpeg_quality) as writer:
        images = decode(video_path, keypoints.clip)
        for frame, image in enumerate(progress(images, f"cut {info.video}", len(keypoints))):
            to_video = info.to_video[frame]
            if masks is None:
                writer.append(cut(image, to_video, info.size))
            elif not masks.has(frame):
                writer.append(None)
            else:
                matte = masks[frame], masks.info.to_picture[frame]
                writer.append(cut_out(image, matte, to_video, info.size))


def cut(image: np.ndarray, to_video: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A window of a picture, each of its pixels the mean of what it covers: (h, w, C) uint8.

    ``image`` is (H, W, C) uint8, at full size; its edge is repeated beyond it. ``to_video`` (2, 3)
    is from window px to px of the image.
    """
    return _mean_of_fine(_fine(image, to_video, size, cv2.BORDER_REPLICATE), size)


def cut_out(
    image: np.ndarray,
    matte: tuple[np.ndarray, np.ndarray],
    to_video: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """A window of a picture with nobody but the dancer in it.

    (H, W, 4) uint8: the dancer on GROUND, and his matte; 0 beyond the picture.

    Args:
        image: (H, W, 3) uint8 RGB, the full-size picture.
        matte: (h, w) uint8, and (2, 3) from px of the image to its px.
        to_video: (2, 3), window px -> px of the image.
        size: (H, W) of the window.
    """
    colours = _fine(image, to_video, size, cv2.BORDER_REPLICATE).astype(np.float32)
    square = np.vstack([matte[1], (0, 0, 1)]) @ np.vstack([to_video, (0, 0, 1)])
    opaque = _fine(matte[0], square[:2], size, cv2.BORDER_CONSTANT, to_video)
    inside = _fine(np.full(image.shape[:2], 255, np.uint8), to_video, size, cv2.BORDER_CONSTANT)
    opaque = np.minimum(opaque, inside)
    share = opaque[..., None].astype(np.float32) / 255
    painted = np.round(GROUND + share * (colours - GROUND)).clip(0, 255).astype(np.uint8)
    return _mean_of_fine(np.dstack([painted, opaque]), size)


def _fine(
    image: np.ndarray,
    to_image: np.ndarray,
    size: tuple[int, int],
    border: int,
    to_video: np.ndarray | None = None,
) -> np.ndarray:
    """The window in whole-numbered enlargement, so that no pixel of the video is left out."""
    step = np.linalg.norm((to_image if to_video is None else to_video)[:, 0])
    factor = max(1, round(float(step)))
    finer = to_image.copy()
    finer[:, :2] /= factor
    finer[:, 2] += finer[:, :2] @ np.full(2, (1 - factor) / 2)
    enlarged, flags = (size[1] * factor, size[0] * factor), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, finer, enlarged, flags=flags, borderMode=border)


def _mean_of_fine(fine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if fine.shape[:2] == size:
        return fine
    return cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA)


def assemble_video(
    frames_path: str | Path,
    source: Keypoints,
    source_video: str | Path,
    out: str | Path,
    config: AssemblyConfig,
    room: str | Path | None = None,
    target: str = "",
) -> None:
    """Make the finished video of a transfer: as large as the target's, the source's rate and sound.

    Its metadata says that it is synthetic and by which model.

    Args:
        frames_path: synthesized frames.
        source: the source's keypoints, which say where in its video the sound began.
        source_video: the video the sound comes from.
        out: file to write; its suffix decides the format (video.encode).
        config: background, sound and mark.
        room: the target's room.png; none where the pictures show it.
        target: name of the video that the looks come from.
    """
    frames = FrameReader(frames_path)
    background = read_background(config.background, room, frames.info.clip.size)
    composer = Composer(frames, background)
    numbers = progress(range(len(frames)), f"assemble {frames.info.video}")
    encode(
        out,
        (draw_mark(even(composer[frame]), config.mark) for frame in numbers),
        frames.info.fps,
        SoundTrack(Path(source_video), source.start_s) if config.sound else None,
        to_metadata(Provenance(source.video, target, frames.info.generator_sha256)),
    )
