"""Parts as shown: head and feet of a dance brought to what the target has shown of them.

Beyond the paper. A generator paints a limb at any angle, but a head that is bowed as it never was
in training comes out flat or with ears of hair: nose, eyes and ears stand to the neck as in no
label before. Each part is therefore compared with the same part in the target's training frames,
and what lies farther from them than they do from each other is drawn towards them. Hands were tried
as well and are left alone: they came out fainter (docs/paper_map.md has the figures).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from edn_core.config import NormalizationConfig
from edn_core.keypoints import Keypoints
from edn_core.logs import LOGGER
from edn_core.normalize.paper import figure_heights
from edn_core.normalize.statistics import VideoStatistics, interpolated, measure_frames
from edn_core.skeleton import Skeleton, convert

NEAREST = 5  # training frames whose mean a part is drawn to
WITHIN = 50  # per cent of the training frames are as near to theirs: within this nothing is changed
APART_S = 1.0  # from these; nearer in time they are the same movement
YARDSTICK_FRAMES = 200
STEADIED_S = 0.1  # standard deviation of the Gaussian over what a part is drawn to, s
HEAD = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
FOOT = ("big_toe", "small_toe", "heel")


class Part(NamedTuple):
    """A part of the body that is compared and moved by itself."""

    start: str  # body keypoint where its limb starts
    end: str  # and ends: the part hangs on it and turns with the limb
    compared: list[int]  # rows of the body
    has_face: bool = False  # whether the face's points go along


def parts_of(skeleton: Skeleton) -> dict[str, Part]:
    """Head and feet of somebody with this skeleton of the body, by name."""

    def rows(*names: str) -> list[int]:
        return [skeleton.index(name) for name in names if skeleton.has(name)]

    parts = {"head": Part("hips", "neck", rows(*HEAD), has_face=True)}
    for side in ("left", "right"):
        foot = rows(*(f"{side}_{one}" for one in FOOT))
        parts[f"{side} foot"] = Part(f"{side}_knee", f"{side}_ankle", foot)
    return {name: part for name, part in parts.items() if part.compared}


@np.errstate(invalid="ignore")  # what is missing is NaN
def bring_to_shown(
    keypoints: Keypoints,
    target: Keypoints,
    statistics: VideoStatistics,
    known: Sequence[int],
    config: NormalizationConfig,
) -> Keypoints:
    """Draw the parts of a dance towards the nearest that the target has shown of them.

    A part is seen from the end of its limb, turned with it, in heights of the figure, by which the
    window scales it. With m the mean of the NEAREST of the target's training frames, d the distance
    of p from it (root mean square over the points), and w that which half of the training frames
    keep from theirs, those a second around them left out:

        p' = p + as_shown max(0, 1 - w / d) (m - p)

    What lies within w stays as danced; what lies beyond comes back to w. m and its factor are
    steadied over time. The face's points go with the head's: the more it is drawn, the more of them
    are the target's own. What was missing is missing, and scores are kept.

    The dance lies in the target's video already (normalize_keypoints); the target's keypoints are
    smoothed, perhaps of another skeleton, and ``known`` are those of its frames that are trained
    on. Mode edn_release leaves the dance alone.
    """
    if config.as_shown == 0 or config.mode == "edn_release":
        return keypoints
    skeleton, frames = keypoints.skeleton, np.asarray(known, int)
    points, theirs = _points(keypoints, skeleton), _points(target, skeleton)
    heights = figure_heights(target, statistics)
    steadied, apart = STEADIED_S * float(keypoints.fps), APART_S * float(target.fps)
    for part in parts_of(skeleton).values():
        along = range(len(skeleton), points.shape[1] if part.has_face else 0)
        columns, compared = [*part.compared, *along], slice(len(part.compared))
        origin, unit = _limb(keypoints, part, keypoints.figure_height)
        danced = (points[:, columns] - origin) / unit
        origin, their_unit = _limb(target, part, heights)
        shown = ((theirs[:, columns] - origin) / their_unit)[frames]
        found = np.isfinite(shown[:, compared]).sum(axis=0)
        usual = np.flatnonzero(2 * found > found.max(initial=0))
        drawn_to, distance = _nearest_shown(danced, shown, usual)
        within = _own_distance(shown[:, usual], frames, apart)
        pull = np.where(distance > within, 1 - within / np.maximum(distance, 1e-12), 0)
        pull = interpolated(np.where(np.isnan(distance), np.nan, pull))
        pull = config.as_shown * gaussian_filter1d(pull, steadied, mode="nearest")
        drawn_to = interpolated(_real(drawn_to)).view(complex)
        drawn_to = gaussian_filter1d(drawn_to, steadied, axis=0, mode="nearest")
        offset = pull[:, None] * (drawn_to - danced)
        usually = _mean(offset[:, compared])[:, None]  # of what the target never shows
        points[:, columns] += np.nan_to_num(unit * np.where(np.isnan(offset), usually, offset))
    moved = np.stack([points.real, points.imag], axis=-1).astype(np.float32)
    body, face = np.split(moved, [len(skeleton)], axis=1)
    result = keypoints.replaced(xy=keypoints.xy | {"body": body, "face": face})
    for name, far in part_changes(keypoints, result).items():
        LOGGER.info(f"{keypoints.video}: {name} drawn back in {100 * (far > 0).mean():.0f} %")
    return result


def part_changes(danced: Keypoints, shown: Keypoints) -> dict[str, np.ndarray]:
    """How far bring_to_shown moved each part, root mean square over what was compared of it.

    Name -> (T,) heights of the figure; NaN where the part is missing.
    """
    skeleton = danced.skeleton
    apart = (_points(shown, skeleton) - _points(danced, skeleton)) / danced.figure_height[:, None]
    return {name: _rms(apart[:, one.compared]) for name, one in parts_of(skeleton).items()}


def _nearest_shown(
    danced: np.ndarray, shown: np.ndarray, usual: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(T, K), the mean of the NEAREST of the shown (M, K) by these columns; (T,), how far it is."""
    has, have = np.isfinite(danced[:, usual]), np.isfinite(shown[:, usual])
    nearest, distance = np.full(danced.shape, np.nan, complex), np.full(len(danced), np.nan)
    for pattern in np.unique(has, axis=0):  # few: an ear is hidden
        rows = (has == pattern).all(axis=1)
        columns, candidates = usual[pattern], np.flatnonzero(have[:, pattern].all(axis=1))
        if not len(columns) or not len(candidates):
            continue
        tree, wanted = KDTree(_real(shown[candidates][:, columns])), danced[rows][:, columns]
        _, index = tree.query(_real(wanted), min(NEAREST, len(candidates)))
        nearest[rows] = _mean(shown[candidates[index.reshape(len(wanted), -1)]])
        distance[rows] = _rms(nearest[rows][:, columns] - wanted)
    return nearest, distance


