"""Names for the points of MediaPipe's networks, and the way from them to our skeletons.

The order of the body points and the numbers of the face mesh's vertices are MediaPipe's
(Apache-2.0). Left and right are the person's. Hands need no map: MediaPipe and OpenPose put their
21 points in the same order.
"""

import numpy as np

from edn_core.skeleton import BODY_25, FACE_70, Skeleton, convert

# "index" and "little" are those fingers' first joints, the last two span the circle in which the
# next frame is searched.
_NAMES = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
    "left_ear right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_little right_little left_index right_index "
    "left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle "
    "left_heel right_heel left_big_toe right_big_toe circle_centre circle_edge"
)
BLAZEPOSE = Skeleton("BLAZEPOSE", tuple(_NAMES.split()), limbs=())
"""The body network's points in its order."""
N_HEAD_POINTS = 11  # the first points, nose to mouth

_VERTICES = (
    *(127, 234, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 454, 356),  # jaw
    *(70, 63, 105, 66, 107),  # right brow
    *(336, 296, 334, 293, 300),  # left brow
    *(168, 197, 5, 4),  # bridge of the nose
    *(98, 97, 2, 326, 327),  # nostrils
    *(33, 160, 158, 133, 153, 144),  # right eye
    *(362, 385, 387, 263, 373, 380),  # left eye
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
)
FACE_MESH = dict(zip(FACE_70.keypoints, _VERTICES, strict=False))
"""Vertex of the face mesh for each point of FACE_70 but the pupils, which come last there."""
_MESH_POINTS = Skeleton("FACE_MESH", tuple(FACE_MESH), limbs=())


def blazepose_points(points: np.ndarray, *names: str) -> np.ndarray:
    """Some of the body network's points by name: (39, C) -> (number of names, C)."""
    return points[[BLAZEPOSE.index(name) for name in names]]


def body_from_blazepose(points: np.ndarray) -> np.ndarray:
    """BODY_25 points, (25, 3) float32, from the body network's (39, 3) x px, y px, visibility 0..1.

    Neck and mid-hip are the middles of shoulders and hips, as certain as the less certain of the
    two. The network has no small toes: they are NaN, NaN, 0.
    """
    return convert(points, BLAZEPOSE, BODY_25, derive=True).astype(np.float32)


def face_from_mesh(mesh: np.ndarray) -> np.ndarray:
    """FACE_70 points, (70, 2) float32 px, from the face mesh's (468, 2) vertices.

    A pupil is the middle of its eye's outline.
    """
    points = mesh[list(FACE_MESH.values())]
    return convert(points, _MESH_POINTS, FACE_70, derive=True).astype(np.float32)


def with_score(xy: np.ndarray, score: float) -> np.ndarray:
    """Give all points of a part one score: (K, 2) -> (K, 3) float32."""
    return np.column_stack([xy, np.full(len(xy), score)]).astype(np.float32)
