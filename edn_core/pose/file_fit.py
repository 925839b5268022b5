"""Whether keypoints from files fit the video at hand: their numbers, their scale, their place.

What was guessed is checked against what is known of the video. What does not fit is asked back
(Refused, with the setting that answers), or told as a Doubt.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edn_core.config import PoseConfig
from edn_core.errors import Refused
from edn_core.keypoints import Doubt
from edn_core.timeline import Clip

BEYOND = 0.05  # of the picture's size: a point farther outside was not found in this video
LOW_SCORE = 0.3  # a point below it may be a stray one
FEW = 0.01  # of the points, or frames
MOST_OUTSIDE = 0.05  # of the surer points; more: the files are of another video
SIGNED = 0.1  # of the points below 0, from which on they are surely -1..1
SAME_ASPECT = 0.02  # a canvas rounded to whole px, or to multiples of 8
ABOVE_ONE = 1.2  # a little above 1 OpenPose itself writes


def find_first(
    numbers: list[int], video: Clip, config: PoseConfig, counted: bool, path: str | Path
) -> tuple[int, list[Doubt]]:
    """The number of the file that belongs to the video's first frame, and what is odd about them.

    ``numbers`` ascend; ``counted``: surely from 0 on, as OpenPose does with a video's frames.
    Raises Refused: they fit in no way; asks for pose.first_number.
    """
    low, high, n_frames = numbers[0], numbers[-1], video.n_frames
    say = f"say in pose.first_number (or videos: {{{video.video}: {{first_number: ...}}}})"
    first, doubts = config.first_number or 0, []
    if config.first_number is None:
        if high - low + 1 == n_frames:
            first = low
        elif high == n_frames and low > 0:
            first = 1
        elif high >= n_frames and (low > 0 or high >= n_frames + max(2, FEW * n_frames)):
            found = f"files {low} to {high}, but the video has {n_frames} frames"
            more = "which number its first frame has, or give the files of this very video"
            raise Refused(path, found, "", f"{say} {more}")
        elif low > 0 and not counted:
            says = f"files {low} to {high} were counted from 0, but may be from 1: {say}"
            doubts.append(Doubt("numbers from 0 or 1", 1 - len(numbers) / n_frames, says))
    beyond = sum(not first <= number < first + n_frames for number in numbers)
    if beyond:
        says = f"{beyond} of {len(numbers)} files lie beyond the video's {n_frames} frames"
        doubts.append(Doubt("files beyond video", beyond / len(numbers), says))
    missing = min(n_frames, first + n_frames - 1 - high)
    if len(numbers) == high - low + 1 and missing > max(1, FEW * n_frames):
        says = f"the files end {missing} frames before the video: of every other frame, or rate?"
        doubts.append(Doubt("files end early", missing / n_frames, says))
    return first, doubts


def tell_coordinates(points: np.ndarray, path: str | Path) -> tuple[str, str]:
    """What the numbers of a video's points (M, 3) are, and in words why, by their range.

    ``pixels``, ``fraction`` or ``signed`` (see to_pixels). Raises Refused where it may be one or
    the other: asks for pose.coordinates.
    """
    xy, score = points[:, :2].astype(np.float64), points[:, 2]
    in_unit, in_signed = (((xy >= low) & (xy <= 1)).all(axis=1) for low in (0, -1))
    large, below = (np.abs(xy) > 2).mean(), (xy < 0).any(axis=1).mean()

    def all_but_strays(inside: Any) -> bool:
        return bool((~inside).mean() <= FEW and (score[~inside] < LOW_SCORE).all())

    may_be = "pixels, fractions of the picture or -1..1"
    # Only points in the picture's very corner have pixels up to 2.
    if large > 0.5:
        return "pixels", f"{large:.0%} of the numbers lie beyond 2"
    if all_but_strays(in_unit):
        low, high = xy[in_unit].min(axis=0), xy[in_unit].max(axis=0)
        # As -1..1 he would be half as large, right of and below the middle: nobody films a dancer
        # so, where as fractions he is large and near the middle.
        if abs(low[0] + high[0] - 1) <= 0.5 and high[1] - low[1] >= 0.4:
            return "fraction", f"{in_unit.sum()} of {len(xy)} points lie in 0..1"
        may_be = "fractions of the picture, or -1..1 of its lower right quarter"
    elif all_but_strays(in_signed) and below >= SIGNED:
        return "signed", f"{in_signed.sum()} of {len(xy)} points lie in -1..1, {below:.0%} below 0"
    found = f"the coordinates lie in {xy.min():.4g}..{xy.max():.4g}, {(~in_unit).mean():.1%} of the"
    found += f" points outside of 0..1; they may be {may_be}"
    raise Refused(path, found, "", "say which: pose.coordinates: pixels, fraction or signed")


def to_pixels(
    xy: np.ndarray,
    canvas: np.ndarray,
    wheres: list[str],
    size: tuple[int, int],
    coordinates: str,
    fit: str,
) -> np.ndarray:
    """(N, K, 2) points of N people, each on its canvas (N, 2) width, height, in px of the video.

    ``pixels`` are those of the canvas, ``fraction`` 0..1 or
    ``signed`` -1..1 from the centre of its first pixel to that of its last (OpenPose's
    --keypoint_scale 0, 3, 4). On a canvas of another aspect than the (H, W) ``size`` the video was
    ``stretched``, lies ``letterboxed`` in its middle, or its middle was ``cropped``. Raises
    Refused: nobody said which of them.
    """
    last, shown = canvas[:, None] - 1, np.array(size[::-1], np.float64)
    if coordinates == "fraction":
        xy = xy * last
    elif coordinates == "signed":
        xy = (xy + 1) / 2 * last
    scale = (shown / canvas)[:, None]
    differs = np.abs(scale[:, 0, 0] / scale[:, 0, 1] - 1) > SAME_ASPECT
    if fit == "auto" and differs.any():
        (width, height), where = canvas[differs][0], wheres[differs.argmax()]
        found = f"points on a canvas of {width:.0f}x{height:.0f}, the video is {size[1]}x{size[0]}"
        say = "say in pose.canvas_fit how it fits: stretched, letterboxed or cropped"
        raise Refused(where, found, "the same aspect", f"{say}; or give files of the video's size")
    if fit == "letterboxed":
        scale = scale.max(axis=2, keepdims=True)
    elif fit == "cropped":
        scale = scale.min(axis=2, keepdims=True)
    moved: np.ndarray = (xy - last / 2) * scale + (shown - 1) / 2
    return moved


def drop_outside(
    points: np.ndarray, frames: np.ndarray, wheres: list[str], size: tuple[int, int]
) -> list[Doubt]:
    """Make those of (N, K, 3) points missing, in place, that lie outside the (H, W) picture.

    Those of a low score at all, the surer ones far outside. Raises Refused: too many of the surer
    ones; names the first.
    """
    x, y, score = np.moveaxis(points.astype(np.float64), 2, 0)
    away = np.fmax(np.abs((x + 0.5) / size[1] - 0.5), np.abs((y + 0.5) / size[0] - 0.5)) - 0.5
    outside = (score > 0) & ((away > BEYOND) | ((away > 0) & (score < LOW_SCORE)))
    sure = outside & (score >= LOW_SCORE)
    of_sure = sure.sum() / max(1, (score >= LOW_SCORE).sum())
    if of_sure > MOST_OUTSIDE:
        one, point = np.argwhere(sure)[0]
        place = f"({x[one, point]:.0f}, {y[one, point]:.0f})"
        found = f"a point lies at {place}, the video is {size[1]}x{size[0]}; so do {of_sure:.0%}"
        own = "give the files of this very video, written with --keypoint_scale 0"
        raise Refused(wheres[one], found, "", f"{own}, or correct pose.coordinates")
    points[outside] = np.nan, np.nan, 0
    concerned = np.unique(frames[outside.any(axis=1)])
    doubts = []
    if len(concerned):
        says = f"{outside.sum()} of {(score > 0).sum()} points lie outside the picture and are "
        says += f"missing, in {len(concerned)} frames, first in frame {concerned[0]}"
        doubts.append(Doubt("points outside", len(concerned) / len(np.unique(frames)), says))
    if not ((x > 0.55 * size[1]) | (y > 0.55 * size[0]))[score > 0].any():
        says = "all points lie in the upper left quarter: were they found in a smaller picture?"
        doubts.append(Doubt("smaller picture", 1.0, says))
    return doubts


def doubt_scores(scores: np.ndarray, frames: np.ndarray) -> list[Doubt]:
    """What is odd about scores (N, K) as the files have them; ``frames`` (N,) says of when."""
    share = len(np.unique(frames[(scores > ABOVE_ONE).any(axis=1)])) / len(np.unique(frames))
    says = f"scores run to {scores.max():.4g}, not to 1, in {share:.0%} of the frames: such are 1"
    return [Doubt("scores above 1", share, says)] if share >= FEW else []
