import json
from pathlib import Path

import numpy as np
import pytest

from edn_core.config import PoseConfig
from edn_core.pose.openpose_files import make, number_files, read_people
from edn_core.pose.tracking import select_dancer
from edn_core.skeleton import BODY_25, COCO_18, FACE_70

IMAGE = np.zeros((400, 200, 3), np.uint8)
KEYS = ("pose", "face", "hand_left", "hand_right")


def body(x: float, n_points: int = 25, step: float = 10.0) -> list[float]:
    """Points at (x, 0), (x + 1, step), (x + 2, 2 step) ... with score 0.5."""
    return [value for i in range(n_points) for value in (x + i, i * step, 0.5)]


def write(folder: Path, name: str, *people: dict) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_text(json.dumps({"version": 1.3, "people": list(people)}))
    return path


def config(folder: Path) -> PoseConfig:
    return PoseConfig(backend="openpose_files", openpose_files=str(folder / "{video}"))


def test_body_face_and_hands_of_one_person_are_read(tmp_path):
    path = write(
        tmp_path,
        "dance_000000000000_keypoints.json",
        {
            "person_id": [-1],
            "pose_keypoints_2d": body(30),
            "face_keypoints_2d": body(30, 70, step=1),
            "hand_left_keypoints_2d": body(40, 21),
            "hand_right_keypoints_2d": body(50, 21),
            "pose_keypoints_3d": [],
        },
    )
    (person,) = read_people(path, BODY_25)
    assert {part: len(points) for part, points in person.items()} == {
        "body": 25,
        "face": 70,
        "hand_left": 21,
        "hand_right": 21,
    }
    np.testing.assert_array_equal(person["body"][BODY_25.index("neck")], [31, 10, 0.5])
    np.testing.assert_array_equal(person["face"][FACE_70.index("jaw_2")], [32, 2, 0.5])
    np.testing.assert_array_equal(person["hand_left"][0], [40, 0, 0.5])
    np.testing.assert_array_equal(person["hand_right"][0], [50, 0, 0.5])


@pytest.mark.parametrize("absent", [None, [], "left out"])
def test_absent_hands_and_face_are_missing(tmp_path, absent):
    found = {"pose_keypoints_2d": body(30)}
    if absent != "left out":
        found |= {f"{key}_keypoints_2d": absent for key in KEYS[1:]}
    (person,) = read_people(write(tmp_path, "0_keypoints.json", found), BODY_25)
    for part in ("face", "hand_left", "hand_right"):
        assert np.isnan(person[part][:, :2]).all()
        assert (person[part][:, 2] == 0).all()


def test_old_key_names_are_read(tmp_path):
    found = {"pose_keypoints": body(30), "hand_left_keypoints": body(40, 21)}
    (person,) = read_people(write(tmp_path, "0_keypoints.json", found), BODY_25)
    assert person["body"][0, 0] == 30
    assert person["hand_left"][0, 0] == 40


def test_a_point_is_missing_by_its_score_not_by_its_place(tmp_path):
    values = body(30)
    values[0:3] = [0, 0, 0]  # the nose was not found
    values[3:6] = [0, 7, 0.4]  # the neck lies on the frame's left edge
    values[6:9] = [5, 7, 1.02]  # OpenPose's scores may exceed 1 a little
    (person,) = read_people(
        write(tmp_path, "0_keypoints.json", {"pose_keypoints_2d": values}), BODY_25
    )
    np.testing.assert_array_equal(person["body"][0], [np.nan, np.nan, 0])
    np.testing.assert_allclose(person["body"][1], [0, 7, 0.4])
    assert person["body"][2, 2] == 1


def test_the_file_number_is_the_frame_and_gaps_are_nobody(tmp_path):
    for frame, x in ((2, 20), (10, 100)):
        found = {"pose_keypoints_2d": body(x)}
        write(tmp_path / "dance", f"dance_{frame:012d}_keypoints.json", found)
    write(tmp_path / "dance", "dance_000000000003_keypoints.json")
    backend = make(config(tmp_path), "dance")
    assert backend.weights_sha256 == ""
    assert [len(backend.find(IMAGE, frame)) for frame in (0, 2, 3, 10, 11)] == [0, 1, 0, 1, 0]
    assert backend.find(IMAGE, 10)[0]["body"][0, 0] == 100


