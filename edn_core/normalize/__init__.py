"""Global pose normalization: the source dancer's keypoints moved to where the target would stand.

Three modes: ``paper`` (the default), ``edn_release``, ``limbs``. Beyond the paper, because videos
differ and are short: the source is first made as large as the target's video, levels widen or fall
back step by step, jumps are told from steps, sideways movement is scaled, what is extrapolated is
clamped, and parts that go beyond what the target has shown are brought back (bring_to_shown).
"""

import math

import numpy as np

from edn_core.config import NormalizationConfig
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER
from edn_core.normalize.limbs import find_bone_ratios, retarget_limbs
from edn_core.normalize.paper import (
    Placement,
    figure_heights,
    height_at,
    median_height,
    place_figure,
    steadied,
)
from edn_core.normalize.release import normalize_by_release
from edn_core.normalize.shown import bring_to_shown, part_changes, parts_of
from edn_core.normalize.statistics import (
    TORSO,
    VideoStatistics,
    first_seen,
    interpolated,
    measure_frames,
    measure_level,
    measure_video,
    read_statistics,
    write_statistics,
)


def normalize_keypoints(
    keypoints: Keypoints,
    source: VideoStatistics,
    target: VideoStatistics,
    config: NormalizationConfig,
    target_keypoints: Keypoints,
) -> Keypoints:
    """Move the source's keypoints into the target's video, by its smoothed ones of any skeleton.

    The source is first scaled so that its pictures have as many pixels as the target's. ``paper``
    scales the figure about each frame's own ankles (place_figure); ``limbs`` then gives every limb
    the target's length (retarget_limbs); ``edn_release`` does what the released code does (module
    release) and takes neither the statistics nor the other settings into account.

    Returns:
        Keypoints of the source's length and rate in px of the target's video, of the dancer alone,
        with how tall the target stands there; what was missing is missing, and points may lie
        outside.

    Raises:
        Refused: the keypoints never show what their statistics were measured by; or mode
            edn_release cannot do it.
    """
    larger = enlargement(keypoints, target_keypoints.width, target_keypoints.height)
    keypoints, source = enlarged(keypoints, larger), source.scaled(larger)
    score = keypoints.score
    heights = None
    if config.mode == "edn_release":
        triples = normalize_by_release(keypoints, target_keypoints)
        xy = {part: one[..., :2] for part, one in triples.items()}
        score = {part: one[..., 2].astype(np.float32) for part, one in triples.items()}
    else:
        placement = place_figure(keypoints, source, target, config)
        if config.mode == "limbs":
            lengths = find_bone_ratios(
                keypoints, placement, source, target, target_keypoints, config.max_extrapolation
            )
            xy = retarget_limbs(keypoints, placement, lengths)
        else:
            xy = {part: placement.move(points) for part, points in keypoints.xy.items()}
        heights = placed_heights(placement, source, target, float(keypoints.fps))
        scale, shift = placement.scale, placement.placed[:, 1] - placement.pivot[:, 1]
        LOGGER.info(
            f"{keypoints.video} into {target_keypoints.video}: "
            f"scale {scale.min():.3f} to {scale.max():.3f}, "
            f"shift {shift.min():.1f} to {shift.max():.1f} px, "
            f"{int((~placement.seen).sum())} of {len(placement.seen)} frames interpolated"
        )
    moved = keypoints.replaced(
        xy={part: points.astype(np.float32) for part, points in xy.items()},
        score=score,
        width=target_keypoints.width,
        height=target_keypoints.height,
        normalized_to=target_keypoints.video,
    )
    if heights is None:  # the release's levels are others: by where the feet came to stand
        heights = figure_heights(moved, target)
    return moved.replaced(figure_height=heights.astype(np.float32))


def enlargement(keypoints: Keypoints, width: int, height: int) -> float:
    """What makes a video's pictures as large, by area, as others of a width and a height, px."""
    return math.sqrt(width * height / (keypoints.width * keypoints.height))


def enlarged(keypoints: Keypoints, factor: float) -> Keypoints:
    """The keypoints of the same video, its pictures made larger by a factor."""
    middle = (factor - 1) / 2
    size = round(factor * keypoints.height), round(factor * keypoints.width)
    return keypoints.moved(np.array([[factor, 0, middle], [0, factor, middle]]), size)


def placed_heights(
    placement: Placement, source: VideoStatistics, target: VideoStatistics, fps: float
) -> np.ndarray:
    """(T,) px, how tall the target stands, from ankle to head, where a dancer was placed."""
    if source.fallback or target.fallback:
        return np.full(len(placement.depth), median_height(target))
    return steadied(height_at(placement.depth, target), fps)
