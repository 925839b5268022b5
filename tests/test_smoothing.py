"""Gaps and smoothing, on tracks one can follow by eye."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter

from edn_core.config import SmoothingConfig
from edn_core.keypoints import Keypoints, check_keypoints
from edn_core.skeleton import BODY_25, PARTS, part_skeleton
from edn_core.smoothing import smooth_keypoints, window_length

NAN = float("nan")
METHODS = ("median_savgol", "median", "none")


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
def test_long_gaps_and_missing_ends_stay_empty_and_nothing_reaches_across(method):
    track = [NAN] + [0] * 8 + [NAN] * 5 + [100] * 8 + [NAN]
    np.testing.assert_allclose(smoothed_x(track, method), track, atol=1e-4)


@pytest.mark.parametrize("method", ["median", "median_savgol"])
def test_a_single_wild_frame_disappears(method):
    np.testing.assert_allclose(smoothed_x([1, 1, 1, 99, 1, 1, 1], method), 1, atol=1e-5)


def test_the_median_repeats_the_ends_and_keeps_the_length():
    # windows: 9 9 1 | 9 1 2 | 1 2 3 | 2 3 8 | 3 8 8
    np.testing.assert_array_equal(smoothed_x([9, 1, 2, 3, 8], "median", window=3), [9, 2, 2, 3, 8])


def test_the_score_is_a_running_median_too():
    raw = track_of([4, 4, 4, 4, 4], score=[0.9, 0.1, 0.2, 0.3, 0.8])
    for method in ("median", "median_savgol"):
        smooth = smooth_keypoints(raw, SmoothingConfig(method=method, window_frames=3))
        np.testing.assert_allclose(smooth.point_score("nose"), [0.9, 0.2, 0.2, 0.3, 0.8])
    smooth = smooth_keypoints(raw, SmoothingConfig(method="none", window_frames=3))
    np.testing.assert_array_equal(smooth.point_score("nose"), raw.point_score("nose"))


def test_the_default_is_scipys_median_and_savitzky_golay_in_every_run():
    random = np.random.default_rng(0)
    first, second = random.normal(50, 9, 30), random.normal(10, 9, 12)
    smooth = smoothed_x([*first, *[NAN] * 5, *second], "median_savgol", window=7)
    for run, found in ((first, smooth[:30]), (second, smooth[-12:])):
        expected = savgol_filter(median_filter(run, 3, mode="nearest"), 7, 2)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def with_hand(wrist_x, hand_x, fps=4):
    """A left wrist that moves along x, and its hand, 20 px long, whose points have one x."""
    keypoints = track_of(wrist_x, keypoint="left_wrist", fps=fps)
    hand_x = np.array(hand_x, np.float32)[:, None]
    y = np.where(np.isnan(hand_x), NAN, np.nan_to_num(2 * hand_x) + np.arange(21))
    keypoints.xy["hand_left"] = np.stack(np.broadcast_arrays(hand_x, y), axis=2).astype(np.float32)
    keypoints.score["hand_left"] = np.where(np.isnan(y), 0, 0.9).astype(np.float32)
    return keypoints


def steadied_hand(wrist_x, hand_x, fade_s=0.5, gap=0):
    """x and score of that hand after its gaps are filled; 4 frames per second."""
    config = SmoothingConfig(method="none", max_gap_frames=gap, hand_fade_s=fade_s)
    smooth = smooth_keypoints(with_hand(wrist_x, hand_x), config)
    check_keypoints(smooth, "smoothed")
    return smooth.xy["hand_left"][:, 5, 0], smooth.score["hand_left"][:, 5]


def test_a_lost_hand_stays_on_its_wrist_and_fades():
    wrist = [10, 20, 30, 40, 50, 60, 70]
    x, score = steadied_hand(wrist, [11, 21, 31, NAN, NAN, NAN, NAN])
    np.testing.assert_allclose(x, [11, 21, 31, 41, 51, NAN, NAN], rtol=1e-5)
    # Weights 1 2 3 2 1 over 9, times 0.9.
    np.testing.assert_allclose(score, [0.9, 0.8, 0.6, 0.3, 0.1, 0, 0], rtol=1e-5)


def test_a_hand_in_a_gap_goes_where_its_wrist_goes():
    for fade_s, gap in ((0.5, 0), (0, 3)):
        x, _ = steadied_hand([10, 50, 70, 20, 10], [11, NAN, NAN, NAN, 15], fade_s, gap)
        np.testing.assert_allclose(x, [11, 52, 73, 24, 15], rtol=1e-5)


def test_a_hand_blinks_where_it_is_not_to_fade_and_is_not_made_up_without_its_wrist():
    hand = [11, 11, NAN, NAN, NAN]
    np.testing.assert_array_equal(steadied_hand([10] * 5, hand, fade_s=0)[0], hand)
    np.testing.assert_array_equal(steadied_hand([NAN] * 5, hand)[0], hand)
    np.testing.assert_allclose(steadied_hand([10, 10, NAN, 10, 10], hand)[0], [*hand[:3], 11, NAN])


def test_a_hand_on_the_other_wrist_is_dropped():
    x, score = steadied_hand([10, 10, 10], [11, 90, 11], fade_s=0)
    np.testing.assert_array_equal(x, [11, NAN, 11])
    np.testing.assert_allclose(score, [0.9, 0, 0.9], rtol=1e-5)


@settings(max_examples=40, deadline=None)
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


def test_a_quarter_of_a_second_is_an_odd_number_of_frames_and_at_least_five():
    frames = [window_length(SmoothingConfig(), fps) for fps in (10, 24, 30, 50, 60)]
    assert frames == [5, 7, 7, 13, 15]
