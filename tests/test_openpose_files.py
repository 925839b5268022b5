"""Keypoints from files: which file is which frame, and what is in it."""

import json

import numpy as np
import pytest
from keypoint_files import (
    IMAGE,
    archive,
    body,
    document,
    frame_name,
    made,
    people_in,
    points,
    write,
    yaml_matrix,
)

from edn_core.pose.keypoint_files import parse_matrix, read_files
from edn_core.pose.openpose_files import number_files, read_frames
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, FACE_70

MISSING = [np.nan, np.nan, 0]


# OpenPose's JSON


def test_body_face_and_hands_of_one_person_are_read(tmp_path):
    write(
        tmp_path,
        frame_name(0),
        {
            "person_id": [-1],
            "pose_keypoints_2d": body(30),
            "face_keypoints_2d": body(30, 70, step=1),
            "hand_left_keypoints_2d": body(40, 21),
            "hand_right_keypoints_2d": body(50, 21),
            "pose_keypoints_3d": [],
        },
        part_candidates=[{"0": [1, 2, 3]}],
    )
    (person,) = people_in(tmp_path)
    assert [len(points) for points in person.values()] == [25, 70, 21, 21]
    np.testing.assert_array_equal(person["body"][BODY_25.index("neck")], [31, 10, 0.5])
    np.testing.assert_array_equal(person["face"][FACE_70.index("jaw_2")], [32, 2, 0.5])
    np.testing.assert_array_equal(person["hand_left"][0], [40, 0, 0.5])
    np.testing.assert_array_equal(person["hand_right"][0], [50, 0, 0.5])


def test_absent_hands_and_face_are_missing(tmp_path):
    # As old releases called it; one is empty, one null, one left out.
    found = {"pose_keypoints": body(30), "face_keypoints_2d": [], "hand_left_keypoints_2d": None}
    write(tmp_path, frame_name(0), found)
    (person,) = people_in(tmp_path)
    for part in ("face", "hand_left", "hand_right"):
        assert np.isnan(person[part][:, :2]).all()
        assert (person[part][:, 2] == 0).all()


def test_a_point_is_missing_by_its_score_not_by_its_place(tmp_path):
    values = body(30)
    values[0:3] = [0, 0, 0]  # the nose was not found
    values[3:6] = [0, 7, 0.4]  # the neck lies on the frame's left edge
    values[6:9] = [5, 7, 1.02]  # OpenPose's scores may exceed 1 a little
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": values})
    (person,) = people_in(tmp_path)
    np.testing.assert_array_equal(person["body"][0], MISSING)
    np.testing.assert_allclose(person["body"][1:3], [[0, 7, 0.4], [5, 7, 1]])


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, EDN_23], ids=lambda one: one.name)
def test_the_number_of_body_points_says_which_skeleton_it_is(tmp_path, skeleton):
    write(tmp_path, frame_name(0))
    write(tmp_path, frame_name(1), {"pose_keypoints_2d": body(30, len(skeleton))})
    backend = made(tmp_path)
    assert backend.skeleton is skeleton
    assert backend.weights_sha256 == ""
    assert len(backend.find([IMAGE], 1)[0][0]["body"]) == len(skeleton)


def test_another_body_than_in_the_first_file_is_named(tmp_path):
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": body(30)})
    write(tmp_path, frame_name(1), {"pose_keypoints_2d": body(30, 18)})
    message = r"dance_000000000001.*18 points, expected 25 \(BODY_25\) as in the files before"
    with pytest.raises(ValueError, match=message):
        made(tmp_path)
    write(tmp_path, frame_name(0), {"pose_keypoints_2d": body(30, 15)})
    with pytest.raises(ValueError, match=r"a body of 15 points, expected 25.*--model_pose"):
        made(tmp_path)


