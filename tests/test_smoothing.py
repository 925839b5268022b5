"""Gaps and the running median, on tracks one can follow by eye."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.config import SmoothingConfig
from edn_core.keypoints import Keypoints, check_keypoints
from edn_core.skeleton import BODY_25, PARTS, part_skeleton
from edn_core.smoothing import smooth_keypoints

NAN = float("nan")


def track_of(x, score=None, keypoint="nose"):
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
    return Keypoints(xy, scores, width=64, height=64, fps=Fraction(25), video="walk")


def test_a_gap_of_four_frames_is_filled_on_a_straight_line():
    raw = track_of([0, NAN, NAN, NAN, NAN, 50], score=[0.9, 0, 0, 0, 0, 0.4])
    smooth = smooth_keypoints(raw, SmoothingConfig(window_frames=1, max_gap_frames=4))
    np.testing.assert_allclose(smooth.point("nose")[:, 0], [0, 10, 20, 30, 40, 50])
    np.testing.assert_allclose(smooth.point("nose")[:, 1], [0, 20, 40, 60, 80, 100])
    np.testing.assert_allclose(smooth.point_score("nose"), [0.9, 0.4, 0.4, 0.4, 0.4, 0.4])


def test_a_gap_of_five_frames_stays_empty():
    raw = track_of([0, NAN, NAN, NAN, NAN, NAN, 60])
    smooth = smooth_keypoints(raw, SmoothingConfig(window_frames=7, max_gap_frames=4))
    np.testing.assert_array_equal(
        np.isnan(smooth.point("nose")[:, 0]), [False, True, True, True, True, True, False]
    )


def test_missing_frames_at_the_ends_are_not_invented():
    smooth = smooth_keypoints(track_of([NAN, 5, 5, NAN]), SmoothingConfig())
    np.testing.assert_array_equal(np.isnan(smooth.point("nose")[:, 0]), [True, False, False, True])


def test_a_single_wild_frame_disappears():
    smooth = smooth_keypoints(track_of([1, 1, 1, 99, 1, 1, 1]), SmoothingConfig(window_frames=3))
    np.testing.assert_array_equal(smooth.point("nose")[:, 0], 1)


def test_the_median_repeats_the_ends_and_keeps_the_length():
    smooth = smooth_keypoints(track_of([9, 1, 2, 3, 8]), SmoothingConfig(window_frames=3))
    # windows: 9 9 1 | 9 1 2 | 1 2 3 | 2 3 8 | 3 8 8
    np.testing.assert_array_equal(smooth.point("nose")[:, 0], [9, 2, 2, 3, 8])


def test_no_window_reaches_across_a_gap():
    raw = track_of([0, 0, 0] + [NAN] * 5 + [100, 100, 100])
    smooth = smooth_keypoints(raw, SmoothingConfig(window_frames=7, max_gap_frames=4))
    expected = [0, 0, 0] + [NAN] * 5 + [100, 100, 100]
    np.testing.assert_array_equal(smooth.point("nose")[:, 0], expected)


def test_keypoints_do_not_mix_with_their_neighbours_in_the_array():
    raw = track_of([1, 1, 1], keypoint="nose")
    raw.xy["body"][:, BODY_25.index("neck")] = 50
    raw.score["body"][:, BODY_25.index("neck")] = 1
    smooth = smooth_keypoints(raw, SmoothingConfig())
    np.testing.assert_array_equal(smooth.point("nose")[:, 0], 1)
    np.testing.assert_array_equal(smooth.point("neck")[:, 0], 50)


def test_the_input_is_left_alone_and_the_result_is_marked():
    raw = track_of([0, NAN, 2])
    smooth = smooth_keypoints(raw, SmoothingConfig())
    assert np.isnan(raw.point("nose")[1]).all()
    assert (raw.smoothed, smooth.smoothed) == (False, True)
    assert (smooth.video, smooth.fps, smooth.width) == (raw.video, raw.fps, raw.width)


@pytest.mark.parametrize("window", [1, 7])
def test_a_video_without_anyone_stays_empty(window):
    smooth = smooth_keypoints(track_of([NAN] * 4), SmoothingConfig(window_frames=window))
    assert all(np.isnan(smooth.xy[part]).all() for part in PARTS)
    check_keypoints(smooth, "nobody")


@settings(max_examples=50, deadline=None)
@given(
    x=st.lists(st.one_of(st.just(NAN), st.floats(-100, 100, width=32)), min_size=1, max_size=30),
    window=st.sampled_from([1, 3, 7]),
    gap=st.integers(0, 5),
)
def test_the_contract_holds_and_no_value_lies_outside_the_track(x, window, gap):
    raw = track_of(x)
    smooth = smooth_keypoints(raw, SmoothingConfig(window_frames=window, max_gap_frames=gap))
    check_keypoints(smooth, "smoothed")
    seen = ~np.isnan(raw.point("nose")[:, 0])
    assert len(smooth) == len(raw)
    assert not np.isnan(smooth.point("nose")[seen]).any()
    if seen.any():
        track, result = raw.point("nose")[seen, 0], smooth.point("nose")[:, 0]
        assert np.nanmin(result) >= track.min() - 1e-4
        assert np.nanmax(result) <= track.max() + 1e-4
