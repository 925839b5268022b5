"""What the channels of a network of heatmaps and part affinity fields mean.

Such a network (Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields)
gives, at a stride of 8 px, one heatmap per keypoint with the background last, and per limb two
channels with the x and y of the unit vector that points along it. The cell in row i and column j
lies at x = 8 j + 3.5, y = 8 i + 3.5: the middle of the pixels it stands for, with the origin at
the centre of the top-left pixel.
"""

from dataclasses import dataclass

from edn_core.skeleton import BODY_25, COCO_18, Skeleton

STRIDE = 8
"""Pixels of the network's input per cell of its maps."""


@dataclass(frozen=True)
class PafLimb:
    """One limb of a part affinity field.

    Attributes:
        start: keypoint the field points away from.
        end: keypoint the field points to.
        channel: the field's x component; y is the channel after it.
        only_links: whether it joins what is there but never starts a person.
    """

    start: str
    end: str
    channel: int
    only_links: bool = False


@dataclass(frozen=True)
class PafLayout:
    """What the channels of a network's fields mean.

    Attributes:
        skeleton: names of the heatmaps' channels; the background comes after them.
        limbs: in the order in which people are put together.
    """

    skeleton: Skeleton
    limbs: tuple[PafLimb, ...]


def _layout(skeleton: Skeleton, limbs: str) -> PafLayout:
    lines = (line.split() for line in limbs.strip().splitlines())
    return PafLayout(
        skeleton,
        tuple(
            PafLimb(start, end, int(channel), bool(only)) for start, end, channel, *only in lines
        ),
    )


PAF_LAYOUTS = {
    "COCO_18": _layout(
        COCO_18,
        """
        neck right_shoulder 12
        neck left_shoulder 20
        right_shoulder right_elbow 14
        right_elbow right_wrist 16
        left_shoulder left_elbow 22
        left_elbow left_wrist 24
        neck right_hip 0
        right_hip right_knee 2
        right_knee right_ankle 4
        neck left_hip 6
        left_hip left_knee 8
        left_knee left_ankle 10
        neck nose 28
        nose right_eye 30
        right_eye right_ear 34
        nose left_eye 32
        left_eye left_ear 36
        right_shoulder right_ear 18 links
        left_shoulder left_ear 26 links
        """,
    ),
    "BODY_25": _layout(
        BODY_25,
        """
        neck mid_hip 0
        neck right_shoulder 14
        neck left_shoulder 22
        right_shoulder right_elbow 16
        right_elbow right_wrist 18
        left_shoulder left_elbow 24
        left_elbow left_wrist 26
        mid_hip right_hip 6
        right_hip right_knee 2
        right_knee right_ankle 4
        mid_hip left_hip 8
        left_hip left_knee 10
        left_knee left_ankle 12
        neck nose 30
        nose right_eye 32
        right_eye right_ear 36
        nose left_eye 34
        left_eye left_ear 38
        right_shoulder right_ear 20 links
        left_shoulder left_ear 28 links
        left_ankle left_big_toe 40
        left_big_toe left_small_toe 42
        left_ankle left_heel 44
        right_ankle right_big_toe 46
        right_big_toe right_small_toe 48
        right_ankle right_heel 50
        """,
    ),
}
"""The channels of OpenPose's two body networks, by the name of their skeleton."""