def test_everybody_in_a_file_is_given_but_for_those_without_a_body(tmp_path):
    nobody = {"pose_keypoints_2d": [0] * 75, "face_keypoints_2d": body(30, 70, step=1)}
    people = [{"pose_keypoints_2d": body(x)} for x in (20, 120)]
    write(tmp_path, frame_name(0), people[0], nobody, people[1])
    assert [person["body"][0, 0] for person in people_in(tmp_path)] == [20, 120]


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{", '{"people": [1]}'),
        '{"people": ' + "[" * 100_000,
        '{"people": [{"pose_keypoints_2d": [1, 2]}]}',
        '{"people": [{"pose_keypoints_2d": [1, 2, 1' + "0" * 400 + "]}]}",
        json.dumps({"people": [{"pose_keypoints_2d": [1e300, 0, 1] * 25}]}),
        json.dumps({"people": [{"pose_keypoints_2d": [float("nan"), 0, 1] * 25}]}),
        document({"pose_keypoints_2d": [5, 5, 1] * 25, "face_keypoints_2d": [1] * 9}),
        document({"pose_keypoints_2d": body(30)}, canvas_width=0, canvas_height=400),
    ],
    ids=lambda text: text[:60],
)
def test_a_file_that_is_no_openpose_file_is_named(tmp_path, text):
    (tmp_path / "0_keypoints.json").write_text(text)
    with pytest.raises(ValueError, match=r"0_keypoints\.json: ") as raised:
        made(tmp_path)
    assert "\n" not in str(raised.value)


# Which file is which frame


def test_the_file_number_is_the_frame_and_gaps_are_nobody(tmp_path):
    for frame, x in ((2, 20), (10, 100)):
        write(tmp_path, frame_name(frame), {"pose_keypoints_2d": body(x)})
    write(tmp_path, frame_name(3))
    backend = made(tmp_path)
    found = [len(people) for people in backend.find([IMAGE] * 12, 0)]
    assert found == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert backend.find([IMAGE, IMAGE], 9)[1][0]["body"][0, 0] == 100


def test_of_files_named_by_openpose_no_others_count():
    names = ["a_000000000004_keypoints.json", "notes2.json", "a_000000000004_keypoints_1.json"]
    names += ["frame7_keypoints.json", "readme.txt", "deeper/a_000000000001_keypoints.json"]
    assert number_files(names, "") == {(4, ""): "a_000000000004_keypoints.json"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.json", "a_keypoints.json"], "dance: no numbered keypoint files"),
        (
            ["a_000000000001_keypoints.json", "b_000000000001_keypoints.json"],
            "has the number 1, as",
        ),
        (["a/1_keypoints.json", "b/2_keypoints.json"], r"several folders \(a, b\); keep"),
        (["1_keypoints.json", "1_pose.yml"], "both in JSON and in YAML"),
    ],
)
def test_files_that_are_not_those_of_one_video_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        number_files(names, "dance")


def test_a_folder_that_is_not_there_and_one_without_people_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: nothing there, .* pose\.openpose_files"):
        made(tmp_path / "nowhere")
    path = write(tmp_path, frame_name(0)).with_name("a.txt")
    path.touch()
    with pytest.raises(ValueError, match="nobody in the files of any of the 1 frames"):
        made(tmp_path)
    with pytest.raises(ValueError, match=r"no folder and no archive, expected .*\.zip"):
        made(path)


def test_the_videos_name_is_put_into_the_path(tmp_path):
    write(tmp_path / "bob", frame_name(0), {"pose_keypoints_2d": body(30)})
    assert len(made(tmp_path / "{video}", name="bob").find([IMAGE], 0)[0]) == 1


# Archives


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.xz", "A.ZIP"])
def test_an_archive_is_read_like_the_folder_in_it(tmp_path, name):
    members = {
        f"out/json/{frame_name(i)}": document({"pose_keypoints_2d": body(30 + i)}) for i in (2, 0)
    }
    others = {"__MACOSX/out/json/._" + frame_name(0): "\0", "out/.hidden/0_keypoints.json": "{"}
    path = archive(tmp_path / name.lower(), members | others).rename(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    assert [name for name, _ in read_files(path, set(members))] == list(members)
    people = made(path).find([IMAGE] * 3, 0)
    assert [[one["body"][0, 0] for one in found] for found in people] == [[30], [], [32]]
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked


def test_a_member_whose_name_leaves_the_archive_is_written_nowhere(tmp_path):
    outside = f"{tmp_path}/marker/0_keypoints.json"
    path = archive(tmp_path / "a.tar", {outside: document({"pose_keypoints_2d": body(30)})})
    assert len(made(path).find([IMAGE], 0)[0]) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_damaged_archive_is_named(tmp_path, name):
    for content in (b"", b"no archive", b"PK\3\4" * 100):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}: (cannot be read|no numbered)"):
            made(tmp_path / name)


