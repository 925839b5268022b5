"""Global pose normalization: by-hand numbers, properties, and the synthetic cases of the fixture.

``fixtures/posenorm.npz`` holds keypoints of drawn dancers in the EDN_23 layout at 1920 x 1080:
clean, messy (missing points), small_range, sparse (few frames, lifted feet).
"""

import dataclasses
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import Keypoints, check_keypoints
from edn_core.normalize import (
    VideoStatistics,
    measure_video,
    normalize_keypoints,
    place_in_target,
    read_statistics,
    write_statistics,
)
from edn_core.skeleton import BODY_25, EDN_23, PARTS, part_skeleton

SOURCE = VideoStatistics(ankle_close=400.0, ankle_far=300.0, height_close=200.0, height_far=100.0)
TARGET = VideoStatistics(ankle_close=480.0, ankle_far=440.0, height_close=300.0, height_far=200.0)
KEEP = NormalizationConfig(horizontal="keep")
SCALED = NormalizationConfig(horizontal="scaled")
FIXTURE = Path(__file__).parent / "fixtures" / "posenorm.npz"


def dancer(ankle_y, ankle_x=100.0, height=150.0, size=(400, 400), video="walk", without=()):
    """A person standing upright; ankles 20 px apart, hips half-way up, shoulders at 5/6."""
    ankle_y = np.asarray(ankle_y, np.float64)
    ankle_x, height = np.broadcast_arrays(ankle_x, height, ankle_y)[:2]
    xy, score = {}, {}
    for part in PARTS:
        rows = len(part_skeleton(part))
        xy[part] = np.full((len(ankle_y), rows, 2), np.nan, np.float32)
        score[part] = np.zeros((len(ankle_y), rows), np.float32)
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
            xy["body"][:, BODY_25.index(name)] = point
            score["body"][:, BODY_25.index(name)] = np.isfinite(point).all(axis=1)
    return Keypoints(xy, score, width=size[1], height=size[0], fps=Fraction(25), video=video)


def walking(n_frames=41, **changes):
    """Walks from y = 300 to 380 and back; 100 px tall far away, 150 px close."""
    depth = (1 - np.cos(np.linspace(0, 2 * np.pi, n_frames))) / 2
    return dancer(300 + 80 * depth, ankle_x=150.0, height=100 + 50 * depth, **changes)


def moved(keypoints, scale=1.0, offset=(0.0, 0.0)):
    """The same video filmed larger and elsewhere in the picture."""
    xy = {
        part: (scale * v + np.array(offset)).astype(np.float32) for part, v in keypoints.xy.items()
    }
    width, height = round(scale * keypoints.width), round(scale * keypoints.height)
    return keypoints.replaced(xy=xy, width=width, height=height)


def transfer(source, target, config=SCALED):
    measured = [measure_video(one, StatisticsConfig()) for one in (source, target)]
    return normalize_keypoints(
        source, *measured, config, (target.height, target.width), target.video
    )


# --- place_in_target -----------------------------------------------------------------------------


def test_the_ends_of_the_source_range_land_on_the_ends_of_the_target_range():
    scale, shift = place_in_target(np.array([400.0, 300.0]), SOURCE, TARGET)
    np.testing.assert_allclose(np.array([400.0, 300.0]) + shift, [480.0, 440.0])
    np.testing.assert_allclose(scale, [300 / 200, 200 / 100])


def test_a_video_normalized_to_itself_does_not_move():
    scale, shift = place_in_target(np.linspace(300, 400, 5), SOURCE, SOURCE)
    np.testing.assert_allclose(scale, 1)
    np.testing.assert_allclose(shift, 0, atol=1e-9)


def test_beyond_a_quarter_of_the_range_the_dancer_goes_on_with_the_scale_of_that_end():
    scale, shift = place_in_target(np.array([200.0, 275.0, 425.0, 999.0]), SOURCE, TARGET)
    landed = np.array([200.0, 275.0, 425.0, 999.0]) + shift
    # d = -0.25 gives scale 2.125, d = 1.25 gives 1.375.
    np.testing.assert_allclose(landed, [430 - 75 * 2.125, 430, 490, 490 + 574 * 1.375])
    np.testing.assert_allclose(scale, [2.125, 2.125, 1.375, 1.375])


def test_frames_without_ankles_are_interpolated_and_the_ends_held():
    ankle_y = np.array([np.nan, 300, np.nan, 400, np.nan])
    scale, shift = place_in_target(ankle_y, SOURCE, TARGET)
    np.testing.assert_allclose(scale, [2, 2, 1.75, 1.5, 1.5])
    np.testing.assert_allclose(shift, [140, 140, 110, 80, 80])


