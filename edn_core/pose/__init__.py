"""Pose estimation: from a video to the dancer's keypoints in it.

A backend is a module here with a function ``make(config, video, threads, device) -> Backend``,
which takes of them what it needs, and a line in BACKENDS.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from edn_core.config import PoseConfig
from edn_core.errors import Refused
from edn_core.keypoints import Keypoints, Person, from_people
from edn_core.logs import LOGGER, progress
from edn_core.pose.backend import Backend, find_people, largest_people
from edn_core.pose.tracking import follow_dancer
from edn_core.timeline import Clip

MakeBackend = Callable[[PoseConfig, Clip, int, str], Backend]


def _backend(module: str) -> MakeBackend:
    """The ``make`` of a module of this package, which is imported when it is needed."""

    def make(config: PoseConfig, video: Clip, threads: int = 1, device: str = "auto") -> Backend:
        made: Backend = import_module(f"{__name__}.{module}").make(config, video, threads, device)
        return made

    return make


BACKENDS: dict[str, MakeBackend] = {
    "mediapipe": _backend("mediapipe"),
    "openpose": _backend("openpose"),
    "wholebody": _backend("wholebody"),
    "openpose_files": _backend("openpose_files"),
}


def make_backend(config: PoseConfig, video: Clip, threads: int, device: str) -> Backend:
    """The backend of the settings for a video, the whole of it.

    Raises ValueError: unknown backend, or as its ``make``.
    """
    if config.backend not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise Refused("pose.backend", f"is {config.backend!r}", f"one of the backends {known}")
    return BACKENDS[config.backend](config, video, threads, device)


def make_copies(config: PoseConfig, video: Clip, threads: int, device: str) -> list[Backend]:
    """One copy of the backend per thread, or a single one that uses all; raises as make_backend."""
    backend = make_backend(config, video, threads, device)
    n_more = threads - 1 if backend.has_copies else 0
    return [backend, *(make_backend(config, video, 1, device) for _ in range(n_more))]


def estimate_pose(
    video_path: str | Path, clip: Clip, config: PoseConfig, threads: int = 1, device: str = "auto"
) -> Keypoints:
    """Find the dancer in every frame of a video.

    The backend sees the full-size video, since hands and faces need it. The video is decoded while
    the backend works, and cut into runs of frames whose length depends on nothing but the size of
    the picture: the result is the same with one thread and with many.

    Args:
        video_path: the video.
        clip: which part of it (film.plan_clip).
        config: which backend, its settings, and which of several people is the dancer.
        threads: runs that are worked on side by side, or threads of the backend's networks.
        device: runtime.device: auto, cpu or cuda.

    Returns:
        Raw keypoints in px of the video, NaN with score 0 where not found; the bodies of everybody
        else as bystanders.

    Raises:
        ValueError: unknown backend, a picture that changes size, nobody in any frame, or no such
            dancer as the settings ask for.
    """
    # Here: a GPU machine that lacks PyAV tests its networks.
    from edn_core.video import decode, probe

    whole = replace(clip, start_s=0.0, n_frames=probe(video_path).n_frames)
    copies = make_copies(config, whole, threads, device)
    for doubt in copies[0].doubts:
        LOGGER.warning(f"{clip.video}: {doubt.says}")
    skeleton = copies[0].skeleton
    found = progress(
        find_people(decode(video_path, clip), copies, clip), f"pose {clip.video}", clip.n_frames
    )
    people: list[list[Person]] = []
    n_people = np.zeros(clip.n_frames, np.int16)  # of a crowd all
    for frame, in_frame in enumerate(found):
        n_people[frame] = len(in_frame)
        people.append(largest_people(in_frame, config.max_people))
    try:
        dancer = follow_dancer(people, config, clip.size)
    except ValueError as error:
        raise Refused(video_path, str(error)) from error
    others = [
        (frame, person["body"])
        for frame, in_frame in enumerate(people)
        for number, person in enumerate(in_frame)
        if number != dancer[frame]
    ]
    keypoints = from_people(
        [None if n is None else there[n] for there, n in zip(people, dancer, strict=True)],
        skeleton,
        width=clip.width,
        height=clip.height,
        fps=clip.fps,
        video=clip.video,
        start_s=clip.start_s,
        n_people=n_people,
        backend=config.backend,
        weights_sha256=copies[0].weights_sha256,
        doubts=copies[0].doubts,
        bystanders=np.array([body for _, body in others], np.float32),
        bystander_frames=np.array([frame for frame, _ in others], np.int32),
    )
    _report(video_path, keypoints)
    return keypoints


def _report(video_path: str | Path, keypoints: Keypoints) -> None:
    """Log in how many frames each part was found; refuse a video without any body."""
    found = {part: int((score > 0).any(axis=1).sum()) for part, score in keypoints.score.items()}
    if found["body"] == 0:
        nobody = f"nobody found in any of its {len(keypoints)} frames"
        better = "film one whole person, head to feet, well lit and not too far away"
        raise Refused(video_path, nobody, "", better)
    parts = ", ".join(f"{part.replace('_', ' ')} in {count}" for part, count in found.items())
    LOGGER.info("%s: of %d frames found: %s", video_path, len(keypoints), parts)
