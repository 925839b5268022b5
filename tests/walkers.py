"""People who stand and walk upright, as keypoints with numbers one can do in one's head.

``fixtures/posenorm.npz`` holds keypoints of drawn dancers in the EDN_23 layout at 1920 x 1080:
clean, messy (missing points), small_range, sparse (few frames, lifted feet).
"""

from fractions import Fraction
from pathlib import Path

import numpy as np

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import from_people
from edn_core.normalize import measure_video, normalize_keypoints
from edn_core.skeleton import BODY_25, EDN_23, convert

FIXTURE = Path(__file__).parent / "fixtures" / "posenorm.npz"
CASES = ("clean", "messy", "small_range", "sparse")
# The frame's own ankles decide, as in the paper.
UNFILTERED = StatisticsConfig(level_window_s=0)


def dancer(ankle_y, ankle_x=100.0, height=150.0, size=(400, 400), video="walk", without=()):
    """A person standing upright; ankles 20 px apart, hips half-way up, shoulders at 5/6."""
    ankle_y, ankle_x, height = np.broadcast_arrays(np.asarray(ankle_y, float), ankle_x, height)
    body = np.full((len(ankle_y), len(BODY_25), 3), [np.nan, np.nan, 0], np.float32)
    places = {
        "nose": (0, 1.0),
        "left_ankle": (10, 0.0),
        "right_ankle": (-10, 0.0),
        "left_hip": (10, 0.5),
        "right_hip": (-10, 0.5),
        "left_shoulder": (20, 5 / 6),
        "right_shoulder": (-20, 5 / 6),
    }
    for name, (dx, up) in places.items():
        if name not in without:
            point = np.stack([ankle_x + dx, ankle_y - up * height], axis=1)
            body[:, BODY_25.index(name), :2] = point
            body[:, BODY_25.index(name), 2] = np.isfinite(point).all(axis=1)
    return of_bodies(body, BODY_25, video, size)


def of_bodies(bodies, skeleton, video, size, fps=25):
    """(T, K, 3) as the keypoints of a video; no faces, no hands."""
    people = [{"body": body} for body in bodies]
    about = {"width": size[1], "height": size[0], "fps": Fraction(fps), "video": video}
    return from_people(people, skeleton, **about)


def walking(n_frames=41, **changes):
    """Walks from y = 300 to 380 and back; 100 px tall far away, 150 px close."""
    depth = (1 - np.cos(np.linspace(0, 2 * np.pi, n_frames))) / 2
    return dancer(300 + 80 * depth, ankle_x=150.0, height=100 + 50 * depth, **changes)


def with_ears(keypoints):
    """Ears 10 px beside the nose."""
    xy, score = keypoints.xy["body"].copy(), keypoints.score["body"].copy()
    for name, dx in (("left_ear", 10), ("right_ear", -10)):
        row = keypoints.skeleton.index(name)
        xy[:, row] = keypoints.point("nose") + np.array([dx, 0])
        score[:, row] = keypoints.point_score("nose")
    return keypoints.replaced(
        xy={**keypoints.xy, "body": xy}, score={**keypoints.score, "body": score}
    )


def moved(keypoints, scale=1.0, offset=(0.0, 0.0)):
    """The same video filmed larger and elsewhere in the picture."""
    offset = np.array(offset) + (scale - 1) / 2  # pixel centres are whole numbers
    xy = {part: (scale * v + offset).astype(np.float32) for part, v in keypoints.xy.items()}
    width, height = round(scale * keypoints.width), round(scale * keypoints.height)
    return keypoints.replaced(xy=xy, width=width, height=height)


def blank(width, height, video="target"):
    """A video whose size is all that matters."""
    return dancer([np.nan], size=(height, width), video=video)


def without(keypoints, *names, frames=slice(None)):
    """The same with some body points not found, in some frames."""
    xy, score = keypoints.xy["body"].copy(), keypoints.score["body"].copy()
    for name in names:
        xy[frames, keypoints.skeleton.index(name)] = np.nan
        score[frames, keypoints.skeleton.index(name)] = 0
    return keypoints.replaced(
        xy={**keypoints.xy, "body": xy}, score={**keypoints.score, "body": score}
    )


def in_skeleton(keypoints, skeleton):
    """The same dancer in another layout."""
    xy = convert(keypoints.xy["body"], keypoints.skeleton, skeleton)
    score = np.nan_to_num(
        convert(keypoints.score["body"][..., None], keypoints.skeleton, skeleton)
    )[..., 0]
    return keypoints.replaced(
        xy={**keypoints.xy, "body": xy},
        score={**keypoints.score, "body": score},
        skeleton=skeleton,
    ).without_bystanders()


def transfer(source, target, config=None, statistics=None):
    """Measure both and normalize."""
    measured = [measure_video(one, statistics or StatisticsConfig()) for one in (source, target)]
    return normalize_keypoints(source, *measured, config or NormalizationConfig(), target)


def fixture_video(case, role):
    """One of the drawn dancers; body only."""
    pose = np.load(FIXTURE)[f"{case}/{role}/pose"]
    body = np.where(pose[..., 2:] > 0, pose, np.float32([np.nan, np.nan, 0]))
    return of_bodies(body, EDN_23, f"{case}_{role}", (1080, 1920), fps=30)