def test_the_scale_stays_positive_between_very_different_ratios():
    tiny = VideoStatistics(ankle_close=400, ankle_far=300, height_close=10, height_far=100)
    scale, _ = place_in_target(np.array([275.0]), tiny, dataclasses.replace(tiny, height_close=100))
    assert scale[0] > 0


def test_a_fallback_in_either_video_means_one_scale_from_the_medians():
    single = dataclasses.replace(
        SOURCE, fallback="single scale", ankle_median=350.0, height_median=100.0
    )
    other = dataclasses.replace(TARGET, ankle_median=450.0, height_median=200.0)
    scale, shift = place_in_target(np.array([350.0, 360.0]), single, other)
    np.testing.assert_allclose(scale, 2)
    # A step of 10 px is 20 px for a dancer twice as tall.
    np.testing.assert_allclose(np.array([350.0, 360.0]) + shift, [450, 470])


def test_a_fallback_needs_medians_of_both_and_says_whose_are_missing():
    single = dataclasses.replace(SOURCE, fallback="single scale", video="mine")
    with pytest.raises(ValueError, match="mine: its height was never seen"):
        place_in_target(np.array([350.0]), single, TARGET)


# --- normalize_keypoints -------------------------------------------------------------------------


def test_the_worked_example_of_the_specification_with_the_paper_pivot():
    source = VideoStatistics(ankle_close=900, ankle_far=700, height_close=500, height_far=400)
    target = VideoStatistics(ankle_close=950, ankle_far=850, height_close=600, height_far=540)
    feet = dancer([800, 900, 700], ankle_x=[960, 700, 700], height=[450, 500, 400])
    result = normalize_keypoints(feet, source, target, KEEP, (1080, 1920), "her")
    for side in ("left_ankle", "right_ankle"):
        np.testing.assert_allclose(result.point(side)[:, 1], [900, 950, 850], atol=1e-3)
    # d = 0.5, 1, 0 and so scale 1.275, 1.2, 1.35 about the ankles, whose x is kept.
    np.testing.assert_allclose(result.point("nose")[:, 0], [960, 700, 700], atol=1e-3)
    np.testing.assert_allclose(
        result.point("nose")[:, 1], [900 - 1.275 * 450, 950 - 600, 850 - 540], atol=1e-3
    )
    np.testing.assert_allclose(
        result.point("left_ankle")[:, 0], [960 + 12.75, 700 + 12, 700 + 13.5], atol=1e-3
    )
    assert (result.width, result.height, result.normalized_to) == (1920, 1080, "her")
    assert (result.fps, result.video) == (feet.fps, feet.video)


def test_a_dancer_of_a_landscape_video_lands_inside_a_portrait_canvas():
    source = moved(walking(), offset=(362, 0)).replaced(width=1024)
    portrait = moved(walking(video="portrait"), offset=(-6, 0)).replaced(width=288)
    result = transfer(source, portrait)
    np.testing.assert_allclose(result.point("nose")[:, 0], 144, atol=1e-3)


def test_sideways_steps_grow_with_the_dancer():
    source = dancer([300.0] * 30, ankle_x=np.where(np.arange(30) < 29, 100, 110), height=100)
    target = dancer([350.0] * 30, ankle_x=60.0, height=200, video="tall")
    result = transfer(source, target)
    np.testing.assert_allclose(result.point("nose")[[0, 29], 0], [60, 80], atol=1e-3)


def test_face_and_hands_move_with_the_body_and_missing_points_stay_missing():
    source = walking()
    row = part_skeleton("face").index("jaw_8")
    source.xy["face"][:, row] = source.point("nose")
    source.score["face"][:, row] = 0.5
    result = transfer(source, walking(video="other"))
    np.testing.assert_allclose(result.point("jaw_8", "face"), result.point("nose"))
    check_keypoints(result, "normalized")
    np.testing.assert_array_equal(result.score["body"], source.score["body"])


def test_frames_without_feet_go_on_where_the_feet_were():
    source = walking()
    statistics = measure_video(source, StatisticsConfig())
    for side in ("left_ankle", "right_ankle"):
        source.xy["body"][10, BODY_25.index(side)] = np.nan
        source.score["body"][10, BODY_25.index(side)] = 0
    result = normalize_keypoints(source, statistics, statistics, KEEP, (400, 400), "walk")
    np.testing.assert_allclose(result.point("nose"), source.point("nose"), atol=0.1)


def test_a_source_without_feet_is_placed_by_its_torso():
    feetless = walking(without=("left_ankle", "right_ankle"))
    target = moved(walking(video="big"), scale=2.0)
    result = transfer(feetless, target)
    torso = result.point("left_hip")[:, 1] - result.point("left_shoulder")[:, 1]
    before = feetless.point("left_hip")[:, 1] - feetless.point("left_shoulder")[:, 1]
    np.testing.assert_allclose(torso, 2 * before, rtol=1e-4)
    hips = np.median(target.point("left_hip")[:, 1])
    np.testing.assert_allclose(np.median(result.point("left_hip")[:, 1]), hips, atol=1e-3)


