"""Poses found anew in finished frames: of the true video, and of what was synthesized.

Both sides are looked at by the backend of the pipeline at the same size, without smoothing. The
pipeline's own keypoints, found in the full-size video, would make every output look worse than it
is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edn_core.config import PoseConfig
from edn_core.evaluate.files import check_split, finished_footage
from edn_core.keypoints import Keypoints, Person, from_people, write_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.metrics.poses import closest_person
from edn_core.split import Split


def find_poses(
    images: Iterable[np.ndarray],
    expected: Keypoints,
    numbers: Sequence[int],
    config: PoseConfig,
    threads: int = 1,
    device: str = "auto",
) -> Iterator[Person]:
    """Find in each picture the person who should be there.

    The pictures, (H, W, 3) uint8 in a row, are read ahead by a run of at most 64 frames per thread.
    They are the frames ``numbers`` of ``expected``, in their px, which tells him from others.
    Threads are runs side by side, or the backend's own; the device is auto, cpu or cuda.

    Yields:
        Persons in px of the pictures; NaN, NaN, 0 where not found.
    """
    # Pose estimation reads videos; a machine that trains and measures pictures may have no PyAV.
    from edn_core.pose import make_copies
    from edn_core.pose.backend import find_people

    copies = make_copies(config, expected.clip, threads, device)
    found = find_people(images, copies, replace(expected.clip, start_s=0.0))
    for people, number in zip(found, numbers, strict=True):
        yield closest_person(people, expected.person(number), expected.skeleton)


def evaluate_truth(
    video_path: Path,
    keypoints_path: Path,
    split: Split,
    config: PoseConfig,
    truth_path: str | Path,
    threads: int = 1,
    device: str = "auto",
) -> None:
    """Find the poses of the held-out frames once, for every stage to be compared with.

    Reads the target's video and its keypoints, which tell the dancer from others. Writes
    ``edn-keypoints`` of all frames of the video, NaN and 0 outside the held-out part.

    Raises:
        Refused: too few held-out frames.
    """
    check_split(split, video_path)
    frames, keypoints = finished_footage(video_path, keypoints_path)
    images = (frames[frame] for frame in split.test)
    found = find_poses(images, keypoints, split.test, config, threads, device)
    people: list[Person | None] = [None] * len(keypoints)
    what = f"pose of the true frames of {keypoints.video}"
    for frame, person in zip(split.test, progress(found, what, len(split.test)), strict=True):
        people[frame] = person
    truth = from_people(
        people,
        keypoints.skeleton,
        width=keypoints.width,
        height=keypoints.height,
        fps=keypoints.fps,
        video=keypoints.video,
        backend=config.backend,
        weights_sha256=keypoints.weights_sha256,
    )
    write_keypoints(truth_path, truth)
    n_found = truth.is_seen.sum()
    LOGGER.info(f"{what}: body found in {n_found} of {len(split.test)} held-out frames")
