"""What the coordinates in keypoint files mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keypoint_files import IMAGE, body, config, frame_name, people_in, write

from edn_core.pose.file_coordinates import tell_coordinates, to_pixels
from edn_core.pose.openpose_files import make


def scaled(values: list[float], by: tuple[float, float], shift: float = 0.0) -> list[float]:
    xyc = np.array(values).reshape(-1, 3)
    xyc[:, :2] = xyc[:, :2] * by + shift
    return xyc.ravel().tolist()


# OpenPose's --keypoint_scale 3 and 4: 0 and 1 are the centres of the first and the last pixel.
TO_FRACTION = (1 / 199, 1 / 399)
TO_SIGNED = (2 / 199, 2 / 399)


@pytest.mark.parametrize("coordinates", ["fraction", "signed", "pixels"])
@pytest.mark.parametrize("is_told", [True, False])
def test_normalised_coordinates_are_recognised_and_become_pixels(tmp_path, coordinates, is_told):
    values = {
        "fraction": scaled(body(30), TO_FRACTION),
        "signed": scaled(body(30), TO_SIGNED, -1),
        "pixels": body(30),
    }[coordinates]
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": values})
    (person,) = people_in(tmp_path, coordinates=coordinates if is_told else "auto")
    np.testing.assert_allclose(person["body"].ravel(), body(30), atol=1e-3)


def test_all_files_together_say_what_the_coordinates_are(tmp_path):
    """One frame whose points are all positive is no sign that the video's are not -1..1."""
    positive = scaled(body(110, step=5), TO_SIGNED, -1)
    positive = [abs(value) for value in positive]
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": positive})
    write(tmp_path, frame_name(1), {"pose_keypoints_2d": scaled(body(30), TO_SIGNED, -1)})
    found = make(config(tmp_path), "dance").find([IMAGE], 1)[0]
    np.testing.assert_allclose(found[0]["body"].ravel(), body(30), atol=1e-3)


@pytest.mark.parametrize("low_and_high", [(-0.01, 0.9), (0.0, 1.3), (-1.3, 0.9), (-0.5, 1.3)])
def test_coordinates_that_may_be_one_or_the_other_are_asked_for(tmp_path, low_and_high):
    values = scaled(body(30), TO_FRACTION)
    values[0], values[3] = low_and_high
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": values})
    with pytest.raises(ValueError, match=r"the coordinates lie in .*pose\.coordinates: pixels, fr"):
        make(config(tmp_path), "dance")


def test_one_wild_point_does_not_make_fractions_pixels(tmp_path):
    values = scaled(body(30), TO_FRACTION)
    values[0] = 150.0
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": values})
    with pytest.raises(ValueError, match=r"0\.\.150, which may be"):
        make(config(tmp_path), "dance")


def test_pixels_of_a_smaller_canvas_are_scaled_to_the_video(tmp_path):
    found = {"pose_keypoints_2d": body(30)}
    write(tmp_path, frame_name(0), found, canvas_width=100, canvas_height=400)
    (person,) = people_in(tmp_path)
    # Twice as wide: pixel 30 of the canvas is pixels 60 and 61 of the video.
    np.testing.assert_allclose(person["body"][:2], [[60.5, 0, 0.5], [62.5, 10, 0.5]])


@pytest.mark.parametrize("width", ["512", 0, -5, True, [1], 1e300, float("nan")])
def test_a_canvas_that_is_no_size_is_refused(tmp_path, width):
    found = {"pose_keypoints_2d": body(30)}
    write(tmp_path, frame_name(0), found, canvas_width=width, canvas_height=400)
    with pytest.raises(ValueError, match="canvas_width and canvas_height are"):
        make(config(tmp_path), "dance")


def test_points_far_outside_the_frame_are_refused(tmp_path):
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": body(500)})
    backend = make(config(tmp_path), "dance")
    with pytest.raises(ValueError, match=r"dance_0+_keypoints\.json: a point .*video is 200x400"):
        backend.find([IMAGE], 0)


@given(
    x=st.floats(0, 199),
    y=st.floats(0, 399),
    coordinates=st.sampled_from(["fraction", "signed", "pixels"]),
)
def test_the_corners_of_the_picture_are_the_ends_of_the_range(x, y, coordinates):
    last = np.array([199.0, 399.0])
    xy = np.array([x, y])
    in_file = {"fraction": xy / last, "signed": 2 * xy / last - 1, "pixels": xy}[coordinates]
    person = {"body": np.array([[*in_file, 1]], np.float32)}
    found = to_pixels(person, coordinates, None, (400, 200))["body"]
    np.testing.assert_allclose(found, [[x, y, 1]], atol=1e-4)


def test_the_range_is_told_from_found_points_only():
    person = {"body": np.array([[0.2, 0.7, 1], [0.9, 0.1, 1], [np.nan, np.nan, 0]], np.float32)}
    assert tell_coordinates([[], [person]], "") == "fraction"
