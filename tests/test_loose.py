"""What hangs in the air beside the dancer is taken away; torn limbs and soft edges stay."""

import numpy as np

from edn_core.loose import without_loose_pieces


def test_pieces_stay_that_touch_the_skeleton():
    picture = np.full((60, 60, 4), 127, np.uint8)
    picture[..., 3] = 0
    skeleton = np.zeros((60, 60), bool)
    skeleton[5:50, 20] = True
    picture[5:20, 15:26, 3] = 255  # the body
    picture[5:20, 26:28, 3] = 20  # its soft edge
    picture[25:50, 18:22, 3] = 200  # a leg, torn off
    picture[40:45, 40:45, 3] = 255  # a piece beside it
    picture[40:45, 45:48, 3] = 20  # and that one's edge
    expected = picture.copy()
    expected[:, 40:, 3] = 0
    np.testing.assert_array_equal(without_loose_pieces(picture, skeleton), expected)


def test_where_no_skeleton_is_nothing_stays():
    picture = np.full((10, 10, 4), 255, np.uint8)
    assert not without_loose_pieces(picture, np.zeros((10, 10), bool))[..., 3].any()
