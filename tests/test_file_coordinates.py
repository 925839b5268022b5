"""What the coordinates in keypoint files mean, and files in which anything may lie."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keypoint_files import (
    archive,
    body,
    document,
    frame_name,
    made,
    people_in,
    points,
    read_or_refuse,
    write,
    yaml_matrix,
)


def scaled(values: list[float], by: tuple[float, float], shift: float = 0.0) -> list[float]:
    xyc = np.array(values).reshape(-1, 3)
    xyc[:, :2] = xyc[:, :2] * by + shift
    return xyc.ravel().tolist()


# OpenPose's --keypoint_scale 3 and 4: 0 and 1 are the centres of the first and the last pixel.
TO_FRACTION, TO_SIGNED = (1 / 199, 1 / 399), (2 / 199, 2 / 399)


@pytest.mark.parametrize(
    ("coordinates", "is_told"), [*product(["fraction", "signed", "pixels"], [True, False])]
)
def test_normalised_coordinates_are_recognised_and_become_pixels(tmp_path, coordinates, is_told):
    values = {
        "fraction": scaled(body(60), TO_FRACTION),
        "signed": scaled(body(60), TO_SIGNED, -1),
        "pixels": body(60),
    }[coordinates]
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": values})
    (person,) = people_in(tmp_path, coordinates=coordinates if is_told else "auto")
    np.testing.assert_allclose(person["body"].ravel(), body(60), atol=1e-3)


def test_all_files_together_say_what_the_coordinates_are(tmp_path):
    """One frame whose points are all positive is no sign that the video's are not -1..1."""
    positive = [abs(value) for value in scaled(body(110, step=5), TO_SIGNED, -1)]
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": positive})
    write(tmp_path, frame_name(1), {"pose_keypoints_2d": scaled(body(30), TO_SIGNED, -1)})
    (person,) = people_in(tmp_path, 1)
    np.testing.assert_allclose(person["body"].ravel(), body(30), atol=1e-3)


@pytest.mark.parametrize("low_and_high", [(-0.01, 0.9), (0.0, 1.3), (-1.3, 0.9), (150.0, 0.9)])
def test_coordinates_that_may_be_one_or_the_other_are_asked_for(tmp_path, low_and_high):
    values = scaled(body(30), TO_FRACTION)
    values[0], values[3] = low_and_high
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": values})
    with pytest.raises(ValueError, match=r"the coordinates lie in .*pose\.coordinates: pixels, fr"):
        made(tmp_path)


# Whatever lies in the files: keypoints that keep the contract, or an error that names the file

FUZZ = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
NUMBERS = st.one_of(
    *(st.floats(), st.floats(0, 1), st.integers(), st.integers(10**300, 10**400)),
    st.sampled_from([None, True, "1", [], {}, [1.0], 1e-300, -0.0]),
)


def spoil(x: float, wrong: dict[int, object]) -> list:
    """A body in which a few numbers are any numbers."""
    return [wrong.get(i, value) for i, value in enumerate(body(x))]


BODIES = st.builds(
    spoil, st.floats(0, 110), st.dictionaries(st.integers(0, 74), NUMBERS, max_size=2)
)
PEOPLE = st.fixed_dictionaries(
    {"pose_keypoints_2d": st.one_of(BODIES, NUMBERS, st.just([]))},
    optional={"hand_left_keypoints_2d": st.one_of(st.none(), st.lists(NUMBERS))},
)


@FUZZ
@given(
    people=st.one_of(st.lists(PEOPLE, max_size=3), NUMBERS),
    canvas=NUMBERS,
    coordinates=st.sampled_from(["auto", "pixels", "fraction", "signed"]),
)
def test_any_numbers_are_read_or_refused(tmp_path, people, canvas, coordinates):
    content = {"people": people, "canvas_width": canvas, "canvas_height": 300}
    (tmp_path / frame_name(0)).write_text(json.dumps(content))
    read_or_refuse(tmp_path, coordinates)


@FUZZ
@given(data=st.data(), name=st.sampled_from(["a.zip", "a.tar.gz", "0_pose.yml"]))
def test_any_damage_is_survived_or_refused(tmp_path, data, name):
    path = tmp_path / name
    if name.endswith("yml"):
        path.write_text(yaml_matrix(points(30, 25)))
    else:
        archive(path, {frame_name(0): document({"pose_keypoints_2d": body(30)})})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    read_or_refuse(tmp_path if name.endswith("yml") else path, "auto")
    path.unlink()
