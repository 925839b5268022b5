"""Names for the points of MediaPipe's networks, and the way from them to our skeletons.

The order of the body points and the numbers of the face mesh's vertices are MediaPipe's
(Apache-2.0). Left and right are the person's. Hands need no map: MediaPipe and OpenPose put their
21 points in the same order.
"""

import numpy as np

from edn_core.skeleton import BODY_25, FACE_70

# The body network's points in its order; "index" and "little" are those fingers' first joints,
# the last two span the circle in which the next frame is searched.
_BLAZEPOSE_NAMES = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
    "left_ear right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_little right_little left_index right_index "
    "left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle "
    "left_heel right_heel left_big_toe right_big_toe circle_centre circle_edge"
)
_BLAZEPOSE = tuple(_BLAZEPOSE_NAMES.split())
N_HEAD_POINTS = 11  # the first points, nose to mouth

# Where a BODY_25 point is not one of the network's own, it is the middle of two.
_MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}

_FACE_MESH = {
    "jaw": (127, 234, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 454, 356),
    "right_brow": (70, 63, 105, 66, 107),
    "left_brow": (336, 296, 334, 293, 300),
    "nose_bridge": (168, 197, 5, 4),
    "nostril": (98, 97, 2, 326, 327),
    "right_eye": (33, 160, 158, 133, 153, 144),
    "left_eye": (362, 385, 387, 263, 373, 380),
    "outer_lip": (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    "inner_lip": (78, 82, 13, 312, 308, 317, 14, 87),
}


def blazepose_points(points: np.ndarray, *names: str) -> np.ndarray:
    """Some of the body network's points by name: (39, C) -> (number of names, C)."""
    return points[[_BLAZEPOSE.index(name) for name in names]]


def body_from_blazepose(points: np.ndarray) -> np.ndarray:
    """BODY_25 points from the body network's.

    Neck and mid-hip are the middles of shoulders and hips, as certain as the less certain of the
    two. The network has no small toes: they are missing.

    Args:
        points: (39, 3) x px, y px, visibility 0..1.

    Returns:
        (25, 3) float32, likewise; NaN, NaN, 0 for the small toes.
    """
    body = np.full((len(BODY_25), 3), (np.nan, np.nan, 0), np.float32)
    for row, name in enumerate(BODY_25.keypoints):
        sources = _MIDDLES.get(name, (name,))
        if set(sources) <= set(_BLAZEPOSE):
            found = blazepose_points(points, *sources)
            body[row] = (*found[:, :2].mean(axis=0), found[:, 2].min())
    return body


def face_mesh_points(mesh: np.ndarray, *names: str) -> np.ndarray:
    """Some vertices of the face mesh by FACE_70 names (not pupils): (468, C) -> (N, C)."""
    parted = [name.rpartition("_") for name in names]
    return mesh[[_FACE_MESH[group][int(number)] for group, _, number in parted]]


def face_from_mesh(mesh: np.ndarray) -> np.ndarray:
    """FACE_70 points from the face mesh's vertices; a pupil is the middle of its eye's outline.

    Args:
        mesh: (468, 2) px.

    Returns:
        (70, 2) float32 px.
    """
    face = np.empty((len(FACE_70), 2), np.float32)
    for row, name in enumerate(FACE_70.keypoints):
        if name.endswith("_pupil"):
            eye = name.replace("_pupil", "_eye")
            face[row] = mesh[list(_FACE_MESH[eye])].mean(axis=0)
        else:
            face[row] = face_mesh_points(mesh, name)[0]
    return face


def with_score(xy: np.ndarray, score: float) -> np.ndarray:
    """Give all points of a part one score: (K, 2) -> (K, 3) float32."""
    return np.column_stack([xy, np.full(len(xy), score)]).astype(np.float32)


def drop_unsure(points: np.ndarray, min_score: float, size: tuple[int, int]) -> np.ndarray:
    """Make points missing that are too uncertain or lie outside the image.

    Args:
        points: (K, 3) x px, y px, score.
        min_score: 0..1.
        size: (H, W) of the image.

    Returns:
        (K, 3) float32; NaN, NaN, 0 where missing, else a score in (0, 1].
    """
    height, width = size
    x, y, score = points.T
    with np.errstate(invalid="ignore"):
        is_inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        is_found = is_inside & (score >= min_score)
    kept = np.where(is_found[:, None], points, (np.nan, np.nan, 0)).astype(np.float32)
    # A found point's score is above 0 by contract, even where min_score is 0.
    kept[is_found, 2] = kept[is_found, 2].clip(1e-6, 1)
    return kept
