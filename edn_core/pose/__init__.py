"""Pose estimation: from a video to the dancer's keypoints on its canvas.

A backend is a module here with a function ``make(config, video, threads, device) -> Backend`` and a
line in BACKENDS.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

from edn_core.config import PoseConfig
from edn_core.frames import FramesInfo
from edn_core.keypoints import Keypoints, Person, missing_person
from edn_core.logs import LOGGER, progress
from edn_core.pose.backend import Backend, largest_people
from edn_core.pose.onnx_network import check_sha256
from edn_core.pose.runs import find_people
from edn_core.pose.tracking import follow_dancer
from edn_core.skeleton import PARTS, Skeleton
from edn_core.video import decode

__all__ = [
    "BACKENDS",
    "WITH_WEIGHT_FILES",
    "Backend",
    "check_weight_files",
    "estimate_pose",
    "weight_files",
]

MakeBackend = Callable[[PoseConfig, str, int, str], Backend]


def _backend(module: str) -> MakeBackend:
    """The ``make`` of a module of this package, which is imported when it is needed."""

    def make(config: PoseConfig, video: str, threads: int = 1, device: str = "auto") -> Backend:
        made: Backend = import_module(f"{__name__}.{module}").make(config, video, threads, device)
        return made

    return make


BACKENDS: dict[str, MakeBackend] = {
    "mediapipe": _backend("mediapipe"),
    "openpose": _backend("openpose"),
    "wholebody": _backend("wholebody"),
    "openpose_files": _backend("openpose_files"),
}
WITH_WEIGHT_FILES = ("openpose", "wholebody")
"""Backends whose weights are the user's own files."""
NOBODY = -1


def weight_files(config: PoseConfig) -> list[Path]:
    """The user's own weight files that the backend needs, none for those that bring theirs.

    Raises:
        ValueError: one is not set or not there; says where to get it.
    """
    if config.backend not in WITH_WEIGHT_FILES:
        return []
    return list(_weight_files(config).values())


def check_weight_files(config: PoseConfig) -> None:
    """Refuse a weight file that is not the one whose SHA-256 the settings give.

    Raises:
        ValueError: names the file, what was found and what the setting says; or as weight_files.
    """
    if config.backend not in WITH_WEIGHT_FILES:
        return
    for part, path in _weight_files(config).items():
        expected = getattr(getattr(config, config.backend), f"{part}_sha256")
        if expected is not None:
            check_sha256(path, expected, f"pose.{config.backend}.{part}_sha256")


def _weight_files(config: PoseConfig) -> dict[str, Path]:
    files: dict[str, Path] = import_module(f"{__name__}.{config.backend}").weight_files(config)
    return files


def estimate_pose(
    video_path: str | Path,
    info: FramesInfo,
    config: PoseConfig,
    threads: int = 1,
    device: str = "auto",
) -> Keypoints:
    """Find the dancer in every frame of a video.

    The backend sees the full-size video, since hands and faces need it; its result is mapped to
    the canvas once, here. The video is decoded while the backend works, and cut into runs of frames
    whose length depends on nothing but the size of the picture: the result is the same with one
    thread and with many.

    Args:
        video_path: the video the store of frames was made from.
        info: of that store: timeline, canvas, scale and offset.
        config: which backend, its settings, and which of several people is the dancer.
        threads: runs that are worked on side by side, or threads of the backend's networks.
        device: runtime.device: auto, cpu or cuda.

    Returns:
        Raw keypoints in canvas px, NaN with score 0 where not found; the bodies of everybody else
        as bystanders.

    Raises:
        ValueError: unknown backend, another video than the store's, nobody in any frame, or no
            such dancer as the settings ask for.
    """
    if config.backend not in BACKENDS:
        raise ValueError(
            f"pose.backend is {config.backend!r}; known backends: {', '.join(BACKENDS)}"
        )
    make = BACKENDS[config.backend]
    backend = make(config, info.video, threads, device)
    n_copies = max(1, threads) if backend.has_copies else 1
    copies = [backend, *(make(config, info.video, 1, device) for _ in range(n_copies - 1))]
    images = _checked(decode(video_path, info.timeline), video_path, info)
    found = progress(find_people(images, copies, info), f"pose {info.video}", info.n_frames)
    slots, n_people = _store_people(found, backend.skeleton, info.n_frames, config.max_people)
    bodies: list[list[Person]] = [
        [{"body": slot["body"][frame]} for slot in slots[:count]]
        for frame, count in enumerate(n_people)
    ]
    try:
        numbers = follow_dancer(bodies, config, (info.source_height, info.source_width))
    except ValueError as error:
        raise ValueError(f"{video_path}: {error}") from error
    dancer = np.array([NOBODY if number is None else number for number in numbers])
    for slot in slots:
        for points in slot.values():
            points[..., :2] = info.to_canvas(points[..., :2])
    # Of everybody else the bodies; sorted by frame.
    others = [(n_people > number) & (dancer != number) for number in range(len(slots))]
    frames = np.concatenate([np.flatnonzero(other) for other in others])
    bystanders = np.concatenate(
        [slot["body"][other] for slot, other in zip(slots, others, strict=True)]
    )
    order = np.argsort(frames, kind="stable")
    chosen = slots[0]
    for part in PARTS:
        chosen[part][dancer == NOBODY] = (np.nan, np.nan, 0)
        for number, slot in enumerate(slots[1:], 1):
            chosen[part][dancer == number] = slot[part][dancer == number]
    keypoints = Keypoints(
        xy={part: chosen[part][..., :2] for part in PARTS},
        score={part: chosen[part][..., 2] for part in PARTS},
        skeleton=backend.skeleton,
        width=info.width,
        height=info.height,
        fps=info.fps,
        video=info.video,
        n_people=n_people,
        backend=config.backend,
        weights_sha256=backend.weights_sha256,
        bystanders=bystanders[order],
        bystander_frames=frames[order].astype(np.int32),
    )
    _report(video_path, keypoints)
    return keypoints


def _store_people(
    found: Iterable[list[Person]], skeleton: Skeleton, n_frames: int, max_people: int
) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Gather everybody in arrays as long as the video.

    Small arrays kept one by one would take more memory than they hold: they lie between the
    pictures, whose memory then cannot be used again.

    Returns:
        slots: for the first, second, ... person of each frame, part -> (T, K, 3) float32 px of the
            video; NaN, NaN, 0 where not found. At least one slot, at most ``max_people``: of a
            crowd (keypoint files may hold one) the largest.
        n_people: (T,) int16, of the crowd all.
    """

    def empty_slot() -> dict[str, np.ndarray]:
        missing = missing_person(skeleton)
        return {part: np.tile(points, (n_frames, 1, 1)) for part, points in missing.items()}

    slots = [empty_slot()]
    n_people = np.zeros(n_frames, np.int16)
    for frame, people in enumerate(found):
        n_people[frame] = len(people)
        people = largest_people(people, max_people)
        slots += [empty_slot() for _ in range(len(people) - len(slots))]
        for slot, person in zip(slots, people, strict=False):
            for part, points in person.items():
                slot[part][frame] = points
    return slots, n_people


def _checked(
    images: Iterable[np.ndarray], video_path: str | Path, info: FramesInfo
) -> Iterator[np.ndarray]:
    """The images, as long as they have the size of the store's source."""
    for frame, image in enumerate(images):
        if image.shape[:2] != (info.source_height, info.source_width):
            raise ValueError(
                f"{video_path}: frame {frame} is {image.shape[1]}x{image.shape[0]}, expected "
                f"{info.source_width}x{info.source_height} as when its frames were extracted; "
                "extract them again"
            )
        yield image


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
