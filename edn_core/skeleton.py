"""Which keypoint is where: the skeletons, their limbs.

Layouts: OpenPose's BODY_25 and COCO-18, the 23-point layout of the method's own data ("edn23"),
the 70 face points and the 21 hand points; COCO-WholeBody's 133 points, from which a pose backend
converts. Nothing else in the library knows an index number.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """A named set of keypoints in a fixed order.

    Attributes:
        name: as stored in ``edn-keypoints`` files.
        keypoints: one name per row of the arrays.
        limbs: pairs of names in drawing order.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Row of a keypoint.

        Raises:
            ValueError: no such keypoint; lists the known names.
        """
        if keypoint not in self.keypoints:
            raise ValueError(
                f"skeleton {self.name} has no keypoint {keypoint!r}; "
                f"known: {', '.join(self.keypoints)}"
            )
        return self.keypoints.index(keypoint)

    def has(self, keypoint: str) -> bool:
        """Whether the skeleton has this keypoint."""
        return keypoint in self.keypoints


def _body(name: str, keypoints: str, limbs: str) -> Skeleton:
    """A body from its keypoints in order, and its limbs as pairs of their numbers."""
    names = tuple(keypoints.split())
    pairs = [pair.split("-") for pair in limbs.split()]
    return Skeleton(
        name=name,
        keypoints=names,
        limbs=tuple((names[int(first)], names[int(second)]) for first, second in pairs),
    )


BODY_25 = _body(
    "BODY_25",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear "
    "left_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel",
    "0-1 0-15 0-16 1-2 1-5 1-8 2-3 3-4 5-6 6-7 8-9 8-12 9-10 10-11 11-22 11-24 12-13 13-14 14-19 "
    "14-21 15-17 16-18 19-20 22-23",
)
COCO_18 = _body(
    "COCO_18",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear "
    "left_ear",
    "1-2 1-5 2-3 3-4 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13 1-0 0-14 14-16 0-15 15-17",
)
EDN_23 = _body(
    "EDN_23",
    "neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
    "right_hip right_knee right_ankle right_big_toe right_small_toe left_hip left_knee left_ankle "
    "left_big_toe left_small_toe nose right_eye right_ear left_eye left_ear",
    "0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 9-10 10-11 10-12 7-13 13-14 14-15 15-16 15-17 0-18 18-19 "
    "19-20 18-21 21-22",
)

_FACE_70 = (
    [f"jaw_{i}" for i in range(17)]
    + [f"right_brow_{i}" for i in range(5)]
    + [f"left_brow_{i}" for i in range(5)]
    + [f"nose_bridge_{i}" for i in range(4)]
    + [f"nostril_{i}" for i in range(5)]
    + [f"right_eye_{i}" for i in range(6)]
    + [f"left_eye_{i}" for i in range(6)]
    + [f"outer_lip_{i}" for i in range(12)]
    + [f"inner_lip_{i}" for i in range(8)]
    + ["right_pupil", "left_pupil"]
)


FACE_70 = Skeleton(name="FACE_70", keypoints=tuple(_FACE_70), limbs=())
FINGERS = ("thumb", "index", "middle", "ring", "little")
HAND_21 = Skeleton(
    name="HAND_21",
    keypoints=("wrist", *(f"{finger}_{joint}" for finger in FINGERS for joint in range(1, 5))),
    limbs=tuple(
        limb
        for finger in FINGERS
        for limb in (
            (f"{finger}_1", f"{finger}_2"),
            (f"{finger}_2", f"{finger}_3"),
            (f"{finger}_3", f"{finger}_4"),
            ("wrist", f"{finger}_1"),
        )
    ),
)

# COCO-WholeBody: COCO's 17 body points, feet, OpenPose's face without pupils, both hands.
_COCO_17 = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)
_FEET = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
_WHOLEBODY_133 = (
    *f"{_COCO_17} {_FEET}".split(),
    *(name for name in FACE_70.keypoints if not name.endswith("_pupil")),
    *(f"left_hand_{name}" for name in HAND_21.keypoints),
    *(f"right_hand_{name}" for name in HAND_21.keypoints),
)


WHOLEBODY_133 = Skeleton(name="WHOLEBODY_133", keypoints=_WHOLEBODY_133, limbs=())

SKELETONS = {one.name: one for one in (BODY_25, COCO_18, EDN_23, FACE_70, HAND_21)}
"""The skeletons that files may hold, by name."""
DERIVED = {
    "neck": ("right_shoulder", "left_shoulder"),
    "mid_hip": ("right_hip", "left_hip"),
    "right_pupil": tuple(f"right_eye_{i}" for i in range(6)),
    "left_pupil": tuple(f"left_eye_{i}" for i in range(6)),
}
"""Keypoints that are the mean of others where a skeleton lacks them (see convert)."""
PARTS = ("body", "face", "hand_left", "hand_right")


def part_skeleton(part: str, body: Skeleton = BODY_25) -> Skeleton:
    """The skeleton of a part of the person: body, face, hand_left or hand_right."""
    return {"body": body, "face": FACE_70, "hand_left": HAND_21, "hand_right": HAND_21}[part]


def convert(
    points: np.ndarray, source: Skeleton, target: Skeleton, derive: bool = False
) -> np.ndarray:
    """Reorder keypoints from one skeleton to another by name.

    Args:
        points: (..., K_source, C): x, y, or x, y, score.
        source: skeleton of ``points``.
        target: skeleton wanted.
        derive: keypoints of DERIVED that the source lacks are the mean of those it has in their
            place, with the lowest of their scores: OpenPose's neck from COCO's shoulders.

    Returns:
        (..., K_target, C); where the source has no such keypoint, NaN and a score of 0.
    """
    converted = np.full((*points.shape[:-2], len(target), points.shape[-1]), np.nan, points.dtype)
    converted[..., 2:] = 0
    for row, name in enumerate(target.keypoints):
        if source.has(name):
            converted[..., row, :] = points[..., source.index(name), :]
        elif derive and all(source.has(one) for one in DERIVED.get(name, (name,))):
            others = points[..., [source.index(one) for one in DERIVED[name]], :]
            converted[..., row, :2] = others[..., :2].mean(axis=-2)
            converted[..., row, 2:] = others[..., 2:].min(axis=-2)
    return converted
