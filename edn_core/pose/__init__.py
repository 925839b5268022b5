"""Pose estimation: from a video to the dancer's keypoints on its canvas.

A backend is a function ``make(config, video, threads) -> Backend``, registered in BACKENDS.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edn_core.config import PoseConfig
from edn_core.frames import FramesInfo
from edn_core.keypoints import Keypoints, Person, from_people
from edn_core.logs import LOGGER, progress
from edn_core.pose import mediapipe, openpose_files
from edn_core.pose.backend import Backend
from edn_core.pose.tracking import select_dancer
from edn_core.video import decode

__all__ = ["BACKENDS", "Backend", "estimate_pose"]

BACKENDS: dict[str, Callable[[PoseConfig, str, int], Backend]] = {
    "mediapipe": mediapipe.make,
    "openpose_files": openpose_files.make,
}


def estimate_pose(
    video_path: str | Path, info: FramesInfo, config: PoseConfig, threads: int = 1
) -> Keypoints:
    """Find the dancer in every frame of a video.

    The backend sees the full-size video, since hands and faces need it; its result is mapped to
    the canvas once, here.

    Args:
        video_path: the video the store of frames was made from.
        info: of that store: timeline, canvas, scale and offset.
        config: which backend, and its settings.
        threads: CPU threads of the networks; the result does not depend on it.

    Returns:
        Raw keypoints in canvas px, NaN with score 0 where not found.

    Raises:
        ValueError: unknown backend, another video than the store's, or nobody in any frame.
    """
    if config.backend not in BACKENDS:
        raise ValueError(
            f"pose.backend is {config.backend!r}; known backends: {', '.join(BACKENDS)}"
        )
    backend = BACKENDS[config.backend](config, info.video, threads)
    first = round(info.start_s * info.fps)  # backends count from the start of the video
    dancers: list[Person | None] = []
    n_people = np.zeros(info.n_frames, np.int16)
    previous: Person | None = None
    images = decode(video_path, info.timeline)
    for frame, image in enumerate(progress(images, "estimate pose", info.n_frames)):
        if image.shape[:2] != (info.source_height, info.source_width):
            raise ValueError(
                f"{video_path}: frame {frame} is {image.shape[1]}x{image.shape[0]}, expected "
                f"{info.source_width}x{info.source_height} as when its frames were extracted; "
                "extract them again"
            )
        people = backend.find(image, first + frame)
        n_people[frame] = len(people)
        dancer = select_dancer(people, previous)
        previous = dancer or previous
        dancers.append(_on_canvas(dancer, info) if dancer else None)
    keypoints = from_people(
        dancers,
        backend.skeleton,
        width=info.width,
        height=info.height,
        fps=info.fps,
        video=info.video,
        n_people=n_people,
        backend=config.backend,
        weights_sha256=backend.weights_sha256,
    )
    _report(video_path, keypoints)
    return keypoints


def _on_canvas(person: Person, info: FramesInfo) -> Person:
    return {
        part: np.column_stack([info.to_canvas(points[:, :2]), points[:, 2]])
        for part, points in person.items()
    }


def _report(video_path: str | Path, keypoints: Keypoints) -> None:
    """Log in how many frames each part was found; refuse a video without any body."""
    found = {part: int((score > 0).any(axis=1).sum()) for part, score in keypoints.score.items()}
    if found["body"] == 0:
        raise ValueError(
            f"{video_path}: nobody found in any of its {len(keypoints)} frames; film one whole "
            "person, head to feet, well lit and not too far away"
        )
    LOGGER.info(
        "%s: body found in %d of %d frames, face in %d, left hand in %d, right hand in %d",
        video_path,
        found["body"],
        len(keypoints),
        found["face"],
        found["hand_left"],
        found["hand_right"],
    )
