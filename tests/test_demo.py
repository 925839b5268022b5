from fractions import Fraction

import numpy as np
import pytest

from edn_core.demo import DANCERS, draw_frame, film_demo, synthesize_beat
from edn_core.demo.choreography import BEATS_PER_MINUTE
from edn_core.demo.room import draw_room
from edn_core.keypoints import check_keypoints, from_people, read_keypoints
from edn_core.skeleton import BODY_25, HAND_21
from edn_core.video import probe

SECONDS = 13


@pytest.fixture(scope="module", params=DANCERS)
def dance(request):
    """A dancer, and the truth of three frames a second of a whole demo video."""
    dancer = DANCERS[request.param]
    people = [draw_frame(dancer, number / 3)[1] for number in range(3 * SECONDS)]
    about = {"width": dancer.width, "height": dancer.height, "fps": Fraction(3)}
    return dancer, from_people(people, BODY_25, video=request.param, **about)


def test_the_same_moment_is_the_same_bytes():
    first, truth = draw_frame(DANCERS["target"], 1.25)
    draw_frame(DANCERS["source"], 3.0)
    second, again = draw_frame(DANCERS["target"], 1.25)
    assert first.tobytes() == second.tobytes()
    for part in truth:
        np.testing.assert_array_equal(truth[part], again[part])


def test_body_legs_and_face_are_always_in_the_frame_and_both_hands_mostly(dance):
    _, keypoints = dance
    check_keypoints(keypoints, "drawn")
    for name in BODY_25.keypoints:
        if not any(part in name for part in ("ear", "elbow", "wrist")):
            assert (keypoints.point_score(name) == 1).all(), name
    assert (keypoints.score["face"] == 1).all()
    for hand in ("hand_left", "hand_right"):
        assert (keypoints.score[hand] == 1).all(axis=1).mean() > 0.8


def test_the_dancers_left_is_at_the_images_right_and_the_hands_wrist_is_the_bodys(dance):
    _, keypoints = dance
    for name in ("shoulder", "hip", "eye"):
        left, right = (keypoints.point(f"{side}_{name}")[:, 0] for side in ("left", "right"))
        assert (left > right).all()
    for side in ("left", "right"):
        wrist = keypoints.xy[f"hand_{side}"][:, HAND_21.index("wrist")]
        np.testing.assert_array_equal(wrist, keypoints.point(f"{side}_wrist"))


def test_the_dancer_comes_closer_and_goes_away(dance):
    _, keypoints = dance
    ankle = keypoints.point("left_ankle")[:, 1]
    height = ankle - keypoints.point("nose")[:, 1]
    near = ankle > np.quantile(ankle, 0.8)
    far = ankle < np.quantile(ankle, 0.2)
    assert height[near].mean() > 1.08 * height[far].mean()


def test_every_spot_of_the_room_is_free_at_some_time(dance):
    dancer, _ = dance
    room = draw_room(dancer).astype(int)
    is_free = np.zeros(room.shape[:2], bool)
    for time_s in np.arange(0, SECONDS, 0.5):
        is_free |= np.abs(draw_frame(dancer, time_s)[0] - room).max(axis=2) < 12
    assert is_free.all()


def test_the_beat_is_loudest_on_the_beat():
    sound = synthesize_beat(6.0)
    assert sound.dtype == np.int16
    assert sound.shape == (264_600,)
    samples = np.abs(sound.astype(float)).reshape(-1, 60 * 44_100 // BEATS_PER_MINUTE)
    quarters = samples.reshape(len(samples), 4, -1).mean(axis=2)
    assert (quarters[:, 0] > 2 * quarters[:, 3]).all()


def test_a_film_and_its_keypoints_have_the_same_frames(tmp_path):
    dancer = DANCERS["source"]
    film_demo(dancer, 0.4, Fraction(25), tmp_path / "source.mp4", tmp_path / "keypoints.h5")
    info = probe(tmp_path / "source.mp4")
    keypoints = read_keypoints(tmp_path / "keypoints.h5")
    assert info.n_frames == len(keypoints) == 10
    assert (info.width, info.height) == (keypoints.width, keypoints.height) == (480, 600)
    assert info.fps == keypoints.fps == 25
    assert info.has_sound
    assert (keypoints.video, keypoints.backend) == ("source", "drawn")
    np.testing.assert_array_equal(keypoints.person(5)["body"], draw_frame(dancer, 0.2)[1]["body"])


def test_a_film_of_no_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="less than one frame"):
        film_demo(DANCERS["source"], 0.0, Fraction(25), tmp_path / "a.mp4", tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
