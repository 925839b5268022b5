"""Gaps and smoothing, on tracks one can follow by eye; block averages against the fixture.

``fixtures/avesmooth.npz`` holds the keypoints of 41 drawn frames (layout edn23) and their means
over blocks of 4 frames as the published code makes them (spec algorithms 2.1), for three frame
sizes.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from edn_core.config import SmoothingConfig
from edn_core.keypoints import Keypoints, check_keypoints
from edn_core.skeleton import BODY_25, PARTS, part_skeleton
from edn_core.smoothing import block_mean, fit_to_reference, smooth_keypoints, window_length

NAN = float("nan")
METHODS = ("median_savgol", "median", "savgol", "one_euro", "none")
AVESMOOTH = Path(__file__).parent / "fixtures" / "avesmooth.npz"


def track_of(x, score=None, keypoint="nose", fps=25):
    """Keypoints of which one moves along x (y = 2 x); NaN frames are missing."""
    x = np.array(x, np.float32)
    xy, scores = {}, {}
    for part in PARTS:
        rows = len(part_skeleton(part))
        xy[part] = np.full((len(x), rows, 2), np.nan, np.float32)
        scores[part] = np.zeros((len(x), rows), np.float32)
    row = BODY_25.index(keypoint)
    xy["body"][:, row] = np.stack([x, 2 * x], axis=1)
    given_score = np.full(len(x), 0.5) if score is None else np.array(score)
    scores["body"][:, row] = np.where(np.isnan(x), 0, given_score)
    return Keypoints(xy, scores, width=64, height=64, fps=Fraction(fps), video="walk")


def smoothed_x(x, method, window=7, gap=4, fps=25):
    """What becomes of a track along x."""
    config = SmoothingConfig(method=method, window_frames=window, max_gap_frames=gap)
    return smooth_keypoints(track_of(x, fps=fps), config).point("nose")[:, 0]


def test_a_gap_of_four_frames_is_filled_on_a_straight_line():
    raw = track_of([0, NAN, NAN, NAN, NAN, 50], score=[0.9, 0, 0, 0, 0, 0.4])
    smooth = smooth_keypoints(raw, SmoothingConfig(method="none", max_gap_frames=4))
    np.testing.assert_allclose(smooth.point("nose")[:, 0], [0, 10, 20, 30, 40, 50])
    np.testing.assert_allclose(smooth.point("nose")[:, 1], [0, 20, 40, 60, 80, 100])
    np.testing.assert_allclose(smooth.point_score("nose"), [0.9, 0.4, 0.4, 0.4, 0.4, 0.4])


@pytest.mark.parametrize("method", METHODS)
def test_a_gap_of_five_frames_stays_empty(method):
    smooth = smoothed_x([0, NAN, NAN, NAN, NAN, NAN, 60], method)
    np.testing.assert_array_equal(smooth, [0, NAN, NAN, NAN, NAN, NAN, 60])


@pytest.mark.parametrize("method", METHODS)
def test_missing_frames_at_the_ends_are_not_invented(method):
    np.testing.assert_allclose(smoothed_x([NAN, 5, 5, NAN], method), [NAN, 5, 5, NAN])


@pytest.mark.parametrize("method", METHODS)
def test_no_method_reaches_across_a_gap(method):
    track = [0] * 8 + [NAN] * 5 + [100] * 8
    np.testing.assert_allclose(smoothed_x(track, method), track, atol=1e-4)


@pytest.mark.parametrize("method", ["median", "median_savgol"])
def test_a_single_wild_frame_disappears(method):
    np.testing.assert_allclose(smoothed_x([1, 1, 1, 99, 1, 1, 1], method), 1, atol=1e-5)


def test_the_median_repeats_the_ends_and_keeps_the_length():
    # windows: 9 9 1 | 9 1 2 | 1 2 3 | 2 3 8 | 3 8 8
    np.testing.assert_array_equal(smoothed_x([9, 1, 2, 3, 8], "median", window=3), [9, 2, 2, 3, 8])


def test_the_score_is_a_running_median_too():
    raw = track_of([4, 4, 4, 4, 4], score=[0.9, 0.1, 0.2, 0.3, 0.8])
    for method in ("median", "savgol", "median_savgol", "one_euro"):
        smooth = smooth_keypoints(raw, SmoothingConfig(method=method, window_frames=3))
        np.testing.assert_allclose(smooth.point_score("nose"), [0.9, 0.2, 0.2, 0.3, 0.8])
    smooth = smooth_keypoints(raw, SmoothingConfig(method="none", window_frames=3))
    np.testing.assert_array_equal(smooth.point_score("nose"), raw.point_score("nose"))


def test_savitzky_golay_is_that_of_scipy_in_every_run():
    random = np.random.default_rng(0)
    first, second = random.normal(50, 9, 30), random.normal(10, 9, 12)
    smooth = smoothed_x([*first, *[NAN] * 5, *second], "savgol", window=7)
    np.testing.assert_allclose(smooth[:30], savgol_filter(first, 7, 2), rtol=1e-5)
    np.testing.assert_allclose(smooth[-12:], savgol_filter(second, 7, 2), rtol=1e-5)


def test_a_run_shorter_than_the_window_is_one_window():
    # 0 4 0 4: the fitted line is 0.8 1.6 2.4 3.2, and no parabola is nearer.
    np.testing.assert_allclose(smoothed_x([0, 4, 0, 4], "savgol"), [0.8, 1.6, 2.4, 3.2], atol=1e-5)
    np.testing.assert_allclose(smoothed_x([0, 4, 0], "savgol"), [0, 4, 0], atol=1e-5)


def test_a_parabola_is_left_as_it_is_by_savitzky_golay():
    square = np.arange(20.0) ** 2
    np.testing.assert_allclose(smoothed_x(square, "savgol", window=9), square, atol=1e-3)


def test_a_steady_walk_does_not_lag():
    walk = 3.0 * np.arange(60)
    for method in METHODS:
        smooth = smoothed_x(walk, method)
        np.testing.assert_allclose(smooth[20:40], walk[20:40], atol=0.1, err_msg=method)


def test_one_euro_is_calm_at_rest_and_quick_in_motion():
    shiver = 50 + 0.5 * (-1.0) ** np.arange(40)  # a pixel to and fro
    at_rest = np.diff(smoothed_x(shiver, "one_euro"))
    assert np.abs(at_rest[10:30]).max() < 0.5 * np.abs(np.diff(shiver)).max()
    leap = np.where(np.arange(40) < 20, 0.0, 100.0)
    np.testing.assert_allclose(smoothed_x(leap, "one_euro")[19:21], [0, 100], atol=2)


def test_one_euro_looks_at_seconds_not_at_frames():
    shiver = 50 + 0.5 * (-1.0) ** np.arange(40)
    calm = {
        fps: np.abs(np.diff(smoothed_x(shiver, "one_euro", fps=fps)))[10:30].max()
        for fps in (25, 50)
    }
    assert calm[50] < 0.7 * calm[25]


def test_one_euro_does_not_depend_on_the_size_of_the_picture():
    small = track_of(np.random.default_rng(1).normal(50, 5, 40))
    small.xy["body"][:, BODY_25.index("left_ankle")] = (50, 300)
    small.score["body"][:, BODY_25.index("left_ankle")] = 1
    large = small.replaced(xy={part: 10 * xy for part, xy in small.xy.items()})
    config = SmoothingConfig(method="one_euro")
    np.testing.assert_allclose(
        smooth_keypoints(large, config).point("nose"),
        10 * smooth_keypoints(small, config).point("nose"),
        rtol=1e-4,
    )


@pytest.mark.parametrize("method", ["median", "savgol", "median_savgol"])
def test_a_window_of_one_frame_changes_nothing(method):
    np.testing.assert_allclose(smoothed_x([3, 9, 1, 7], method, window=1), [3, 9, 1, 7])


@pytest.mark.parametrize("method", METHODS)
def test_keypoints_do_not_mix_with_their_neighbours_in_the_array(method):
    raw = track_of([1, 1, 1], keypoint="nose")
    raw.xy["body"][:, BODY_25.index("neck")] = 50
    raw.score["body"][:, BODY_25.index("neck")] = 1
    raw.xy["hand_left"][:, -1] = 30
    raw.score["hand_left"][:, -1] = 1
    smooth = smooth_keypoints(raw, SmoothingConfig(method=method))
    np.testing.assert_allclose(smooth.point("nose")[:, 0], 1, atol=1e-5)
    np.testing.assert_allclose(smooth.point("neck")[:, 0], 50, atol=1e-5)
    np.testing.assert_allclose(smooth.xy["hand_left"][:, -1], 30, atol=1e-5)
    assert np.isnan(smooth.xy["hand_left"][:, :-1]).all()


def test_the_input_is_left_alone_and_the_result_is_marked():
    raw = track_of([0, NAN, 2])
    smooth = smooth_keypoints(raw, SmoothingConfig())
    assert np.isnan(raw.point("nose")[1]).all()
    assert (raw.smoothed, smooth.smoothed) == (False, True)
    assert (smooth.video, smooth.fps, smooth.width) == (raw.video, raw.fps, raw.width)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("window", [1, 7])
def test_a_video_without_anyone_stays_empty(method, window):
    config = SmoothingConfig(method=method, window_frames=window)
    smooth = smooth_keypoints(track_of([NAN] * 4), config)
    assert all(np.isnan(smooth.xy[part]).all() for part in PARTS)
    check_keypoints(smooth, "nobody")


@settings(max_examples=100, deadline=None)
@given(
    x=st.lists(st.one_of(st.just(NAN), st.floats(-100, 100, width=32)), min_size=1, max_size=30),
    method=st.sampled_from(METHODS),
    window=st.sampled_from([1, 3, 7]),
    gap=st.integers(0, 5),
)
def test_the_contract_holds_for_every_method(x, method, window, gap):
    raw = track_of(x)
    config = SmoothingConfig(method=method, window_frames=window, max_gap_frames=gap)
    smooth = smooth_keypoints(raw, config)
    check_keypoints(smooth, "smoothed")
    seen = ~np.isnan(raw.point("nose")[:, 0])
    assert len(smooth) == len(raw)
    assert not np.isnan(smooth.point("nose")[seen]).any()
    if seen.any() and "savgol" not in method:  # a parabola may overshoot a sharp turn
        track, result = raw.point("nose")[seen, 0], smooth.point("nose")[:, 0]
        assert np.nanmin(result) >= track.min() - 1e-3
        assert np.nanmax(result) <= track.max() + 1e-3


def test_a_block_is_its_mean_and_leftover_frames_are_in_none():
    points = np.array([[[0, 10, 0.2]], [[4, 20, 0.6]], [[100, 100, 1]]], np.float64)
    np.testing.assert_allclose(block_mean(points, 2), [[[2, 15, 0.4]]])


def test_a_point_missing_once_in_a_block_is_missing_in_its_mean():
    points = np.array([[[1, 1, 0.5]], [[NAN, NAN, 0]], [[2, 2, 0.5]], [[4, 4, 0.5]]])
    np.testing.assert_array_equal(block_mean(points, 2), [[[NAN, NAN, 0]], [[3, 3, 0.5]]])


def test_a_block_of_no_frames_is_refused():
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        block_mean(np.zeros((4, 1, 3)), 0)


def test_a_small_picture_is_doubled_and_centred_in_the_reference_space():
    # 540 x 800 doubles to 1080 x 1600, so 160 columns stay free on each side.
    np.testing.assert_array_equal(fit_to_reference([[0, 0, 0.7]], 540, 800), [[160, 0, 0.7]])


@pytest.mark.parametrize(
    ("size", "part"), [("hd", "body"), ("hd", "hand_right"), ("vga", "body"), ("wide", "body")]
)
def test_block_means_are_the_release_s_to_the_last_digit(size, part):
    # graph_avesmooth, block averages; sizes other than 1080p are fitted to it first.
    with np.load(AVESMOOTH) as fixture:
        points, expected = fixture[f"source/{part}"], fixture[f"{size}/mean/{part}"].copy()
        height, width = fixture[f"{size}/height_width"]
    means = block_mean(fit_to_reference(points, height, width), 4)
    missing = expected[..., 2] == 0
    assert 0 < missing.mean() < 1
    expected[missing] = (NAN, NAN, 0)
    np.testing.assert_array_equal(means, expected)


@pytest.mark.parametrize(
    ("fps", "frames"), [(10, 5), (24, 7), (25, 7), (30, 7), (50, 13), (60, 15), (120, 31)]
)
def test_a_quarter_of_a_second_is_an_odd_number_of_frames_and_at_least_five(fps, frames):
    assert window_length(SmoothingConfig(), fps) == frames


def test_a_window_in_frames_is_taken_as_it_is():
    assert window_length(SmoothingConfig(window_frames=9), 60) == 9
