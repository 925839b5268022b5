"""Which keypoint is where."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edn_core.skeleton import (
    BODY_25,
    COCO_18,
    EDN_23,
    FACE_70,
    HAND_21,
    WHOLEBODY_133,
    Skeleton,
    convert,
)

BODIES = (BODY_25, COCO_18, EDN_23)

# Landmarks of the published layouts (OpenPose's output format page; the method's 23 points).
PLACES = [
    (BODY_25, {"nose": 0, "neck": 1, "left_wrist": 7, "mid_hip": 8, "left_ankle": 14}),
    (BODY_25, {"left_ear": 18, "left_big_toe": 19, "right_big_toe": 22, "right_heel": 24}),
    (COCO_18, {"nose": 0, "right_hip": 8, "left_ankle": 13, "left_ear": 17}),
    (EDN_23, {"neck": 0, "mid_hip": 7, "right_big_toe": 11, "nose": 18, "left_ear": 22}),
    (FACE_70, {"jaw_8": 8, "nose_bridge_3": 30, "right_eye_0": 36, "left_eye_0": 42}),
    (FACE_70, {"outer_lip_0": 48, "inner_lip_0": 60, "right_pupil": 68, "left_pupil": 69}),
    (HAND_21, {"wrist": 0, "thumb_1": 1, "index_1": 5, "little_4": 20}),
    (WHOLEBODY_133, {"nose": 0, "left_shoulder": 5, "left_hip": 11, "right_ankle": 16}),
    (WHOLEBODY_133, {"left_big_toe": 17, "right_heel": 22, "jaw_0": 23, "inner_lip_7": 90}),
    (WHOLEBODY_133, {"left_hand_wrist": 91, "right_hand_wrist": 112, "right_hand_little_4": 132}),
]


@pytest.mark.parametrize(("skeleton", "places"), PLACES, ids=lambda one: getattr(one, "name", ""))
def test_landmarks_are_where_the_published_layout_has_them(skeleton, places):
    assert {name: skeleton.index(name) for name in places} == places


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23, HAND_21], ids=lambda one: one.name)
def test_the_limbs_join_all_keypoints_into_one_tree(skeleton):
    reached = {skeleton.keypoints[0]}
    for _ in skeleton.limbs:
        reached |= {name for limb in skeleton.limbs if reached & set(limb) for name in limb}
    assert reached == set(skeleton.keypoints)
    assert len(skeleton.limbs) == len(skeleton) - 1


def test_every_layout_of_bodies_converts_as_its_publication_lists_it():
    """The method's 23 points as numbers of BODY_25; COCO-18 as numbers of COCO-WholeBody."""
    points = np.arange(25.0)[:, None].repeat(2, axis=1)
    numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 12, 13, 14, 19, 20, 0, 15, 17, 16, 18]
    assert convert(points, BODY_25, EDN_23)[:, 0].tolist() == numbers
    points = np.arange(133.0)[:, None].repeat(2, axis=1)
    numbers = [0, 5.5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert convert(points, WHOLEBODY_133, COCO_18, derive=True)[:, 0].tolist() == numbers


def test_a_derived_keypoint_is_the_mean_of_others_as_sure_as_the_least_sure():
    points = np.zeros((1, 18, 3))
    points[0, COCO_18.index("left_hip")] = (10, 4, 0.9)
    points[0, COCO_18.index("right_hip")] = (20, 8, 0.5)
    converted = convert(points, COCO_18, EDN_23, derive=True)
    assert converted[0, EDN_23.index("mid_hip")].tolist() == [15, 6, 0.5]
    assert convert(points, COCO_18, EDN_23)[0, EDN_23.index("mid_hip"), 2] == 0


def points_of(skeleton: Skeleton) -> st.SearchStrategy[np.ndarray]:
    """(2, K, 3) float32; some numbers are NaN."""
    numbers = st.floats(-5000, 5000, width=32) | st.just(np.nan)
    return arrays(np.float32, (2, len(skeleton), 3), elements=numbers, fill=st.just(0.25))


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from(BODIES), st.sampled_from(BODIES))
def test_conversion_there_and_back_keeps_what_both_skeletons_have(data, source, target):
    points = data.draw(points_of(source))
    back = convert(convert(points, source, target), target, source)
    is_common = np.array([target.has(name) for name in source.keypoints])
    assert is_common.sum() >= 17
    np.testing.assert_array_equal(back[:, is_common], points[:, is_common])
    assert np.isnan(back[:, ~is_common, :2]).all() and (back[:, ~is_common, 2] == 0).all()
