"""What hangs in the air beside the dancer is taken away, what is torn off or soft stays."""

import numpy as np

from edn_core.tidy import with_steeper_matte, without_loose_pieces


def test_pieces_stay_that_touch_the_skeleton():
    picture = np.full((60, 60, 4), 127, np.uint8)
    picture[..., 3] = 0
    bones = np.zeros((60, 60), bool)
    bones[5:50, 20] = True
    picture[5:20, 15:26, 3] = 255  # the body
    picture[25:50, 18:22, 3] = 20  # a leg, torn off
    picture[40:45, 40:45, 3] = 255  # a piece beside it
    expected = picture.copy()
    expected[:, 40:, 3] = 0
    np.testing.assert_array_equal(without_loose_pieces(picture, lambda: bones), expected)
    nowhere = np.zeros_like(bones)  # all points lie outside of the window
    np.testing.assert_array_equal(without_loose_pieces(picture, lambda: nowhere), picture)


def test_what_is_half_there_is_made_solid_in_its_own_colour():
    # Red (200, 20, 20) on the ground, opaque by 0, 0.1, 0.4, 0.8 and 1.
    share = np.array([0, 0.1, 0.4, 0.8, 1])[None, :, None]
    colour = np.array([200.0, 20, 20])
    picture = np.dstack([colour * share + 127.5 * (1 - share), 255 * share]).round()
    steeper = with_steeper_matte(picture.astype(np.uint8)).astype(float)
    expected = np.array([0, 0, 0.4, 1, 1])[None, :, None]
    np.testing.assert_allclose(steeper[..., 3:] / 255, expected, atol=0.003)
    painted = colour * expected + 127.5 * (1 - expected)
    np.testing.assert_allclose(steeper[..., :3], painted, atol=1.5)
