"""The clean plate: the target's room without the dancer (``background: plate``).

Per pixel the median over the frames in which it lies outside the dancer's widened skeleton.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edn_core.errors import Refused, remake
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, Person
from edn_core.logs import LOGGER, progress
from edn_core.png import check_png
from edn_core.skeleton import Skeleton, part_skeleton
from edn_core.store import write_beside

BAND = 0.09  # part of the frame height; what counts as the person when frames are compared
REACH = 0.22  # of the dancer's own size: limb, clothes, hair, shadow, motion blur, errors of pose
FRAMES_USED = 200  # more change nothing, and memory would grow with the length of the video
MIN_SEEN = 0.04  # a pixel bare in fewer of those frames has no trustworthy median
TORSO = (("right", "shoulder"), ("left", "shoulder"), ("left", "hip"), ("right", "hip"))
MAX_DEVIATION = 12  # grey levels of median absolute deviation; above, something moves there


def dancer_band(
    person: Person, skeleton: Skeleton, size: tuple[int, int], width_fraction: float = BAND
) -> np.ndarray:
    """The region around a dancer's skeleton.

    Args:
        person: part -> (K, 3) of x, y, score; missing points are left out.
        skeleton: of the body part.
        size: (H, W) px.
        width_fraction: width of the band, as part of H.

    Returns:
        (H, W) bool; True within the band around limbs and single points.
    """
    band = np.zeros(size, np.uint8)
    width = max(1, round(width_fraction * size[0]))
    for part, points in person.items():
        found = np.isfinite(points[:, :2]).all(axis=1) & (points[:, 2] > 0)
        # Far outside the picture cv2's fixed-point coordinates would overflow.
        pixels = np.clip(np.nan_to_num(points[:, :2]), -8 * max(size), 8 * max(size))
        pixels = np.round(pixels).astype(int)
        for x, y in pixels[found]:
            cv2.circle(band, (int(x), int(y)), width // 2, 1, -1)
        part_of = part_skeleton(part, skeleton)
        for first, second in part_of.limbs:
            a, b = part_of.index(first), part_of.index(second)
            if found[a] and found[b]:
                cv2.line(band, tuple(pixels[a].tolist()), tuple(pixels[b].tolist()), 1, width)
        if part == "body":
            corners = [part_of.index(f"{side}_{one}") for side, one in TORSO]
            if found[corners].all():
                cv2.fillConvexPoly(band, cv2.convexHull(pixels[corners]), 1)
    return band.astype(bool)


def dancer_size(keypoints: Keypoints, frames: Sequence[int]) -> float:
    """Median of the body box's longer side, px, over frames in which the body was found."""
    body = keypoints.xy["body"][list(frames)]
    sides = np.nanmax(body, axis=1) - np.nanmin(body, axis=1)
    return float(np.median(sides.max(axis=1)))


def make_plate(images: np.ndarray, is_dancer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median of the bare pixels.

    Args:
        images: (N, H, W, 3) uint8.
        is_dancer: (N, H, W) bool, where the dancer may be.

    Returns:
        plate (H, W, 3) uint8 (0 where unknown) and seen (H, W) bool: bare in at least MIN_SEEN of
        the frames, and at rest.
    """
    n, height, width = is_dancer.shape
    plate = np.zeros((height, width, 3), np.uint8)
    seen = np.zeros((height, width), bool)
    hidden = 1000  # sorts behind every grey level
    for row in range(height):
        bare = ~is_dancer[:, row]
        count = bare.sum(axis=0)
        middle = np.maximum(count - 1, 0) // 2
        values = np.where(bare[..., None], images[:, row].astype(np.int16), hidden)
        median = np.take_along_axis(np.sort(values, axis=0), middle[None, :, None], axis=0)[0]
        deviation = np.where(bare[..., None], np.abs(values - median), hidden)
        spread = np.take_along_axis(np.sort(deviation, axis=0), middle[None, :, None], axis=0)[0]
        seen[row] = (count >= max(1, MIN_SEEN * n)) & (spread <= MAX_DEVIATION).all(axis=1)
        plate[row] = np.where(seen[row, :, None], median, 0)
    return plate, seen


def build_background(
    frames_path: str | Path, keypoints: Keypoints, frames: Sequence[int], plate_path: str | Path
) -> None:
    """Build a video's clean plate and write it as a PNG, transparent where it is unknown.

    Args:
        frames_path: the ``edn-frames`` store.
        keypoints: of the same video.
        frames: frame numbers that may be looked at (the training part).
        plate_path: (H, W) RGBA PNG to write.

    Raises:
        Refused: the dancer was found in none of the frames.
    """
    reader = FrameReader(frames_path)
    found = np.asarray((keypoints.score["body"] > 0).any(axis=1))
    usable = [frame for frame in frames if found[frame]]
    if not usable:
        raise Refused(
            frames_path,
            f"the dancer was found in none of the {len(frames)} training frames",
            remedy="look at preview.mp4 and film one whole person",
        )
    evenly = np.linspace(0, len(usable) - 1, FRAMES_USED).round().astype(int)
    width_fraction = REACH * dancer_size(keypoints, usable) / keypoints.height
    images, dancers = [], []
    for number in progress(np.unique(evenly).tolist(), f"background {keypoints.video}"):
        frame = usable[number]
        images.append(reader[frame])
        person = keypoints.person(frame)
        dancers.append(dancer_band(person, keypoints.skeleton, reader.info.size, width_fraction))
    plate, seen = make_plate(np.stack(images), np.stack(dancers))
    LOGGER.info(f"background {keypoints.video}: {seen.mean():.0%} of the room seen and at rest")
    write_plate(plate_path, plate, seen)


def write_plate(path: str | Path, plate: np.ndarray, seen: np.ndarray) -> None:
    """Write plate (H, W, 3) uint8 RGB and seen (H, W) bool as one RGBA PNG."""
    colours = cv2.cvtColor(plate, cv2.COLOR_RGB2BGR)
    alpha = seen.astype(np.uint8)[..., None] * 255
    with write_beside(path) as partial:
        # Not imwrite, which says nothing of a full disk.
        encoded = cv2.imencode(".png", np.concatenate([colours, alpha], axis=2))[1]
        partial.write_bytes(encoded.tobytes())


def read_plate(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a plate: (H, W, 3) uint8 RGB and seen (H, W) bool; Refused if it is none, or damaged."""
    check_png(path)
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise Refused(path, "another picture", "a background plate (RGBA)", remake(path))
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB), image[..., 3] > 127
