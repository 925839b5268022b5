"""Whatever lies in the files: keypoints that keep the contract, or an error that names the file."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keypoint_files import (
    archive,
    body,
    config,
    document,
    frame_name,
    read_or_refuse,
    write,
    yaml_matrix,
)

from edn_core.pose.openpose_files import make


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"people": null}',
        "[]",
        "{",
        "",
        "\0",
        '{"people": [1]}',
        '{"people": [{"pose_keypoints_2d": "abc"}]}',
        '{"people": [{"pose_keypoints_2d": {"a": 1}}]}',
        '{"people": [{"pose_keypoints_2d": [[1, 2, 3]]}]}',
        json.dumps({"people": [{"pose_keypoints_2d": ["1"] * 75}]}),
        '{"people": [{"pose_keypoints_2d": [1, 2]}]}',
        json.dumps({"people": [{"pose_keypoints_2d": [True] * 75}]}),
        json.dumps({"people": [{"pose_keypoints_2d": [1e7, 0, 1] * 25}]}),
        '{"people": [{"pose_keypoints_2d": [1, 2, 1' + "0" * 400 + "]}]}",
        '{"people": [{"pose_keypoints_2d": [1, 2, 1' + "0" * 5000 + "]}]}",
        '{"people": ' + "[" * 100_000,
        json.dumps({"people": [{"pose_keypoints_2d": [1e300, 0, 1] * 25}]}),
        json.dumps({"people": [{"pose_keypoints_2d": [float("nan"), 0, 1] * 25}]}),
        json.dumps({"people": [{"pose_keypoints_2d": [5, 5, float("inf")] * 25}]}),
        json.dumps(
            {"people": [{"pose_keypoints_2d": [5, 5, 1] * 25, "face_keypoints_2d": [1] * 9}]}
        ),
    ],
    ids=lambda text: text[:60],
)
def test_a_file_that_is_no_openpose_file_is_named(tmp_path, text):
    (tmp_path / "0_keypoints.json").write_text(text)
    with pytest.raises(ValueError, match=r"0_keypoints\.json: ") as raised:
        make(config(tmp_path), "dance")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
COORDINATES = st.sampled_from(["auto", "pixels", "fraction", "signed"])
NUMBERS = st.one_of(
    st.floats(),
    st.floats(-5, 500),
    st.floats(0, 1),
    st.integers(),
    st.integers(10**300, 10**400),
    st.sampled_from([None, True, "1", [], {}, [1.0], 1e-300, -0.0]),
)


def spoiled(n_points: int) -> st.SearchStrategy[list]:
    """A list of n_points points in the picture of which a few numbers are any numbers."""

    def spoil(x: float, step: float, wrong: dict[int, object]) -> list:
        return [wrong.get(i, value) for i, value in enumerate(body(x, n_points, step))]

    index = st.integers(0, 3 * n_points - 1)
    wrong = st.dictionaries(index, st.one_of(st.floats(-9, 190), NUMBERS), max_size=2)
    return st.builds(spoil, st.floats(0, 110), st.floats(0, 5), wrong)


PEOPLE = st.fixed_dictionaries(
    {"pose_keypoints_2d": st.one_of(spoiled(25), st.sampled_from([body(30), body(30, 18), []]))},
    optional={
        "face_keypoints_2d": spoiled(70),
        "hand_left_keypoints_2d": st.one_of(spoiled(21), st.none(), st.lists(NUMBERS)),
        "hand_right_keypoints": spoiled(21),
        "person_id": NUMBERS,
    },
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@FUZZ
@given(content=st.binary(max_size=300), coordinates=COORDINATES)
@pytest.mark.parametrize("name", ["0_keypoints.json", "0_pose.yml"])
def test_any_bytes_are_read_or_refused(tmp_path, name, content, coordinates):
    (tmp_path / name).write_bytes(content)
    assert not read_or_refuse(tmp_path, coordinates)


@FUZZ
@given(content=JSON, coordinates=COORDINATES)
def test_any_json_is_read_or_refused(tmp_path, content, coordinates):
    for whole in (content, {"people": content}, {"people": [content]}):
        (tmp_path / "0_keypoints.json").write_text(json.dumps(whole))
        read_or_refuse(tmp_path, coordinates)


@FUZZ
@given(
    frames=st.lists(st.lists(PEOPLE, max_size=3), min_size=1, max_size=2),
    canvas=st.lists(NUMBERS, min_size=2, max_size=2),
    coordinates=COORDINATES,
)
def test_any_numbers_are_read_or_refused(tmp_path, frames, canvas, coordinates):
    (tmp_path / frame_name(1)).unlink(missing_ok=True)
    for number, people in enumerate(frames):
        others = dict(zip(("canvas_width", "canvas_height"), canvas, strict=True))
        write(tmp_path, frame_name(number), *people, **(others if number else {}))
    read_or_refuse(tmp_path, coordinates)


@FUZZ
@given(
    values=spoiled(25).filter(lambda values: all(type(one) is float for one in values)),
    wrong=st.one_of(st.none(), st.tuples(st.integers(0, 400), st.characters())),
    coordinates=COORDINATES,
)
def test_any_yaml_is_read_or_refused(tmp_path, values, wrong, coordinates):
    text = yaml_matrix(np.array(values).reshape(1, 25, 3))
    if wrong is not None:
        text = text[: wrong[0]] + wrong[1] + text[wrong[0] + 1 :]
    (tmp_path / "0_pose.yml").write_bytes(text.encode("utf-8", "surrogatepass"))
    read_or_refuse(tmp_path, coordinates)


@FUZZ
@given(data=st.data(), name=st.sampled_from(["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"]))
def test_any_damage_to_an_archive_is_survived_or_refused(tmp_path, data, name):
    text = document({"pose_keypoints_2d": body(30)})
    path = archive(tmp_path / name, {frame_name(0): text, frame_name(1): text})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    read_or_refuse(path, "auto")


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes_are_no_archive_or_an_empty_one(tmp_path, content):
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        (tmp_path / name).write_bytes(content)
        assert not read_or_refuse(tmp_path / name, "auto")


@FUZZ
@given(x=st.floats(0, 170), step=st.floats(0.5, 16), n_points=st.sampled_from([18, 23, 25]))
def test_people_inside_the_picture_are_accepted_wherever_they_are(tmp_path, x, step, n_points):
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": body(x, n_points, step)})
    assert read_or_refuse(tmp_path, "pixels")
