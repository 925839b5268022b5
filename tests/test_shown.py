"""Parts as shown: heads and feet of a dance brought to what the target has shown of them."""

import numpy as np
import pytest
from test_preflight import dancer, joined
from walkers import in_skeleton

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import check_keypoints
from edn_core.normalize import bring_to_shown, measure_video, part_changes
from edn_core.preflight import changes
from edn_core.skeleton import COCO_18

HEAD = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


def bowed(n_frames, down):
    """A dancer of 25 frames a second who stands with his head so many px lower."""
    places = {name: tuple(dancer(1).point(name)[0] + (0, down)) for name in HEAD}
    return dancer(n_frames, **places)


# A second with the head upright, a second with it 4 px lower: what is shown lies 4 px apart.
TARGET = joined(bowed(25, 0), bowed(25, 4))


def as_shown(dance, strength=1.0, target=TARGET, known=range(50), **settings):
    """The dance, its parts brought to what the target has shown."""
    config = NormalizationConfig(as_shown=strength, **settings)
    return bring_to_shown(tall(dance, target), target, statistics(target), known, config)


def statistics(target):
    return measure_video(target, StatisticsConfig())


def tall(dance, target=TARGET):
    """The dance, as tall as the target stands."""
    height = np.float32(statistics(target).height_median)
    return dance.replaced(figure_height=np.full(len(dance), height))


def nose_y(keypoints):
    """Of the middle frame, px below where the upright dancer has it."""
    return keypoints.point("nose")[len(keypoints) // 2, 1] - 70


@pytest.mark.parametrize("down", [-3, 0, 3, 7])
def test_a_head_within_what_was_shown_is_not_moved_at_all(down):
    dance = bowed(9, down)
    np.testing.assert_array_equal(as_shown(dance).xy["body"], dance.xy["body"])


def test_a_head_bowed_by_more_than_was_shown_comes_back_to_its_edge():
    # Shown is 4 px lower; 14 is 10 px beyond, of which 4 are what the target's own frames differ.
    dance = bowed(9, 14)
    assert nose_y(as_shown(dance)) == pytest.approx(8, abs=1e-3)
    assert nose_y(as_shown(dance, 0.5)) == pytest.approx(11, abs=1e-3)
    moved = part_changes(tall(dance), as_shown(dance))
    np.testing.assert_allclose(moved["head"], 6 / statistics(TARGET).height_median, rtol=1e-4)
    assert not moved["left foot"].any()
    check_keypoints(as_shown(dance), "as shown")


def test_of_strength_0_and_in_the_releases_mode_it_is_the_dance_to_the_bit():
    dance = tall(bowed(9, 14))
    for settings in ({"strength": 0.0}, {"mode": "edn_release"}):
        assert as_shown(dance, **settings).xy["body"].tobytes() == dance.xy["body"].tobytes()


def test_where_how_large_and_how_turned_the_dancer_is_makes_no_difference():
    dance = tall(joined(bowed(5, 14), bowed(5, 3)))
    lying = np.array([[0, -2, 500], [2, 0, 30]])  # twice as large, on his side
    config = NormalizationConfig()
    before = bring_to_shown(dance, TARGET, statistics(TARGET), range(50), config)
    after = bring_to_shown(
        dance.moved(lying, (900, 900)), TARGET, statistics(TARGET), range(50), config
    )
    np.testing.assert_allclose(
        after.xy["body"], before.moved(lying, (900, 900)).xy["body"], atol=1e-3
    )


def test_frames_that_are_held_out_have_shown_nothing():
    target = joined(bowed(60, 0), bowed(60, 10))
    dance = bowed(9, 10)
    assert nose_y(as_shown(dance, target=target, known=range(120))) == 10
    assert nose_y(as_shown(dance, target=target, known=range(60))) == pytest.approx(0, abs=1e-3)


def test_a_foot_turned_as_it_never_was_comes_back_and_the_other_stays():
    dance = dancer(9, left_big_toe=(148, 358), left_small_toe=(154, 355), left_heel=(138, 350))
    result = as_shown(dance)  # its target's feet never move
    np.testing.assert_allclose(result.xy["body"], dancer(9).xy["body"], atol=1e-3)


def test_the_face_goes_with_the_head_and_is_the_targets_own_where_it_has_one():
    def with_face(keypoints, y):
        """A face of one point, so far below where the nose usually is."""
        xy, score = (
            {part: one.copy() for part, one in values.items()}
            for values in (keypoints.xy, keypoints.score)
        )
        xy["face"][:, 0], score["face"][:, 0] = (100, 70 + y), 0.9
        return keypoints.replaced(xy=xy, score=score)

    still = bowed(60, 0)  # nothing but upright: the head comes back as a whole
    dance = with_face(bowed(9, 14), 20)
    alone = as_shown(dance, target=still, known=range(60)).xy["face"]
    np.testing.assert_allclose(alone[:, 0], [(100, 70 + 20 - 14)] * 9, atol=1e-3)
    assert np.isnan(alone[:, 1:]).all()
    own = as_shown(dance, target=with_face(still, 3), known=range(60)).xy["face"]
    np.testing.assert_allclose(own[:, 0], [(100, 73)] * 9, atol=1e-3)


def test_a_dance_of_another_skeleton_and_a_target_that_shows_nothing_will_do():
    dance = in_skeleton(bowed(9, 14), COCO_18)
    assert nose_y(as_shown(dance)) == pytest.approx(8, abs=1e-3)
    assert nose_y(as_shown(dance, known=[])) == 14


def test_the_preflight_says_what_was_changed_in_how_much_of_the_dance_and_shows_it():
    dance = joined(bowed(50, 0), bowed(50, 27))  # a tenth of his height, 0.3 torso lengths
    danced = dance.replaced(figure_height=np.full(100, 270, np.float32))
    shown = danced.replaced(xy=bowed(100, 0).xy)
    found = changes.changes_of(danced, shown)
    share, says = changes.share_changed(found)
    assert share == 50
    assert says.endswith("in torso lengths: head (50 %, by 0.30)")
    pictures = changes.change_pictures(danced, shown, found)
    assert pictures[0].caption == "2.0 s: head by 0.30"
    assert len(pictures) == 4  # half a second apart
    assert (pictures[0].image[:, :200] != pictures[0].image[:, 200:]).any()
