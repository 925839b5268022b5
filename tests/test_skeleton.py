"""Which keypoint is where."""

import numpy as np
import pytest

from edn_core.skeleton import (
    BODY_25,
    COCO_18,
    EDN_23,
    FACE_70,
    HAND_21,
    PARTS,
    SKELETONS,
    convert,
    part_skeleton,
)

# Landmarks of the published layouts (OpenPose's output format page; the method's 23 points).
PLACES = [
    (BODY_25, {"nose": 0, "neck": 1, "left_wrist": 7, "mid_hip": 8, "left_ankle": 14}),
    (BODY_25, {"left_ear": 18, "left_big_toe": 19, "right_big_toe": 22, "right_heel": 24}),
    (COCO_18, {"nose": 0, "right_hip": 8, "left_ankle": 13, "left_ear": 17}),
    (EDN_23, {"neck": 0, "mid_hip": 7, "right_big_toe": 11, "nose": 18, "left_ear": 22}),
    (FACE_70, {"jaw_8": 8, "nose_bridge_3": 30, "right_eye_0": 36, "left_eye_0": 42}),
    (FACE_70, {"outer_lip_0": 48, "inner_lip_0": 60, "right_pupil": 68, "left_pupil": 69}),
    (HAND_21, {"wrist": 0, "thumb_1": 1, "index_1": 5, "little_4": 20}),
]


@pytest.mark.parametrize(("skeleton", "places"), PLACES, ids=lambda one: getattr(one, "name", ""))
def test_landmarks_are_where_the_published_layout_has_them(skeleton, places):
    assert {name: skeleton.index(name) for name in places} == places


@pytest.mark.parametrize(
    ("name", "count"),
    [("BODY_25", 25), ("COCO_18", 18), ("EDN_23", 23), ("FACE_70", 70), ("HAND_21", 21)],
)
def test_a_skeleton_has_as_many_different_keypoints_as_its_name_says(name, count):
    assert len(SKELETONS[name]) == count == len(set(SKELETONS[name].keypoints))


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_limbs_and_mirror_pairs_are_of_the_skeletons_own_keypoints(skeleton):
    for first, second in (*skeleton.limbs, *skeleton.mirrored):
        assert skeleton.has(first)
        assert skeleton.has(second)
        assert first != second


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_no_keypoint_is_mirrored_twice(skeleton):
    mirrored = [name for pair in skeleton.mirrored for name in pair]
    assert len(mirrored) == len(set(mirrored))


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23], ids=lambda one: one.name)
def test_every_limb_has_its_mirror_image(skeleton):
    other = dict(skeleton.mirrored) | {left: right for right, left in skeleton.mirrored}
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(other.get(name, name) for name in limb) for limb in limbs} == limbs


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23, HAND_21], ids=lambda one: one.name)
def test_the_limbs_join_all_keypoints_into_one_tree(skeleton):
    reached = {skeleton.keypoints[0]}
    for _ in skeleton.limbs:
        reached |= {name for limb in skeleton.limbs if reached & set(limb) for name in limb}
    assert reached == set(skeleton.keypoints)
    assert len(skeleton.limbs) == len(skeleton) - 1


def test_right_and_left_are_told_by_name():
    assert ("right_ankle", "left_ankle") in BODY_25.mirrored
    assert ("right_eye_0", "left_eye_3") in FACE_70.mirrored
    assert not any("nose" in pair for pair in BODY_25.mirrored)


def test_an_unknown_keypoint_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="COCO_18 has no keypoint 'mid_hip'; known: nose, neck"):
        COCO_18.index("mid_hip")


def test_every_part_of_the_person_has_a_skeleton():
    assert {part: part_skeleton(part, COCO_18).name for part in PARTS} == {
        "body": "COCO_18",
        "face": "FACE_70",
        "hand_left": "HAND_21",
        "hand_right": "HAND_21",
    }


def test_conversion_goes_by_name_and_leaves_unknown_keypoints_empty():
    points = np.arange(18, dtype=np.float32)[None, :, None].repeat(2, axis=2)
    converted = convert(points, COCO_18, BODY_25)
    assert converted.shape == (1, 25, 2)
    assert converted.dtype == np.float32
    assert converted[0, BODY_25.index("left_ear")].tolist() == [17, 17]
    assert converted[0, BODY_25.index("right_hip")].tolist() == [8, 8]
    assert np.isnan(converted[0, BODY_25.index("mid_hip")]).all()


def test_conversion_there_and_back_keeps_what_both_skeletons_have():
    points = np.random.default_rng(0).random((4, 23, 3))
    np.testing.assert_array_equal(
        convert(convert(points, EDN_23, BODY_25), BODY_25, EDN_23), points
    )
