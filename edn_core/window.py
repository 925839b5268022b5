"""The window: the dancer's own frame of reference, in which everything is painted.

Per frame a centre and a scale, from video px to window px, by the keypoints alone: the networks see
every dancer at the same place and of the same size, so where in the room he dances does not matter,
and all of the picture's pixels go to him. Not in the paper, whose window is the whole picture
(``background: paint``).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from edn_core.errors import Refused
from edn_core.frames import FramesInfo
from edn_core.keypoints import Keypoints
from edn_core.normalize import VideoStatistics, figure_heights, first_seen, interpolated
from edn_core.skeleton import PARTS
from edn_core.store import read_json, write_json

SCHEMA = "edn-window"
SCHEMA_VERSION = 1
MULTIPLE = 32  # the deepest network halves five times
OVERHEAD = 1.25  # a window may have so many times the pixels asked for: its sides are rounded
ASPECTS = (1 / 2, 3 / 5, 3 / 4, 1.0)
"""Width by height: few shapes, so that what was compiled for one target serves others."""
CENTRE_S = 0.15  # standard deviation of the Gaussian that steadies the centre, s
REACHED = 99.5  # per cent of the training frames whose keypoints lie inside
MARGIN = 0.06  # of the figure's height, beyond the farthest keypoint: clothes, hair, soles
CROWN = 0.1  # of the figure's height, from the eyes to above the hair
ENLARGED = 2.0  # a dancer filmed small is enlarged by no more; the generator sees half of it


@dataclass(frozen=True)
class Window:
    """What window a target is painted in (``edn-window``)."""

    video: str  # the target's name
    width: int  # of the window, px
    height: int
    video_width: int  # of the target's video, px
    video_height: int
    figure_px: float  # the dancer's, ankle to head, px; 0: it is the whole picture, at rest
    x: float  # where the middle of the hips lies, px; of the whole picture its corner
    y: float
    scale: float = 0.0  # window px per video px, of the whole picture; 0: it follows him

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) px."""
        return self.height, self.width


def plan_window(
    keypoints: Keypoints,
    statistics: VideoStatistics,
    frames: Sequence[int],
    pixels: int,
    is_whole: bool = False,
) -> Window:
    """Choose the window of a target: the largest figure within the budget of pixels.

    It reaches as far from the hips as the keypoints of the training frames do, and a little
    farther; a dance that reaches still farther is cut. If it ``is_whole``, it is whole_picture.
    Refused where none of the training frames shows the dancer.
    """
    if is_whole:
        return whole_picture(keypoints.video, keypoints.width, keypoints.height, pixels)
    heights = figure_heights(keypoints, statistics)
    seen = keypoints.is_seen
    chosen = [frame for frame in frames if seen[frame]]
    if not chosen:
        found = f"the dancer was found in none of its {len(frames)} training frames"
        raise Refused(keypoints.video, found, "", "look at preview.mp4 and film one whole person")
    left, right, up, down = extents(keypoints, heights, chosen)
    wide, high = left + right, up + down
    fitting, _, width, height = max(
        (min(width / wide, height / high), -width * height, width, height)
        for width, height in window_shapes(pixels)
    )
    figure_px = min(float(fitting), ENLARGED * float(np.median(heights[chosen])))
    # What the shape has to spare goes to both sides alike.
    x = figure_px * left + (width - figure_px * wide) / 2 - 0.5
    y = figure_px * up + (height - figure_px * high) / 2 - 0.5
    filmed = keypoints.width, keypoints.height
    return Window(keypoints.video, width, height, *filmed, figure_px, float(x), float(y))


def extents(
    keypoints: Keypoints, heights: np.ndarray, frames: Sequence[int]
) -> tuple[float, float, float, float]:
    """How far a dancer reaches to the left, right, up and down of the hips, and a little farther.

    In heights of the dancer, who stands ``heights`` (T,) px tall, over frames that show him.
    """
    points = np.concatenate([keypoints.xy[part][frames] for part in PARTS], axis=1)
    reach = (points - hips_of(keypoints)[frames, None]) / heights[frames, None, None]
    left, up = (-np.nanpercentile(np.nanmin(reach, axis=1), 100 - REACHED, axis=0)).tolist()
    right, down = np.nanpercentile(np.nanmax(reach, axis=1), REACHED, axis=0).tolist()
    return left + MARGIN, right + MARGIN, up + MARGIN + CROWN, down + MARGIN


