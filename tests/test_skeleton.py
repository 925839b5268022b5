"""Which keypoint is where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edn_core.skeleton import (
    BODY_25,
    COCO_18,
    DERIVED,
    EDN_23,
    FACE_70,
    HAND_21,
    PARTS,
    SKELETONS,
    WHOLEBODY_133,
    Skeleton,
    convert,
    mirror_points,
    part_skeleton,
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


@pytest.mark.parametrize(
    ("name", "count"),
    [("BODY_25", 25), ("COCO_18", 18), ("EDN_23", 23), ("FACE_70", 70), ("HAND_21", 21)],
)
def test_a_skeleton_has_as_many_different_keypoints_as_its_name_says(name, count):
    assert len(SKELETONS[name]) == count == len(set(SKELETONS[name].keypoints))


EVERY = pytest.mark.parametrize(
    "skeleton", [*SKELETONS.values(), WHOLEBODY_133], ids=lambda one: one.name
)


@EVERY
def test_limbs_and_mirror_pairs_are_of_the_skeletons_own_keypoints(skeleton):
    for first, second in (*skeleton.limbs, *skeleton.mirrored):
        assert skeleton.has(first)
        assert skeleton.has(second)
        assert first != second


@EVERY
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


def test_a_keypoint_that_the_source_lacks_has_a_score_of_0():
    converted = convert(np.ones((18, 3), np.float32), COCO_18, BODY_25)
    np.testing.assert_array_equal(converted[BODY_25.index("left_heel")], [np.nan, np.nan, 0])


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


def test_a_derived_keypoint_is_missing_where_one_of_the_others_is():
    points = np.ones((18, 3), np.float32)
    points[COCO_18.index("left_hip")] = (np.nan, np.nan, 0)
    converted = convert(points, COCO_18, BODY_25, derive=True)
    np.testing.assert_array_equal(converted[BODY_25.index("mid_hip")], [np.nan, np.nan, 0])


def test_a_keypoint_that_the_source_has_is_never_derived():
    points = np.ones((25, 3), np.float32)
    points[BODY_25.index("neck")] = (np.nan, np.nan, 0)
    converted = convert(points, BODY_25, COCO_18, derive=True)
    np.testing.assert_array_equal(converted[COCO_18.index("neck")], [np.nan, np.nan, 0])


def points_of(skeleton: Skeleton) -> st.SearchStrategy[np.ndarray]:
    """(2, K, 3) float32; some numbers are NaN."""
    numbers = st.floats(-5000, 5000, width=32) | st.just(np.nan)
    return arrays(np.float32, (2, len(skeleton), 3), elements=numbers, fill=st.just(0.25))


@given(st.data(), st.sampled_from(BODIES), st.sampled_from(BODIES), st.booleans())
def test_conversion_there_and_back_keeps_what_both_skeletons_have(data, source, target, derive):
    points = data.draw(points_of(source))
    there = convert(points, source, target, derive)
    back = convert(there, target, source, derive)
    common = [name for name in source.keypoints if target.has(name)]
    rows = [source.index(name) for name in common]
    assert len(common) >= 17
    np.testing.assert_array_equal(back[:, rows], points[:, rows])
    np.testing.assert_array_equal(there[:, [target.index(one) for one in common]], points[:, rows])
    lost = [i for i, name in enumerate(source.keypoints) if not target.has(name)]
    if not derive:
        assert np.isnan(back[:, lost, :2]).all()
        assert (back[:, lost, 2] == 0).all()


def test_conversion_through_a_larger_skeleton_loses_nothing():
    points = np.random.default_rng(0).random((4, 23, 3))
    np.testing.assert_array_equal(
        convert(convert(points, EDN_23, BODY_25), BODY_25, EDN_23), points
    )


@pytest.mark.parametrize("name", DERIVED)
def test_a_derived_keypoint_lies_in_the_middle_of_a_mirrored_set_or_on_one_side(name):
    """Neck and mid-hip are their own mirror image; a pupil's is the other pupil."""
    others = dict(WHOLEBODY_133.mirrored)
    others |= {two: one for one, two in others.items()}
    image = {others[one] for one in DERIVED[name]}
    mirrored = {"right_pupil": "left_pupil", "left_pupil": "right_pupil"}.get(name, name)
    assert image == set(DERIVED[mirrored])


def test_mirrored_right_and_left_change_places():
    points = np.zeros((25, 3), np.float32)
    points[BODY_25.index("right_wrist")] = (10, 50, 0.9)
    points[BODY_25.index("nose")] = (30, 20, 0.8)
    mirrored = mirror_points(points, BODY_25, width=100)
    np.testing.assert_allclose(mirrored[BODY_25.index("left_wrist")], [89, 50, 0.9])
    np.testing.assert_allclose(mirrored[BODY_25.index("nose")], [69, 20, 0.8])
    assert points[BODY_25.index("right_wrist"), 0] == 10  # the argument is left alone


@given(st.data(), st.sampled_from([*SKELETONS.values(), WHOLEBODY_133]), st.integers(1, 4096))
def test_mirrored_twice_is_what_it_was(data, skeleton, width):
    points = data.draw(points_of(skeleton))
    twice = mirror_points(mirror_points(points, skeleton, width), skeleton, width)
    np.testing.assert_allclose(twice[..., 0], points[..., 0], atol=2e-3)
    np.testing.assert_array_equal(twice[..., 1:], points[..., 1:])