def test_files_made_from_images_are_counted_from_the_lowest_and_by_number(tmp_path):
    for name in ("frame9_keypoints.json", "frame10_keypoints.json", "frame1_keypoints.json"):
        write(tmp_path, name)
    found = {frame: path.name for frame, path in number_files(tmp_path).items()}
    assert found == {
        0: "frame1_keypoints.json",
        8: "frame9_keypoints.json",
        9: "frame10_keypoints.json",
    }


def test_two_files_of_one_number_are_refused(tmp_path):
    write(tmp_path, "a_000000000001_keypoints.json")
    write(tmp_path, "b_000000000001_keypoints.json")
    with pytest.raises(ValueError, match="has the number 1, as has a_000000000001_keypoints"):
        number_files(tmp_path)


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18], ids=lambda skeleton: skeleton.name)
def test_the_skeleton_is_that_of_the_first_person_found(tmp_path, skeleton):
    write(tmp_path / "dance", "dance_000000000000_keypoints.json")
    found = {"pose_keypoints_2d": body(30, len(skeleton))}
    write(tmp_path / "dance", "dance_000000000001_keypoints.json", found)
    backend = make(config(tmp_path), "dance")
    assert backend.skeleton is skeleton
    assert len(backend.find(IMAGE, 1)[0]["body"]) == len(skeleton)


def test_mpi_bodies_are_refused_with_what_to_do(tmp_path):
    found = {"pose_keypoints_2d": body(30, 15)}
    write(tmp_path / "dance", "dance_000000000000_keypoints.json", found)
    with pytest.raises(ValueError, match=r"a body of 45 numbers, expected 75.*--model_pose"):
        make(config(tmp_path), "dance")


def test_a_file_of_another_body_than_the_first_is_named(tmp_path):
    write(tmp_path / "dance", "a_000000000000_keypoints.json", {"pose_keypoints_2d": body(30)})
    found = {"pose_keypoints_2d": body(30, 18)}
    write(tmp_path / "dance", "a_000000000001_keypoints.json", found)
    backend = make(config(tmp_path), "dance")
    with pytest.raises(ValueError, match=r"a_000000000001.*54 entries, expected 75 numbers"):
        backend.find(IMAGE, 1)


def test_normalised_coordinates_are_refused_and_called_so(tmp_path):
    values = np.array(body(30)).reshape(-1, 3) / (200, 400, 1)
    path = write(tmp_path, "0_keypoints.json", {"pose_keypoints_2d": values.ravel().tolist()})
    with pytest.raises(ValueError, match=r"normalised; expected pixels.*--keypoint_scale 0"):
        read_people(path, BODY_25)


def test_points_far_outside_the_frame_are_refused(tmp_path):
    write(tmp_path / "dance", "a_000000000000_keypoints.json", {"pose_keypoints_2d": body(500)})
    backend = make(config(tmp_path), "dance")
    with pytest.raises(ValueError, match=r"lies at .*the video is 200x400"):
        backend.find(IMAGE, 0)


def test_an_empty_folder_and_one_without_people_are_refused(tmp_path):
    (tmp_path / "dance").mkdir()
    with pytest.raises(ValueError, match="no numbered OpenPose files"):
        make(config(tmp_path), "dance")
    write(tmp_path / "dance", "dance_000000000000_keypoints.json")
    with pytest.raises(ValueError, match="nobody in any of the 1 files"):
        make(config(tmp_path), "dance")


@pytest.mark.parametrize("text", ["{}", '{"people": null}', "[]", "{", '{"people": [1]}'])
def test_a_file_that_is_no_openpose_file_is_named(tmp_path, text):
    path = tmp_path / "0_keypoints.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"0_keypoints\.json"):
        read_people(path, BODY_25)


def test_of_several_people_the_largest_is_followed_in_any_order(tmp_path):
    small, large = {"pose_keypoints_2d": body(20, step=5)}, {"pose_keypoints_2d": body(120)}
    write(tmp_path / "d", "d_000000000000_keypoints.json", small, large)
    # Next the other is the larger one, and named first; the dancer is where he was.
    small, large = {"pose_keypoints_2d": body(121, step=8)}, {"pose_keypoints_2d": body(20)}
    write(tmp_path / "d", "d_000000000001_keypoints.json", large, small)
    backend = make(config(tmp_path), "d")
    first = select_dancer(backend.find(IMAGE, 0), None)
    second = select_dancer(backend.find(IMAGE, 1), first)
    assert (first["body"][0, 0], second["body"][0, 0]) == (120, 121)