def window_shapes(pixels: int) -> list[tuple[int, int]]:
    """The (W, H) that a budget of pixels allows, one for each of ASPECTS."""
    shapes = [
        # The largest figure of that aspect; of equal ones the smaller window.
        max(_sizes(pixels), key=lambda one: (min(one[0] / aspect, one[1]), -one[0] * one[1]))
        for aspect in ASPECTS
    ]
    return list(dict.fromkeys(shapes))


def _sizes(pixels: int) -> Iterator[tuple[int, int]]:
    """Every (W, H) of a window within the budget."""
    most = max(pixels * OVERHEAD, MULTIPLE**2)
    for wide in range(MULTIPLE, int(most / MULTIPLE) + 1, MULTIPLE):
        for high in range(MULTIPLE, int(most / wide) + 1, MULTIPLE):
            yield wide, high


def whole_picture(video: str, width: int, height: int, pixels: int) -> Window:
    """The window of ``background: paint``: the whole video at rest, its aspect kept.

    The most picture within the budget of pixels, the least padding; a smaller video is not
    enlarged.
    """
    wanted = min(1.0, math.sqrt(pixels / (width * height)))
    scale, _, high, wide = max(
        (min(wanted, wide / width, high / height), -wide * high, high, wide)
        for wide, high in _sizes(pixels)
    )
    x, y = ((side - length * scale) / 2 - 0.5 for side, length in ((wide, width), (high, height)))
    return Window(video, wide, high, width, height, 0.0, x, y, scale)


def hips_of(keypoints: Keypoints) -> np.ndarray:
    """The middle of the hips, steadied over time: (T, 2) float64 px, finite in every frame.

    Where the hips are missing it hangs at the neck as it usually does; longer gaps are bridged, so
    that nothing that comes into the picture or a lost frame makes it jump.
    """
    middle = (keypoints.point("right_hip") + keypoints.point("left_hip")) / 2
    hips = first_seen(keypoints.point("mid_hip"), middle).astype(np.float64)
    neck = keypoints.point("neck").astype(np.float64)
    usual = np.nanmedian(hips - neck, axis=0) if np.isfinite(hips - neck).any() else np.nan
    found = interpolated(first_seen(hips, neck + usual, neck))
    if np.isnan(found).any():
        return np.tile([keypoints.width / 2, keypoints.height / 2], (len(keypoints), 1))
    return gaussian_filter1d(found, CENTRE_S * float(keypoints.fps), axis=0, mode="nearest")


def place_window(window: Window, keypoints: Keypoints, statistics: VideoStatistics) -> np.ndarray:
    """Where the window lies in every frame: (T, 2, 3) float64, window px -> video px.

    The keypoints are the target's, or of a dance that was moved into its video; the target's
    statistics say how tall the dancer stands at each depth.
    """
    to_video = np.zeros((len(keypoints), 2, 3))
    if window.scale:
        step = np.full(len(keypoints), 1 / window.scale)
        anchor = np.full((len(keypoints), 2), -0.5)
    else:
        heights = keypoints.figure_height.astype(np.float64)
        if np.isnan(heights).any():
            heights = figure_heights(keypoints, statistics)
        step, anchor = heights / window.figure_px, hips_of(keypoints)
    to_video[:, 0, 0] = to_video[:, 1, 1] = step
    to_video[:, :, 2] = anchor - step[:, None] * np.array([window.x, window.y])
    return to_video


def frames_info(window: Window, keypoints: Keypoints, statistics: VideoStatistics) -> FramesInfo:
    """What a store of pictures in the window is, for the frames of some keypoints."""
    return FramesInfo(
        video=keypoints.video,
        n_frames=len(keypoints),
        fps=keypoints.fps,
        width=window.width,
        height=window.height,
        video_width=window.video_width,
        video_height=window.video_height,
        to_video=place_window(window, keypoints, statistics),
        start_s=keypoints.start_s,
        figure_px=window.figure_px,
    )


def in_window(keypoints: Keypoints, info: FramesInfo) -> Keypoints:
    """Keypoints in px of the pictures of a store; the dancer alone."""
    return keypoints.moved(info.to_picture, info.size)


def write_window(path: str | Path, window: Window) -> None:
    """Write an ``edn-window`` file, atomically."""
    write_json(path, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(window)})


def read_window(path: str | Path) -> Window:
    """Read an ``edn-window`` file; Refused if it is none, or of another version."""
    content = read_json(path, (SCHEMA, SCHEMA_VERSION))
    del content["schema"], content["schema_version"]
    return Window(**content)