def test_statistics_of_another_video_do_not_place_a_dancer_without_feet():
    statistics = measure_video(walking(), StatisticsConfig())
    feetless = walking(without=("left_ankle",))
    with pytest.raises(ValueError, match="walk: no frame shows its ankles"):
        normalize_keypoints(feetless, statistics, statistics, KEEP, (10, 10), "her")


@settings(max_examples=30, deadline=None)
@given(
    depth=st.lists(st.floats(0, 1), min_size=20, max_size=40),
    x=st.floats(50, 350),
)
def test_a_source_that_is_its_own_target_stays_where_it_is(depth, x):
    depth = np.array(depth)
    source = dancer(300 + 80 * depth, ankle_x=x + 10 * depth, height=100 + 50 * depth)
    for config in (
        NormalizationConfig(),
        NormalizationConfig(horizontal="keep"),
    ):
        statistics = measure_video(source, StatisticsConfig())
        result = normalize_keypoints(source, statistics, statistics, config, (400, 400), "walk")
        np.testing.assert_allclose(result.xy["body"], source.xy["body"], atol=0.01)


@settings(max_examples=30, deadline=None)
@given(dx=st.floats(-100, 100), dy=st.floats(-100, 100))
def test_a_target_that_stands_elsewhere_takes_the_source_along(dx, dy):
    source, target = walking(), moved(walking(n_frames=30, video="other"), scale=1.3)
    plain = transfer(source, target)
    shifted = transfer(source, moved(target, offset=(dx, dy)))
    np.testing.assert_allclose(shifted.xy["body"], plain.xy["body"] + np.array([dx, dy]), atol=0.02)


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.2, 5), dx=st.floats(-100, 100), dy=st.floats(-100, 100))
def test_how_large_and_where_the_source_was_filmed_does_not_matter(scale, dx, dy):
    target = dancer(350 + np.linspace(0, 40, 41), height=180, video="other")
    for source in (walking(), walking(n_frames=10)):  # paper levels, single scale
        plain = transfer(source, target)
        rescaled = transfer(moved(source, scale, (dx, dy)), target)
        np.testing.assert_allclose(rescaled.xy["body"], plain.xy["body"], atol=0.05)


# --- measure_video -------------------------------------------------------------------------------


def test_levels_and_heights_follow_the_paper():
    # close 400, median 300; alpha 0.7 puts far at 230; epsilon = 5 % of 200 = 10 px.
    levels = [400.0] * 5 + [300.0] * 11 + [235.0] * 3 + [225.0] * 3 + [200.0] * 3
    heights = [150.0] * 4 + [155.0] + [120.0] * 11 + [90.0] * 2 + [95.0] + [85.0] * 6
    statistics = measure_video(dancer(levels, height=heights), StatisticsConfig())
    assert (statistics.ankle_close, statistics.ankle_far) == (400, 235)
    assert (statistics.height_close, statistics.height_far) == (155, 95)
    assert (statistics.ankle_median, statistics.height_median) == (300, 120)
    assert (statistics.n_frames, statistics.n_used) == (25, 25)
    assert (statistics.fallback, statistics.steps) == ("", ())


def test_the_tolerance_widens_where_no_frame_is_near_the_far_level():
    # far is sought at 230; 10 px and 20 px away there is nobody, 40 px away there is 265.
    levels = [400.0] * 5 + [300.0] * 15 + [265.0] * 2 + [200.0]
    statistics = measure_video(dancer(levels), StatisticsConfig())
    assert statistics.ankle_far == 265
    assert len(statistics.steps) == 2
    assert "10.0 px" in statistics.steps[0] and "20.0 px" in statistics.steps[1]
    assert statistics.fallback == ""


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([300.0] * 19, "19 frames"),
        ([300.0] * 30, "move 0.0 px in all"),
        ([400.0] * 5 + [300.0] * 20 + [100.0], "no frame near the far level"),
        ([304.0] * 5 + [300.0] * 20 + [297.0] * 5 + [290.0], "between far and close"),
    ],
)
def test_what_cannot_be_measured_falls_back_to_one_scale_and_says_why(levels, reason):
    statistics = measure_video(dancer(levels), StatisticsConfig())
    assert statistics.fallback == "single scale"
    assert reason in statistics.steps[-1]
    assert statistics.ankle_close == statistics.ankle_far == statistics.ankle_median == 300


def test_a_frame_needs_the_left_and_the_right_ankle():
    levels = np.linspace(300, 380, 40)
    for side in ("left_ankle", "right_ankle"):
        keypoints = dancer(levels)
        keypoints.xy["body"][:15, BODY_25.index(side)] = np.nan
        keypoints.score["body"][:15, BODY_25.index(side)] = 0
        assert measure_video(keypoints, StatisticsConfig()).n_used == 25


