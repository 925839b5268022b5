"""Boxes around hands, on keypoints one can place by hand."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import STANDING
from tiny import without

from edn_core.hands import hand_box_size, hand_boxes

# The canvas of the standing dancer is 200 x 400.


def with_hand(dancer, side, points):
    """The dancer with some points of a hand found in every frame."""
    xy = {part: values.copy() for part, values in dancer.xy.items()}
    score = {part: values.copy() for part, values in dancer.score.items()}
    for row, point in enumerate(points):
        xy[f"hand_{side}"][:, row] = point
        score[f"hand_{side}"][:, row] = 0.9
    return replace(dancer, xy=xy, score=score)


def test_the_box_is_an_eighth_of_the_canvas():
    assert [hand_box_size(height) for height in (64, 128, 256, 512, 1024)] == [16, 16, 32, 64, 128]


def test_a_box_is_centred_on_the_middle_of_the_hands_own_points(standing_dancer):
    dancer = with_hand(standing_dancer, "left", [(140.0, 190.0), (150.0, 210.0), (141.0, 209.0)])
    left, _ = hand_boxes(dancer, 20)[3]
    # The middle is 145, 200; pixels 136 to 155 lie around 145.5.
    np.testing.assert_array_equal(left, [136, 190, 156, 210])


def test_without_hand_points_it_lies_a_third_of_the_forearm_beyond_the_wrist(standing_dancer):
    _, right = hand_boxes(standing_dancer, 16)[0]
    (wrist_x, wrist_y), (elbow_x, elbow_y) = STANDING["right_wrist"], STANDING["right_elbow"]
    x, y = wrist_x + 0.33 * (wrist_x - elbow_x), wrist_y + 0.33 * (wrist_y - elbow_y)
    x0, y0, x1, y1 = right
    assert abs((x0 + x1 - 1) / 2 - x) <= 0.5 and abs((y0 + y1 - 1) / 2 - y) <= 0.5
    assert (x1 - x0, y1 - y0) == (16, 16)


def test_without_an_elbow_it_lies_on_the_wrist(standing_dancer):
    row = standing_dancer.skeleton.index("left_elbow")
    standing_dancer.xy["body"][:, row] = np.nan
    standing_dancer.score["body"][:, row] = 0
    left, _ = hand_boxes(standing_dancer, 17)[0]
    np.testing.assert_array_equal(left, [140 - 8, 195 - 8, 140 + 9, 195 + 9])


def test_where_nothing_of_an_arm_was_found_there_is_no_box(standing_dancer):
    boxes = hand_boxes(without(standing_dancer, [2]), 16)
    assert (boxes[2] == -1).all()
    assert (boxes[[0, 1, 3, 4]] >= 0).all()


def test_at_the_border_a_box_is_shifted_inwards_and_outside_there_is_none(standing_dancer):
    border = with_hand(standing_dancer, "left", [(1.0, 398.0)])
    np.testing.assert_array_equal(hand_boxes(border, 16)[0, 0], [0, 384, 16, 400])
    outside = with_hand(standing_dancer, "left", [(-1.0, 398.0)])
    assert (hand_boxes(outside, 16)[0, 0] == -1).all()


def test_a_canvas_smaller_than_the_box_is_refused(standing_dancer):
    with pytest.raises(ValueError, match="a hand box of 208 px does not fit .* 200x400"):
        hand_boxes(standing_dancer, 208)
