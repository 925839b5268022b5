"""The face box, in a picture of 128 x 96."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.face import face_box_size, face_boxes, face_side
from edn_core.frames import FramesInfo
from edn_core.keypoints import Keypoints, from_people, missing_person
from edn_core.skeleton import BODY_25, FACE_70


def heads(*points: dict, face: tuple | None = (50, 40), size=(96, 128)) -> Keypoints:
    """One frame per dict of body points; every frame's face part is one dot, or nothing."""
    people = []
    for frame in points:
        person = missing_person()
        for name, (x, y) in frame.items():
            person["body"][BODY_25.index(name)] = x, y, 0.9
        if face is not None:
            person["face"][FACE_70.index("jaw_8")] = *face, 0.9
        people.append(person)
    return from_people(
        people, BODY_25, width=size[1], height=size[0], fps=Fraction(25), video="walk"
    )


def test_the_box_is_centred_on_the_nose():
    # 32 px from 48 to 80 are centred on 63.5.
    boxes = face_boxes(heads({"nose": (63.5, 47.5)}), 32)
    assert boxes.dtype == np.int32
    np.testing.assert_array_equal(boxes, [[48, 32, 80, 64]])


def test_without_a_nose_the_ears_stand_in_and_without_ears_the_face_itself():
    left, right = {"left_ear": (73.5, 47.5)}, {"right_ear": (53.5, 47.5)}
    boxes = face_boxes(heads(left | right, left, right, {}), 32)
    np.testing.assert_array_equal(boxes[:, 0], [48, 58, 38, 34])


def test_a_nose_without_a_face_and_a_face_outside_the_picture_have_no_box():
    assert (face_boxes(heads({"nose": (60, 40)}, {}, face=None), 32) == -1).all()
    assert (face_boxes(heads({"nose": (-5, 40)}, {"nose": (60, 120)}), 32) == -1).all()


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-0.5, 127.4), y=st.floats(-0.5, 95.4))
def test_the_box_never_leaves_the_picture_and_never_changes_size(x, y):
    x0, y0, x1, y1 = face_boxes(heads({"nose": (x, y)}), 48)[0]
    assert min(x0, y0) >= 0 and x1 <= 128 and y1 <= 96
    assert (x1 - x0, y1 - y0) == (48, 48)
    assert x0 - 0.51 <= x <= x1 - 0.49 and y0 - 0.51 <= y <= y1 - 0.49


def test_a_window_smaller_than_the_box_is_refused_by_name():
    refusal = "walk: a face box of 32 px does not fit into a window of 128x24; set canvas.pixels"
    with pytest.raises(ValueError, match=refusal):
        face_boxes(heads({"nose": (10, 10)}, size=(24, 128)), 32)


def test_the_side_is_a_quarter_of_the_whole_picture_in_steps_of_16_and_at_least_32():
    assert [face_box_size(height) for height in (512, 288, 320, 96)] == [128, 64, 80, 32]


def test_in_a_window_the_side_goes_with_the_figure():
    # 0.3 of the height from ankle to head.
    assert [face_box_size(512, figure) for figure in (320, 160, 50)] == [96, 48, 32]
    window = FramesInfo("walk", 0, Fraction(25), 256, 512, 9, 9, np.zeros((0, 2, 3)))
    assert face_side(window) == 128
    assert face_side(window.replaced(figure_px=320.0)) == 96
