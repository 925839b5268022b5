"""The room: one sharp picture of the target's room without the dancer, at the video's full size.

Per pixel the median over the frames in which the dancer's matte leaves it bare; what is never bare
is inpainted. Not in the paper, whose generator paints the room as well (``background: paint``).
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from edn_core.errors import Refused
from edn_core.frames import FrameReader
from edn_core.inpainting import inpaint
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER, progress
from edn_core.normalize import VideoStatistics, figure_heights
from edn_core.shadow import (
    CELL,
    CELLS,
    EXPLAINED,
    SCHEMA,
    SCHEMA_VERSION,
    feet_of,
    measure_shadow,
    shade_of,
)
from edn_core.store import read_json, write_beside, write_json
from edn_core.video import decode

BARE = 0.1  # a pixel whose matte is above it is not bare
WIDENED = 0.02  # of the dancer's size: fringe and motion blur about the matte
FRAMES_USED = (24, 160)  # more change nothing
FRAMES_BYTES = 768 * 2**20  # of frames in memory; of large ones fewer are looked at
MIN_SEEN = 0.04  # a pixel bare in fewer of those frames has no trustworthy median
MIN_SEEN_BESIDE = (
    0.25  # the same beside what is never bare: there the matte's misses are all it saw
)
MAX_DEVIATION = 12  # grey levels of median absolute deviation; above, something moves there
GONE = 0.1  # shadow.EXPLAINED by what is left of it: no more is taken out of the room
MOST_ROUNDS = 4  # of taking it out
EMPTY_S = 1.0  # nobody found for so long: nobody is there


def build_room(
    video_path: str | Path,
    keypoints: Keypoints,
    statistics: VideoStatistics,
    masks_path: str | Path,
    frames: Sequence[int],
    room_path: str | Path,
    report_path: str | Path,
) -> None:
    """Build the room of a target and write it as a PNG (H, W, 3).

    Memory does not grow with the length of the video; of 4K footage fewer frames are looked at.

    Args:
        video_path: the target's video; keypoints, statistics and mattes are of the same.
        keypoints: of the dancer; Refused where he is in no frame.
        statistics: of the dancer.
        masks_path: the mattes.
        frames: frame numbers that may be looked at (the training part).
        room_path: file to write.
        report_path: JSON to write (``edn-room``): which part was never bare, which moves; the
            dancer's shadow.
    """
    masks = FrameReader(masks_path)
    with_dancer = [frame for frame in frames if masks.has(frame)]
    if not with_dancer:
        found = f"the dancer was found in none of its {len(frames)} training frames"
        raise Refused(keypoints.video, found, "", "look at preview.mp4 and film one whole person")
    size = keypoints.height, keypoints.width
    most = int(np.clip(FRAMES_BYTES // (3 * size[0] * size[1]), *FRAMES_USED))
    empty = empty_frames(masks, frames, float(keypoints.fps))
    used, unused = set(_spread(with_dancer, most)), set(_spread(empty, max(1, most // 8)))
    last = max(used | unused)
    images, bare, empties, looked_at = [], [], [], []
    decoded = zip(range(len(keypoints)), decode(video_path, keypoints.clip), strict=False)
    for frame, image in progress(decoded, f"room {keypoints.video}", last + 1):
        if frame in used:
            images.append(image)
            bare.append(bare_pixels(masks, frame, size))
            looked_at.append(frame)
        elif frame in unused:
            empties.append(image)
        if frame == last:
            break
    room, count, spread = median_of_bare(images, bare)
    heights = figure_heights(keypoints, statistics)
    never = count < max(1, MIN_SEEN * len(images))
    beside = cv2.dilate(never.astype(np.uint8), _disc(float(np.median(heights[looked_at])))) > 0
    never |= beside & (count < MIN_SEEN_BESIDE * len(images))
    moving = ~never & (spread > MAX_DEVIATION)
    feet = feet_of(keypoints, heights)[looked_at]
    shadow = take_out_shadow(images, bare, room, feet, heights[looked_at])
    if empties:
        room[never] = np.median(np.stack([one[never] for one in empties]), axis=0).astype(np.uint8)
        never[:] = False
    room = inpaint(room, never)
    report = {"never_bare": round(float(never.mean()), 5), "moving": round(float(moving.mean()), 5)}
    cells = [] if shadow is None else shadow.round(4).tolist()
    about = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **report, "shadow": cells}
    write_json(report_path, about)
    LOGGER.info(
        f"room {keypoints.video}: {report['never_bare']:.1%} of it was never bare and is made up, "
        f"{report['moving']:.1%} moves and is shown at rest; "
        + ("no shadow at the feet" if shadow is None else "the shadow at the feet is known")
    )
    encoded = cv2.imencode(".png", cv2.cvtColor(room, cv2.COLOR_RGB2BGR))[1]
    with write_beside(room_path) as partial:
        partial.write_bytes(encoded.tobytes())  # imwrite says nothing of a full disk


def take_out_shadow(
    images: list[np.ndarray],
    bare: list[np.ndarray],
    room: np.ndarray,
    feet: np.ndarray,
    heights: np.ndarray,
) -> np.ndarray | None:
    """Measure the dancer's shadow, and make the room anew from frames without it.

    Where he stands often, the median of the bare pixels holds a part of his shadow: a stain without
    anybody, and a shadow measured too bright. Each round about halves what is left of both.

    Arguments are measure_shadow's: images are used up, as memory is short; the room is made anew
    where there is a shadow. (22, 30) log of what a foot leaves of the light; None where none is to
    be seen.
    """
    shadow, explained = measure_shadow(images, bare, room, feet, heights)
    if explained < EXPLAINED:
        return None
    feet = feet.copy()
    reach, places = heights.max() * CELLS[1] * CELL[1] / 2, feet[feet[..., 2] > 0][:, 1]
    top, bottom = np.clip([places.min() - reach, places.max() + reach], 0, len(room)).astype(int)
    feet[..., 1] -= top
    part = room[top:bottom]
    for i, image in enumerate(images):
        images[i], bare[i] = image[top:bottom], bare[i][top:bottom]
    left, rounds = shadow, 0
    while explained > GONE and rounds < MOST_ROUNDS:
        for i, image in enumerate(images):
            light = shade_of(left, feet[i], heights[i], part.shape[:2])[..., None]
            images[i] = (image / light).round().clip(0, 255).astype(np.uint8)
        part[:] = median_of_bare(images, bare)[0]
        left, explained = measure_shadow(images, bare, part, feet, heights)
        shadow, rounds = shadow + left, rounds + 1
    return np.minimum(shadow, 0)


def _spread(items: Sequence[int], most: int) -> list[int]:
    chosen = np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))
    return [items[i] for i in chosen] if items else []


def empty_frames(masks: FrameReader, frames: Iterable[int], fps: float) -> list[int]:
    """Frames of an empty room: nobody was found in them for EMPTY_S at least.

    A detection that was missed for a moment must not paint the dancer into his room.
    """
    without = [frame for frame in frames if not masks.has(frame)]
    # Frames in a row are as far from their place in the list.
    grouped = groupby(enumerate(without), lambda one: one[1] - one[0])
    runs = [[frame for _, frame in run] for _, run in grouped]
    return [frame for run in runs if len(run) >= EMPTY_S * fps for frame in run]


def bare_pixels(masks: FrameReader, frame: int, size: tuple[int, int]) -> np.ndarray:
    """Where a frame with the dancer shows the room: (H, W) bool."""
    matte = masks[frame]
    rows = np.flatnonzero((matte > 127).any(axis=1))
    dancer_px = np.ptp(rows) if len(rows) else masks.info.height
    widened = cv2.dilate(matte, _disc(float(dancer_px)))
    covered = cv2.warpAffine(widened, masks.info.to_video[frame], size[::-1])
    return covered <= 255 * BARE


def _disc(dancer_px: float) -> np.ndarray:
    """What to widen by WIDENED with, for a dancer of so many pixels."""
    side = 2 * max(1, round(WIDENED * dancer_px)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def median_of_bare(
    images: Sequence[np.ndarray], bare: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median of the bare pixels of N images (H, W, 3) uint8 where they are bare, (H, W) bool.

    median (H, W, 3) uint8, in how many of the images each pixel is bare (H, W), and the median
    absolute deviation (H, W) of its most restless colour, grey levels.
    """
    height, width = bare[0].shape
    median = np.zeros((height, width, 3), np.uint8)
    count, spread = np.zeros((height, width), int), np.zeros((height, width), int)
    hidden = 1000  # sorts behind every grey level
    for row in range(height):
        is_bare = np.stack([one[row] for one in bare])
        colours = np.stack([one[row] for one in images]).astype(np.int16)
        count[row] = is_bare.sum(axis=0)
        middle = (np.maximum(count[row] - 1, 0) // 2)[None, :, None]
        values = np.where(is_bare[..., None], colours, hidden)
        one = np.take_along_axis(np.sort(values, axis=0), middle, axis=0)[0]
        deviation = np.where(is_bare[..., None], np.abs(values - one), hidden)
        apart = np.take_along_axis(np.sort(deviation, axis=0), middle, axis=0)[0]
        median[row], spread[row] = np.where(one == hidden, 0, one), apart.max(axis=1)
    return median, count, spread


def read_room_report(path: str | Path) -> dict[str, float]:
    """Read an ``edn-room`` file: parts of the picture, ``never_bare`` and ``moving``, 0 to 1."""
    content = read_json(path, (SCHEMA, SCHEMA_VERSION))
    return {name: content[name] for name in ("never_bare", "moving")}
