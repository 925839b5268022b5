"""Global pose normalization, mode paper: by-hand numbers and properties."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walkers import blank, dancer, moved, transfer, walking, with_ears

from edn_core.config import NormalizationConfig
from edn_core.keypoints import check_keypoints
from edn_core.normalize import VideoStatistics, normalize_keypoints
from edn_core.normalize.paper import place_figure
from edn_core.skeleton import FACE_70, part_skeleton

SOURCE = VideoStatistics(ankle_close=400.0, ankle_far=300.0, height_close=200.0, height_far=100.0)
TARGET = VideoStatistics(ankle_close=480.0, ankle_far=440.0, height_close=300.0, height_far=200.0)
KEEP = NormalizationConfig(horizontal="keep")


def placed(ankle_y, source=SOURCE, target=TARGET):
    """Scale and shift of ankles that stand on the ground."""
    found = place_figure(dancer(ankle_y), source, target, KEEP)
    return found.scale, (found.placed - found.pivot)[:, 1]


def test_beyond_a_quarter_of_the_range_the_dancer_goes_on_with_the_scale_of_that_end():
    levels = [200.0, 275.0, 425.0, 999.0]
    scale, shift = placed(levels)
    landed = np.array(levels) + shift
    # d = -0.25 gives scale 2.125, d = 1.25 gives 1.375.
    np.testing.assert_allclose(landed, [430 - 75 * 2.125, 430, 490, 490 + 574 * 1.375])
    np.testing.assert_allclose(scale, [2.125, 2.125, 1.375, 1.375])


def test_frames_without_ankles_are_interpolated_and_the_ends_held():
    scale, shift = placed([np.nan, 300, np.nan, 400, np.nan])
    np.testing.assert_allclose(scale, [2, 2, 1.75, 1.5, 1.5])
    np.testing.assert_allclose(shift, [140, 140, 110, 80, 80])


def test_a_fallback_in_either_video_means_one_scale_from_the_medians():
    single = dataclasses.replace(
        SOURCE, fallback="single scale", ankle_median=350.0, height_median=100.0
    )
    other = dataclasses.replace(TARGET, ankle_median=450.0, height_median=200.0)
    scale, shift = placed([350.0, 360.0], single, other)
    np.testing.assert_allclose(scale, 2)
    # A step of 10 px is 20 px for a dancer twice as tall.
    np.testing.assert_allclose(np.array([350.0, 360.0]) + shift, [450, 470])


def test_the_worked_example_of_the_specification_with_the_paper_pivot():
    source = VideoStatistics(ankle_close=900, ankle_far=700, height_close=500, height_far=400)
    target = VideoStatistics(ankle_close=950, ankle_far=850, height_close=600, height_far=540)
    places = {"ankle_x": [960, 700, 700], "height": [450, 500, 400], "size": (1080, 1920)}
    feet = dancer([800, 900, 700], **places)
    result = normalize_keypoints(feet, source, target, KEEP, blank(1920, 1080, "her"))
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


def test_face_and_hands_move_with_the_body_and_missing_points_stay_missing():
    source = walking()
    row = part_skeleton("face").index("jaw_8")
    source.xy["face"][:, row] = source.point("nose")
    source.score["face"][:, row] = 0.5
    result = transfer(source, walking(video="other"))
    np.testing.assert_allclose(result.xy["face"][:, FACE_70.index("jaw_8")], result.point("nose"))
    check_keypoints(result, "normalized")
    np.testing.assert_array_equal(result.score["body"], source.score["body"])


def test_a_source_without_feet_is_placed_by_its_torso():
    feetless = walking(without=("left_ankle", "right_ankle"))
    target = moved(walking(video="big"), scale=2.0)
    result = transfer(feetless, target)
    torso = result.point("left_hip")[:, 1] - result.point("left_shoulder")[:, 1]
    before = feetless.point("left_hip")[:, 1] - feetless.point("left_shoulder")[:, 1]
    np.testing.assert_allclose(torso, 2 * before, rtol=1e-4)
    hips = np.median(target.point("left_hip")[:, 1])
    np.testing.assert_allclose(np.median(result.point("left_hip")[:, 1]), hips, atol=1e-3)


@settings(max_examples=12, deadline=None)
@given(scale=st.floats(0.2, 5), dx=st.floats(-100, 100), dy=st.floats(-100, 100))
def test_how_large_and_where_the_source_was_filmed_does_not_matter(scale, dx, dy):
    target = dancer(350 + np.linspace(0, 40, 41), height=180, video="other")
    for source in (walking(), walking(n_frames=10)):  # paper levels, single scale
        plain = transfer(source, target)
        rescaled = transfer(moved(source, scale, (dx, dy)), target)
        np.testing.assert_allclose(rescaled.xy["body"], plain.xy["body"], atol=0.05)


MODES = {
    "paper": NormalizationConfig(),
    "keep": KEEP,
    "limbs": NormalizationConfig(mode="limbs"),
    "edn_release": NormalizationConfig(mode="edn_release"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("canvas", "source_scale", "target_scale"),
    [((360, 640), 2, 6), ((640, 360), 2, 3)],
    ids=["720p into 4K", "portrait into landscape"],
)
def test_videos_of_other_sizes_are_as_if_both_had_as_many_pixels(
    mode, canvas, source_scale, target_scale
):
    small_source = with_ears(walking(size=canvas))
    small_target = with_ears(walking(31, size=(360, 640), video="her"))
    small_target = moved(small_target, 0.8, (70, 30)).replaced(width=640, height=360)
    expected = moved(transfer(small_source, small_target, MODES[mode]), target_scale)
    target = moved(small_target, target_scale)
    found = transfer(moved(small_source, source_scale), target, MODES[mode])
    assert (found.width, found.height) == (640 * target_scale, 360 * target_scale)
    # The release's pivot is a whole number of px: half of the smaller ones is 2.5 of the larger.
    tolerance = 1 if mode == "edn_release" else 0.01
    np.testing.assert_allclose(found.xy["body"], expected.xy["body"], atol=tolerance)
    heights = target_scale * transfer(small_source, small_target, MODES[mode]).figure_height
    np.testing.assert_allclose(found.figure_height, heights, rtol=1e-4)


def test_how_tall_the_target_stands_goes_with_the_depth_and_not_with_a_crouch():
    height = np.full(50, 150.0)
    height[20:30] = 90  # he crouches
    half_way = dancer([350.0] * 50, height=height)
    result = normalize_keypoints(half_way, SOURCE, TARGET, KEEP, blank(400, 400))
    np.testing.assert_allclose(result.figure_height, (200 + 300) / 2)
    single = dataclasses.replace(
        TARGET, fallback="single scale", ankle_median=450.0, height_median=240.0
    )
    source = dataclasses.replace(SOURCE, ankle_median=350.0, height_median=150.0)
    result = normalize_keypoints(half_way, source, single, KEEP, blank(400, 400))
    np.testing.assert_allclose(result.figure_height, 240)


def test_a_jump_keeps_its_scale_and_its_height_grows_with_the_figure():
    # Scale 1.5 at 350, half-way: (100 / 100 + 200 / 100) / 2.
    source = VideoStatistics(400, 300, 100, 100, config={"level_window_s": 1.0})
    target = VideoStatistics(480, 440, 200, 100)
    level = np.full(75, 350.0)
    level[40:50] -= 80  # 0.4 s at 25 frames/s
    result = normalize_keypoints(dancer(level, height=100), source, target, KEEP, blank(400, 400))
    feet = result.point("left_ankle")[:, 1]
    np.testing.assert_allclose(feet[:40], 460, atol=1e-3)
    np.testing.assert_allclose(feet[40:50], 460 - 1.5 * 80, atol=1e-3)
    np.testing.assert_allclose(feet - result.point("nose")[:, 1], 1.5 * 100, atol=1e-3)