# OpenCV's YAML


def test_the_published_data_are_read_part_by_part(tmp_path):
    two = np.concatenate([points(20, 23), points(120, 23)])
    for name, values in (
        ("frame000000_pose.yml", two),
        ("frame000000_face.yml", np.concatenate([points(20, 70) / 2, points(120, 70) / 2])),
        ("frame000000_hand_right.yml", points(50, 21)),
        ("frame000001_pose.yml", points(30, 23)),
    ):
        (tmp_path / name).write_text(yaml_matrix(values))
    empty = "%YAML:1.0\n---\npose_0: !!opencv-nd-matrix\n   sizes: 0\n   dt: f\n   data: []\n"
    (tmp_path / "frame000002_pose.yml").write_text(empty.replace("sizes: 0", "sizes: [ 0, 23, 3 ]"))
    backend = made(tmp_path)
    assert backend.skeleton is EDN_23
    first, second, third = backend.find([IMAGE] * 3, 0)
    assert [one["body"][EDN_23.index("neck"), 0] for one in first] == [20, 120]
    assert [one["body"][EDN_23.index("nose"), 1] for one in first] == [180, 180]  # the 19th
    assert [one["face"][0, 0] for one in first] == [10, 60]
    assert first[0]["hand_right"][0, 0] == 50
    assert np.isnan(first[1]["hand_right"][:, 0]).all()
    assert np.isnan(first[0]["hand_left"][:, 0]).all()
    assert [len(second), len(third)] == [1, 0]


def test_both_forms_of_opencvs_matrices_are_understood():
    rows = 'x_0: !!opencv-matrix\n   rows: 2\n   cols: 2\n   dt: "3f"\n   data: [ %s ]'
    numbers = "1., 2., 5.e-01, 3., 4.5, .Nan, 0., 0., 0., -1.5e+01, .Inf, 1."
    expected = [[[1, 2, 0.5], [3, 4.5, np.nan]], [[0, 0, 0], [-15, np.inf, 1]]]
    np.testing.assert_array_equal(parse_matrix((rows % numbers).encode(), ""), expected)
    shape = 'rows: 2\n   cols: 2\n   dt: "3f"', "sizes: [ 2, 2, 3 ]\n   dt: f"
    text = (rows % numbers).replace(*shape).replace("opencv-matrix", "opencv-nd-matrix")
    np.testing.assert_array_equal(parse_matrix(text.encode(), ""), expected)
    assert len(parse_matrix(b"x: !!opencv-matrix\n rows: 0\n cols: 0\n dt: f\n data: [ ]", "")) == 0


def test_what_opencv_itself_writes_is_read(tmp_path):
    import cv2

    values = np.concatenate([points(20, 25), points(120, 25)]).astype(np.float32)
    store = cv2.FileStorage(str(tmp_path / "frame1_pose.yml"), cv2.FILE_STORAGE_WRITE)
    store.write("pose_0", values)
    store.release()
    frames, skeleton = read_frames(tmp_path)
    assert skeleton is BODY_25
    np.testing.assert_array_equal([one["body"] for one in frames[1].people], values)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[ 1, 23, 3 ]", "[ 2, 23, 3 ]", r"69 numbers in a matrix of \[2, 23, 3\]"),
        ("2.00000000e+01", "twenty", "no number"),
        ("2.00000000e+01", ".Inf", "a score but no position"),
        ("!!opencv", "!!other", "holds no matrix"),
    ],
)
def test_a_wrong_yaml_file_is_named(tmp_path, old, new, message):
    text = yaml_matrix(points(20, 23))
    (tmp_path / "frame1_pose.yml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"frame1_pose\.yml: .*{message}"):
        made(tmp_path)
