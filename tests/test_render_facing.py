"""Style ``facing``: front or back, near or far, from 2-D keypoints alone."""

import numpy as np
import pytest
from conftest import STANDING

from edn_core.keypoints import missing_person
from edn_core.render import PALETTES
from edn_core.render.facing import Heading, draw_facing_figure, estimate_heading
from edn_core.skeleton import BODY_25, COCO_18, EDN_23

SIZE = (400, 200)
CHEST = 120, 85  # row and column, beside all lines


def dancer(places, skeleton=BODY_25, without=()):
    person = missing_person(skeleton)
    for name in skeleton.keypoints:
        if name in places and name not in without:
            person["body"][skeleton.index(name)] = *places[name], 0.9
    return person


def swapped(places):
    """The same places with right and left exchanged: the same outline, seen from behind."""
    other = {"right": "left", "left": "right"}
    return {
        "_".join([other.get(side, side), *rest]): at
        for name, at in places.items()
        for side, *rest in [name.split("_")]
    }


def turned(yaw: float) -> dict:
    """A dancer who holds both forearms forward, turned by yaw (0: to us, 90 degrees: right)."""
    bones = {"neck": (0, 100, 0), "nose": (0, 72, 20), "mid_hip": (0, 200, 0)}
    for side, name in ((-1, "right"), (1, "left")):
        bones |= {
            f"{name}_shoulder": (side * 35, 100, 0),
            f"{name}_elbow": (side * 38, 145, 0),
            f"{name}_wrist": (side * 25, 145, 45),
            f"{name}_hip": (side * 17, 200, 0),
            f"{name}_knee": (side * 18, 270, 0),
            f"{name}_ankle": (side * 18, 340, 0),
        }
    return {name: (100 + x * np.cos(yaw) + z * np.sin(yaw), y) for name, (x, y, z) in bones.items()}


def heading(places, scores=(), without=()) -> Heading:
    spots = {name: (*at, 0.9) for name, at in places.items() if name not in without}
    spots |= {name: (*places[name], score) for name, score in dict(scores).items()}
    return estimate_heading(spots.get)


HEADLESS = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


def test_a_dancer_with_the_right_shoulder_on_the_left_faces_us():
    # Shoulders and hips are 50 and 30 px wide, 1.05 * 100 px from the front: 80 / 105.
    front = heading(STANDING, without=HEADLESS)
    assert (front.front, front.side) == (pytest.approx(80 / 105), 0)
    assert heading(swapped(STANDING), without=HEADLESS).front == pytest.approx(-80 / 105)


@pytest.mark.parametrize("degrees", (0, 45, 135, 180, 270))
def test_the_heading_is_about_the_yaw(degrees):
    yaw = np.radians(degrees)
    found = heading(turned(yaw), without=("nose",) if np.cos(yaw) < -0.5 else ())
    assert found.front == pytest.approx(np.cos(yaw), abs=0.25)
    if "nose" in turned(yaw) and np.cos(yaw) >= -0.5:
        assert found.side == pytest.approx(np.sin(yaw), abs=0.11)


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23], ids=lambda one: one.name)
def test_mirrored_shoulders_give_the_other_torso_color(skeleton):
    front = draw_facing_figure(dancer(STANDING, skeleton), skeleton, SIZE)
    behind = draw_facing_figure(dancer(swapped(STANDING), skeleton), skeleton, SIZE)
    # The face is still there, but where both shoulders say back it only has a small say.
    assert front[CHEST][0] > 200 > 100 > front[CHEST][2]
    assert behind[CHEST][2] > 200 > 100 > behind[CHEST][0]


def has_color(label, name):
    color = PALETTES["BODY_25"][BODY_25.index(name)]
    return (label == color).all(axis=2).any()


@pytest.mark.parametrize(("yaw", "near", "far"), [(90, "right", "left"), (-90, "left", "right")])
def test_a_profile_draws_the_near_arm_over_the_far_one(yaw, near, far):
    # Edge on, both arms lie on the same pixels, and both legs: what is far is hidden whole.
    label = draw_facing_figure(dancer(turned(np.radians(yaw))), BODY_25, (1080, 200))
    for joint in ("elbow", "wrist", "knee"):
        assert has_color(label, f"{near}_{joint}")
        assert not has_color(label, f"{far}_{joint}")


def test_where_near_and_far_change_places_the_picture_does_not_jump():
    # Crossed legs, seen from the front; the nose, all that speaks of the side, passes the middle.
    # 0.1 of 20 px to either side is 0.009 of side, 0.009 / 0.4 of what is mixed: 6 grey levels.
    crossed = {**STANDING, "right_ankle": (130, 340), "left_ankle": (70, 340)}
    labels = []
    for shift in (-8, -0.1, 0.1, 8):
        person = dancer({**crossed, "nose": (100 + shift, 70)}, without=HEADLESS[1:])
        labels.append(draw_facing_figure(person, BODY_25, SIZE).astype(int)[230:])
    assert np.abs(labels[2] - labels[1]).max() <= 8
    assert np.abs(labels[3] - labels[0]).max() > 100
