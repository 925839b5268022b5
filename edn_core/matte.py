"""The matte: the dancer's soft outline in every frame of a target's video (``masks.zip``).

MediaPipe's body network (Apache-2.0; Bazarevsky et al., "BlazePose", 2020) gives with its points a
segmentation of the person, which pose estimation has no use for. It is asked once more here, in a
square that follows from the keypoints: so every pose backend has a matte, and nobody but the
followed dancer is taken along. Without the network, a widened skeleton.
"""

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.special import expit

from edn_core.band import dancer_band
from edn_core.config import MatteConfig
from edn_core.frames import FramesInfo, FrameWriter
from edn_core.keypoints import Keypoints, Person
from edn_core.logs import LOGGER, progress
from edn_core.pose.mediapipe import load_body_network
from edn_core.pose.regions import Region, cut_region, turn_to
from edn_core.skeleton import PARTS, Skeleton
from edn_core.threads import in_order
from edn_core.video import decode
from edn_core.window import hips_of

SIDE = 256  # px of the network's square
CIRCLE = 1.25  # of the farthest keypoint's distance from the hips; as the network was trained
STEADY_S = 0.3  # over which the square's size is held, s
NEAR = 0.16  # of the dancer's size on each side of the skeleton: farther away is somebody else
REACH = 0.06  # likewise, what stands in for the matte without a network: 9 in 10 px of the dancer
SOFT = 0.02  # of the dancer's size, the edge of that

Segment = Callable[[np.ndarray], np.ndarray]
"""(256, 256, 3) uint8 RGB -> (256, 256) float32 in 0..1, how surely each pixel is the person."""


def find_matte(
    video_path: str | Path,
    keypoints: Keypoints,
    config: MatteConfig,
    models_folder: str | Path,
    masks_path: str | Path,
    threads: int = 1,
) -> None:
    """Find the dancer's matte in every frame in which he was found.

    The result is the same with one thread and with many, each of which works on a frame; memory
    does not grow with the length.

    Args:
        video_path: the video.
        keypoints: of the dancer, smoothed.
        config: network or skeleton.
        models_folder: where MediaPipe's networks lie; Refused if not.
        masks_path: the ``edn-frames`` store to write: grey, 255 where he is; a frame without him
            has no picture.
        threads: frames that are worked on side by side.
    """
    threads = max(1, threads)
    squares, seen = follow_square(keypoints)
    networks: SimpleQueue[Segment] = SimpleQueue()  # a thread takes one for itself
    if config.by == "skeleton":
        what = f"{keypoints.video}: no network"
        LOGGER.info(f"{what}; the skeleton, widened, stands in for the matte")
    else:
        for _ in range(threads):
            networks.put(_network(models_folder))

    def find(numbered: tuple[int, np.ndarray]) -> np.ndarray | None:
        frame, image = numbered
        if not seen[frame]:
            return None
        crop, to_image = cut_region(image, squares[frame], SIDE)
        person = keypoints.person(frame)
        size = squares[frame].size / (2 * CIRCLE)
        place = np.linalg.inv(np.vstack([to_image, (0, 0, 1)]))[:2]
        if config.by == "skeleton":
            return skeleton_matte(person, keypoints.skeleton, place, size)
        segment = networks.get()
        try:
            found = segment(crop)
        finally:
            networks.put(segment)
        near = widened_skeleton(person, keypoints.skeleton, place, SIDE, NEAR * size)
        return np.where(near, np.round(255 * found), 0).astype(np.uint8)

    nothing = np.zeros((1, 1, 3), np.uint8)
    to_video = np.stack([cut_region(nothing, one, SIDE)[1] for one in squares])
    info = FramesInfo(
        video=keypoints.video,
        n_frames=len(keypoints),
        fps=keypoints.fps,
        width=SIDE,
        height=SIDE,
        video_width=keypoints.width,
        video_height=keypoints.height,
        to_video=to_video,
        start_s=keypoints.start_s,
        codec="png",
        channels=1,
    )
    images = progress(decode(video_path, keypoints.clip), f"matte {info.video}", info.n_frames)
    with FrameWriter(masks_path, info) as writer:
        for matte in in_order(find, enumerate(images), threads):
            writer.append(matte)


def _network(models_folder: str | Path) -> Segment:
    network = load_body_network(models_folder)
    return lambda crop: expit(network(crop.astype(np.float32) / 255)["Identity_2"][..., 0])


def follow_square(keypoints: Keypoints) -> tuple[list[Region], np.ndarray]:
    """The squares to look for the dancer's outline in; (T,) bool: whether he is seen.

    About the hips, as large as the farthest keypoint asks for, turned with the trunk, as the
    network was trained; its size holds for some frames, so that a limb that is lost is not cut off.
    """
    centre = hips_of(keypoints)
    points = np.concatenate([keypoints.xy[part] for part in PARTS], axis=1)
    distance = np.linalg.norm(points - centre[:, None], axis=2)
    farthest = np.where(np.isnan(distance), 0, distance).max(axis=1)
    held = maximum_filter1d(
        farthest, 2 * round(STEADY_S * float(keypoints.fps)) + 1, mode="nearest"
    )
    radius = np.maximum(gaussian_filter1d(held, STEADY_S * float(keypoints.fps), mode="nearest"), 8)
    neck = keypoints.point("neck")
    regions = []
    for middle, size, top in zip(centre, 2 * CIRCLE * radius, neck, strict=True):
        angle = 0.0 if np.isnan(top).any() else turn_to(np.stack([middle, top]))
        regions.append(Region(float(middle[0]), float(middle[1]), float(size), angle))
    return regions, keypoints.is_seen


def skeleton_matte(
    person: Person, skeleton: Skeleton, place: np.ndarray, size: float
) -> np.ndarray:
    """What stands in for the matte: the skeleton widened, with a soft edge; (256, 256) uint8."""
    band = widened_skeleton(person, skeleton, place, SIDE, REACH * size)
    step = float(np.linalg.norm(place[:, 0]))
    soft = cv2.GaussianBlur(band.astype(np.uint8) * 255, (0, 0), max(0.5, SOFT * size * step))
    return np.asarray(soft)


def widened_skeleton(
    person: Person, skeleton: Skeleton, place: np.ndarray, side: int, reach: float
) -> np.ndarray:
    """The region around a dancer's skeleton, in a square crop: (side, side) bool.

    It reaches so many px of the video on either side of limbs and points. ``person`` is in px of
    the video, ``place`` (2, 3) from those to px of the crop; missing points are left out.
    """
    moved = {
        part: np.column_stack([points[:, :2] @ place[:, :2].T + place[:, 2], points[:, 2]])
        for part, points in person.items()
    }
    width = 2 * reach * float(np.linalg.norm(place[:, 0]))
    return dancer_band(moved, skeleton, (side, side), width)
