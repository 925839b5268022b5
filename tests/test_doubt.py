"""Doubt about a pose, on a dancer who stands still and is 300 px tall."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from conftest import STANDING

from edn_core.doubt import pose_doubt, without_doubtful
from edn_core.keypoints import from_people
from edn_core.skeleton import BODY_25


def standing(n_frames):
    body = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)
    return from_people(
        [{"body": body.copy()} for _ in range(n_frames)],
        BODY_25,
        width=200,
        height=400,
        fps=Fraction(25),
        video="standing",
    )


def test_who_stands_still_and_is_seen_is_as_doubtful_as_the_scores_say():
    np.testing.assert_allclose(pose_doubt(standing(4)), 0.1, atol=1e-6)


def test_a_keypoint_that_is_missing_counts_as_a_score_of_nought():
    dancer = standing(3)
    dancer.xy["body"][1, :5] = np.nan
    dancer.score["body"][1, :5] = 0
    assert pose_doubt(dancer)[1] == pytest.approx((5 * 1 + 20 * 0.1) / 25, abs=1e-6)


def test_nobody_at_all_is_the_most_doubtful():
    dancer = standing(3)
    dancer.xy["body"][:] = np.nan
    dancer.score["body"][:] = 0
    np.testing.assert_array_equal(pose_doubt(dancer), [1, 1, 1])
    assert without_doubtful(dancer, [], 0.5) == []


def test_a_jump_by_a_part_of_the_body_counts_ten_times_that_part():
    dancer = standing(5)
    height = 358 - 62  # of the body's box
    dancer.xy["body"][2, :, 0] += 0.1 * height
    # Its neighbours lie half as far from the middle between theirs.
    np.testing.assert_allclose(pose_doubt(dancer), [0.1, 0.6, 1.1, 0.6, 0.1], atol=1e-5)


def test_a_steady_movement_is_no_jump():
    dancer = standing(6)
    dancer.xy["body"][..., 0] += 7 * np.arange(6)[:, None]
    np.testing.assert_allclose(pose_doubt(dancer), 0.1, atol=1e-6)


def test_the_most_doubtful_frames_are_left_out_and_no_more_than_asked_for():
    dancer = standing(10)
    score = dancer.score["body"].copy()
    score[3], score[7], score[1] = 0.2, 0.3, 0.4
    dancer = replace(dancer, score=dancer.score | {"body": score})
    assert without_doubtful(dancer, range(10), 0.0) == list(range(10))
    assert without_doubtful(dancer, range(10), 0.2) == [0, 1, 2, 4, 5, 6, 8, 9]
    assert without_doubtful(dancer, range(10), 0.19) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert without_doubtful(dancer, [9, 1, 2], 0.34) == [2, 9]
