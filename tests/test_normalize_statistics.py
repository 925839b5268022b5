"""Levels and heights of a video: by-hand numbers, the file, what tells jumps from steps."""

import dataclasses
import math

import numpy as np
import pytest
from walkers import UNFILTERED, dancer, walking

from edn_core.config import StatisticsConfig
from edn_core.normalize import measure_video, read_statistics, write_statistics
from edn_core.normalize.statistics import VideoStatistics, filter_level


def test_levels_and_heights_follow_the_paper():
    # close 400, median 300; alpha 0.7 puts far at 230; epsilon = 5 % of 200 = 10 px.
    levels = [400.0] * 5 + [300.0] * 11 + [235.0] * 3 + [225.0] * 3 + [200.0] * 3
    heights = [150.0] * 4 + [155.0] + [120.0] * 11 + [90.0] * 2 + [95.0] + [85.0] * 6
    statistics = measure_video(dancer(levels, height=heights), UNFILTERED)
    assert (statistics.ankle_close, statistics.ankle_far) == (400, 235)
    assert (statistics.height_close, statistics.height_far) == (155, 95)
    assert (statistics.ankle_median, statistics.height_median) == (300, 120)
    assert (statistics.n_frames, statistics.n_used) == (25, 25)
    assert (statistics.fallback, statistics.steps) == ("", ())


def test_the_tolerance_widens_where_no_frame_is_near_the_far_level():
    # far is sought at 230; 10 px and 20 px away there is nobody, 40 px away there is 265.
    levels = [400.0] * 5 + [300.0] * 15 + [265.0] * 2 + [200.0]
    statistics = measure_video(dancer(levels), UNFILTERED)
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
    statistics = measure_video(dancer(levels), UNFILTERED)
    assert statistics.fallback == "single scale"
    assert reason in statistics.steps[-1]
    assert statistics.ankle_close == statistics.ankle_far == statistics.ankle_median == 300


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
def test_statistics_survive_the_file(tmp_path, feet):
    first = measure_video(walking(without=feet), StatisticsConfig(min_frames=7))
    write_statistics(tmp_path / "first.json", first)
    loaded = read_statistics(tmp_path / "first.json")
    for one in dataclasses.fields(VideoStatistics):
        np.testing.assert_equal(getattr(loaded, one.name), getattr(first, one.name))
    assert loaded.config["min_frames"] == 7


def test_a_jump_shorter_than_half_the_window_is_gone_and_a_longer_one_stays():
    level = np.full(100, 300.0)
    level[50:62] -= 80
    np.testing.assert_array_equal(filter_level(level, 25, 1.0), 300)  # 12 of 25 frames
    level[62] -= 80
    assert filter_level(level, 25, 1.0)[56] == 220


def test_a_walk_keeps_its_level_but_for_a_quarter_of_the_window_at_its_ends():
    walk = np.arange(400.0, 300.0, -1)
    filtered = filter_level(walk, 25, 1.0)
    np.testing.assert_array_equal(filtered[6:-6], walk[6:-6])
    # Mirrored: 12 frames on either side of the first are the same 12 frames.
    np.testing.assert_array_equal(filtered[:6], 394)
    np.testing.assert_array_equal(filtered[-6:], 307)


def test_short_gaps_are_bridged_and_long_ones_divide():
    level = np.concatenate([np.full(20, 300.0), np.full(5, np.nan), np.full(20, 310.0)])
    filtered = filter_level(level, 10, 1.0)
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(level))
    # 11 frames: six of 300 and the gap's five, whose middle value is 305.
    assert filtered[19] == 300 and filtered[14] == 300
    # After a long one nothing of what was before it counts.
    apart = np.concatenate([np.full(20, 300.0), np.full(15, np.nan), [400.0], np.full(20, 380.0)])
    np.testing.assert_array_equal(filter_level(apart, 10, 1.0)[35:38], 380)


def test_jumps_are_no_places_to_stand():
    level = np.concatenate([np.linspace(300, 380, 60), np.full(40, 380.0), np.full(60, 300.0)])
    jumping = level.copy()
    jumping[70:80] -= 150  # would be the farthest of all
    measured = measure_video(dancer(jumping), StatisticsConfig())
    plain = measure_video(dancer(level), StatisticsConfig())
    assert (measured.ankle_close, measured.ankle_far) == (plain.ankle_close, plain.ankle_far)
    assert measure_video(dancer(jumping), UNFILTERED).ankle_median < plain.ankle_median