def _own_distance(shown: np.ndarray, frames: np.ndarray, apart: float) -> float:
    """The distance that WITHIN of the shown (M, K) keep from theirs; infinite: too few to say."""
    whole = np.isfinite(shown).all(axis=1) & (shown.shape[1] > 0)
    known, frames = shown[whole], frames[whole]
    if len(known) < NEAREST:
        return np.inf
    rows = np.unique(np.linspace(0, len(known) - 1, YARDSTICK_FRAMES).round().astype(int))
    far = cdist(_real(known[rows]), _real(known))
    far[np.abs(frames[rows, None] - frames) < apart] = np.inf
    index = np.argpartition(far, NEAREST - 1, axis=1)[:, :NEAREST]
    enough = np.isfinite(np.take_along_axis(far, index, axis=1)).all(axis=1)
    distance = _rms(known[index].mean(axis=1) - known[rows])[enough]
    return float(np.percentile(distance, WITHIN)) if len(distance) else np.inf


def _points(keypoints: Keypoints, skeleton: Skeleton) -> np.ndarray:
    """(T, K of a skeleton's body and face) complex128, x + i y px: a turn is a product."""
    body = convert(keypoints.xy["body"], keypoints.skeleton, skeleton)
    xy = np.concatenate([body, keypoints.xy["face"]], axis=1)
    return np.ascontiguousarray(xy, np.float64).view(complex)[..., 0]


def _limb(keypoints: Keypoints, part: Part, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 1) complex px: the end of a part's limb, and a height of the figure in its direction."""
    hips, _ = measure_frames(keypoints, by_torso=True)
    start = hips if part.start == "hips" else keypoints.point(part.start)
    end = keypoints.point(part.end)
    along = (end - start) @ [1, 1j]
    along[along == 0] = np.nan
    return (end @ [1, 1j])[:, None], (heights * along / np.abs(along))[:, None]


def _real(values: np.ndarray) -> np.ndarray:
    """(N, K) complex as (N, 2 K) float."""
    return np.ascontiguousarray(values).view(float)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the second axis of what is not NaN; NaN where nothing is left."""
    return np.ma.masked_invalid(values).mean(axis=1).filled(np.nan)


def _rms(values: np.ndarray) -> np.ndarray:
    return np.sqrt(_mean(np.square(np.abs(values))))