def test_uncertain_ankles_do_not_count():
    keypoints = dancer(np.linspace(300, 380, 40))
    keypoints.score["body"][:10, BODY_25.index("left_ankle")] = 0.05
    assert measure_video(keypoints, StatisticsConfig(min_score=0.1)).n_used == 30


def test_ears_stand_in_for_a_nose_that_is_turned_away():
    keypoints = dancer(np.linspace(300, 380, 40), without=("nose",))
    for side, dx in (("left_ear", 8), ("right_ear", -8)):
        keypoints.xy["body"][:, BODY_25.index(side), 0] = 100 + dx
        keypoints.xy["body"][:, BODY_25.index(side), 1] = np.linspace(300, 380, 40) - 150
        keypoints.score["body"][:, BODY_25.index(side)] = 1
    assert measure_video(keypoints, StatisticsConfig()).height_median == pytest.approx(150)


def test_a_video_without_feet_says_so_aloud():
    statistics = measure_video(walking(without=("left_ankle", "right_ankle")), StatisticsConfig())
    assert statistics.fallback == "torso"
    assert "no frame shows the head and both ankles" in statistics.steps[0]
    assert statistics.torso_median > 0 and math.isnan(statistics.ankle_close)


def test_a_video_of_nobody_is_refused_by_name():
    nobody = dancer([np.nan] * 5, video="empty_room")
    with pytest.raises(ValueError, match="empty_room: in none of 5 frames"):
        measure_video(nobody, StatisticsConfig())


@pytest.mark.parametrize("feet", [(), ("left_ankle",)])
def test_statistics_survive_the_file_and_are_the_same_twice(tmp_path, feet):
    config = StatisticsConfig(min_frames=7)
    first, second = (measure_video(walking(without=feet), config) for _ in range(2))
    write_statistics(tmp_path / "first.json", first)
    write_statistics(tmp_path / "second.json", second)
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()
    loaded = read_statistics(tmp_path / "first.json")
    for one in dataclasses.fields(VideoStatistics):
        np.testing.assert_equal(getattr(loaded, one.name), getattr(first, one.name))
    assert loaded.config["min_frames"] == 7


def test_a_file_of_another_version_is_refused(tmp_path):
    path = tmp_path / "statistics.json"
    path.write_text('{"schema": "edn-statistics", "schema_version": 99}')
    with pytest.raises(ValueError, match="found edn-statistics version 99"):
        read_statistics(path)
    path.write_text('{"schema": "edn-statistics", "schema_version": 1}')
    with pytest.raises(ValueError, match="lacks ankle_close"):
        read_statistics(path)


# --- the drawn dancers of the fixture ------------------------------------------------------------


def fixture_video(case, role):
    pose = np.load(FIXTURE)[f"{case}/{role}/pose"]
    n_frames = len(pose)
    xy = {
        part: np.full((n_frames, len(part_skeleton(part)), 2), np.nan, np.float32) for part in PARTS
    }
    score = {part: np.zeros((n_frames, len(part_skeleton(part))), np.float32) for part in PARTS}
    score["body"] = pose[..., 2]
    xy["body"] = np.where(pose[..., 2:] > 0, pose[..., :2], np.float32(np.nan))
    keypoints = Keypoints(
        xy,
        score,
        width=1920,
        height=1080,
        fps=Fraction(30),
        video=f"{case}_{role}",
        skeleton=EDN_23,
    )
    check_keypoints(keypoints, FIXTURE)
    return keypoints


@pytest.mark.parametrize("case", ["clean", "messy", "small_range", "sparse"])
def test_every_case_of_the_fixture_is_normalized(case):
    source, target = fixture_video(case, "source"), fixture_video(case, "target")
    measured = [measure_video(one, StatisticsConfig()) for one in (source, target)]
    result = normalize_keypoints(source, *measured, SCALED, (1080, 1920), target.video)
    check_keypoints(result, case)
    ankles = (source.point("left_ankle") + source.point("right_ankle"))[:, 1] / 2
    scale, shift = place_in_target(ankles, *measured)
    assert np.isfinite(scale).all() and (scale > 0.5).all() and (scale < 2).all()
    assert np.isfinite(shift).all()


def test_a_clean_walk_needs_no_step_and_the_sparse_one_records_its_widening():
    clean = measure_video(fixture_video("clean", "source"), StatisticsConfig())
    assert clean.steps == () and clean.n_used == 161
    sparse = measure_video(fixture_video("sparse", "source"), StatisticsConfig())
    assert sparse.fallback == "" and "no frame within" in sparse.steps[0]
    assert sparse.height_far > 0.5 * sparse.height_close
