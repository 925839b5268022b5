"""Mode limbs: figures of by-hand lengths, and properties."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walkers import in_skeleton, transfer, without

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import check_keypoints, from_people, missing_person
from edn_core.normalize import measure_frames, measure_video, normalize_keypoints
from edn_core.normalize.limbs import measure_bones
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, part_skeleton

LIMBS = NormalizationConfig(mode="limbs")
LONG_LEGS = {
    "shin": 45.0, "thigh": 55.0, "hip": 10.0, "torso": 60.0, "shoulder": 20.0,
    "upper_arm": 30.0, "forearm": 28.0, "neck": 20.0, "head": 8.0,
}  # fmt: skip
SHORT_LEGS = {
    "shin": 36.0, "thigh": 44.0, "hip": 12.0, "torso": 75.0, "shoulder": 16.0,
    "upper_arm": 33.0, "forearm": 21.0, "neck": 25.0, "head": 12.0,
}  # fmt: skip
# Both are 180 px tall, from ankles to nose.


def figure(lengths, x=200.0, ground=300.0, size=1.0):
    """A person who stands with arms stretched out sideways, one hand point and one face point."""
    up = np.cumsum([lengths[bone] for bone in ("shin", "thigh", "torso", "neck")])
    places = {"mid_hip": (0, up[1]), "neck": (0, up[2]), "nose": (0, up[3])}
    arm = np.cumsum([lengths["shoulder"], lengths["upper_arm"], lengths["forearm"]])
    for side, sign in (("right", -1), ("left", 1)):
        for name, dx, height in (
            ("hip", lengths["hip"], up[1]),
            ("knee", lengths["hip"], up[0]),
            ("ankle", lengths["hip"], 0),
            ("big_toe", lengths["hip"] + lengths["shin"] / 5, 0),
            ("shoulder", arm[0], up[2]),
            ("elbow", arm[1], up[2]),
            ("wrist", arm[2], up[2]),
            ("ear", lengths["head"], up[3]),
        ):
            places[f"{side}_{name}"] = sign * dx, height
    person = missing_person()
    at = np.array([x, ground])

    def put(part, name, place):
        row = part_skeleton(part).index(name)
        person[part][row] = (*(at + size * np.array(place) * [1, -1]), 1)

    for name, place in places.items():
        put("body", name, place)
    put("face", "jaw_8", (0, up[3] - lengths["head"]))
    put("hand_left", "middle_4", (arm[2] + lengths["forearm"] / 2, up[2]))
    return person


def standing(people, video="her", size=(400, 400)):
    return from_people(
        people, BODY_25, width=size[1], height=size[0], fps=Fraction(25), video=video
    )


def strolling(lengths, depth, sway, video="walk"):
    """Comes and goes: 180 px tall at a level of 300 px, half as tall at 200 px."""
    people = [
        figure(lengths, x=200 + dx, ground=200 + 100 * d, size=(1 + d) / 2)
        for d, dx in zip(depth, sway, strict=True)
    ]
    return standing(people, video)


def lengths_of(keypoints):
    bones = measure_bones(keypoints, np.ones(len(keypoints)))
    return {bone: float(np.median(one)) for bone, one in bones.items() if len(one)}


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23], ids=lambda one: one.name)
def test_a_long_legged_source_becomes_the_short_legged_target(skeleton):
    source = in_skeleton(standing([figure(LONG_LEGS)] * 20, "him"), skeleton)
    target = in_skeleton(standing([figure(SHORT_LEGS, x=150, ground=350)] * 20), skeleton)
    result = transfer(source, target, LIMBS)
    for part in ("body", "face", "hand_left", "hand_right"):
        np.testing.assert_allclose(result.xy[part], target.xy[part], atol=1e-3)
    check_keypoints(result, "normalized")
    # Paper mode keeps his legs.
    paper = transfer(source, target)
    assert lengths_of(paper)["thigh"] == pytest.approx(55, abs=1e-3)


def test_the_mean_ankle_lands_where_mode_paper_puts_it():
    source = strolling(LONG_LEGS, np.linspace(0, 1, 75), np.linspace(-50, 50, 75), "him")
    target = strolling(SHORT_LEGS, np.linspace(1, 0, 60), np.zeros(60), "her")
    feet = [
        measure_frames(transfer(source, target, config))[0]
        for config in (NormalizationConfig(), LIMBS)
    ]
    np.testing.assert_allclose(feet[0], feet[1], atol=1e-3)


def test_beyond_a_missing_joint_the_rest_hangs_on_the_nearest_one_known():
    whole = standing([figure(LONG_LEGS)] * 20, "him")
    target = standing([figure(SHORT_LEGS)] * 20)
    for name in ("left_elbow", "right_knee", "neck", "mid_hip"):
        result = transfer(without(whole, name, frames=[7]), target, LIMBS)
        assert np.isnan(result.point(name)[7]).all()
        # His bones in a row have the direction of each other, so nothing else moves.
        rest = [row for row, one in enumerate(BODY_25.keypoints) if one != name]
        if name != "neck":
            np.testing.assert_allclose(
                result.xy["body"][7][rest], target.xy["body"][7][rest], atol=1e-3
            )
        np.testing.assert_allclose(result.point("left_ankle")[7], target.point("left_ankle")[7])


def test_a_bone_that_one_video_hardly_shows_is_scaled_as_the_whole(caplog):
    source = standing([figure(LONG_LEGS)] * 20, "him")
    target = without(
        standing([figure(SHORT_LEGS)] * 20), "left_elbow", "right_elbow", frames=range(16)
    )
    with caplog.at_level("INFO", logger="edn"):
        result = transfer(source, target, LIMBS)
    assert "her: forearm is seen 8 times, too seldom to be measured" in caplog.text
    assert lengths_of(result)["forearm"] == pytest.approx(28, abs=1e-3)
    assert lengths_of(result)["thigh"] == pytest.approx(44, abs=1e-3)


def test_a_bone_seen_end_on_grows_to_twice_its_length_at_most(caplog):
    source = standing([figure({**LONG_LEGS, "shoulder": 1.0})] * 20, "him")
    with caplog.at_level("INFO", logger="edn"):
        result = transfer(source, standing([figure(SHORT_LEGS)] * 20), LIMBS)
    assert "shoulder would change by 16, held within 1 / 2 and 2" in caplog.text
    assert lengths_of(result)["shoulder"] == pytest.approx(2, abs=1e-3)


bones = st.fixed_dictionaries(
    {bone: st.floats(0.75 * one, 1.3 * one) for bone, one in LONG_LEGS.items()}
)
walks = st.lists(st.tuples(st.floats(0, 1), st.floats(-50, 50)), min_size=20, max_size=40)


@settings(max_examples=10, deadline=None)
@given(lengths=bones, walk=walks)
def test_a_source_that_is_its_own_target_stays_as_it_is(lengths, walk):
    source = strolling(lengths, *zip(*walk, strict=True))
    statistics = measure_video(source, StatisticsConfig(level_window_s=0.2))
    result = normalize_keypoints(source, statistics, statistics, LIMBS, source)
    for part in ("body", "face", "hand_left"):
        np.testing.assert_allclose(result.xy[part], source.xy[part], atol=0.01)
    paper = normalize_keypoints(source, statistics, statistics, NormalizationConfig(), source)
    np.testing.assert_allclose(paper.xy["body"], source.xy["body"], atol=0.01)
