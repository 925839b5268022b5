import json
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edn_core.config import PoseConfig
from edn_core.demo import DANCERS, draw_frame
from edn_core.keypoints import Person, check_keypoints, missing_person
from edn_core.pose import BACKENDS, backend, estimate_pose
from edn_core.pose.backend import Backend, Run, cut_into_runs, drop_unsure
from edn_core.pose.mediapipe import refine_by_heatmaps
from edn_core.pose.mediapipe_detector import detector_anchors, merge_detections, search_squares
from edn_core.pose.mediapipe_points import body_from_blazepose, face_from_mesh
from edn_core.pose.regions import Region, cut_region, to_image_points
from edn_core.skeleton import BODY_25, FACE_70
from edn_core.timeline import Clip
from edn_core.video import encode

# Where people are looked for


def test_small_people_are_looked_for_in_overlapping_parts_that_cover_the_picture():
    assert search_squares((100, 200), is_thorough=False) == [Region(100, 50, 200, 0)]
    whole, *parts = search_squares((100, 200), is_thorough=True)
    assert whole == Region(100, 50, 200, 0)
    assert {part.size for part in parts} == {60}
    corners = {(part.x, part.y) for part in parts}
    assert {(30, 30), (170, 70)} <= corners  # they reach the picture's edges
    columns = sorted({x for x, _ in corners})
    assert max(np.diff(columns)) <= 0.6 * 60  # somebody 24 px wide is whole in one of them


# Regions


def test_the_crop_has_no_half_pixel_shift():
    image = np.arange(100, dtype=np.uint8).reshape(10, 10, 1).repeat(3, axis=2)
    crop, to_image = cut_region(image, Region(x=5, y=4, size=6, angle=0), 6)
    np.testing.assert_array_equal(crop, image[1:7, 2:8])
    np.testing.assert_allclose(to_image_points(np.zeros(2), to_image), [2, 1])


def test_a_quarter_turn_puts_the_right_edge_on_top():
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 7] = 255
    crop, to_image = cut_region(image, Region(x=4, y=4, size=8, angle=np.pi / 2), 8)
    assert np.argwhere(crop[..., 0]).tolist() == [[1, 4]]
    np.testing.assert_allclose(to_image_points(np.array([4, 1]), to_image), [7, 4], atol=1e-9)


# What the networks' numbers mean


def test_the_detector_has_2254_anchors_in_the_middles_of_its_cells():
    anchors = detector_anchors()
    assert anchors.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2) == (2254, 2)
    np.testing.assert_allclose(anchors[:3], [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28]])
    np.testing.assert_allclose(anchors[-1], [6.5 / 7] * 2)


def test_overlapping_detections_are_averaged_by_score_and_distant_ones_are_others():
    people = merge_detections(
        centres=np.array([[50.0, 50.0], [10.0, 10.0], [51.0, 50.0]]),
        sizes=np.full((3, 2), 10.0),
        points=np.array([[[50.0, 40.0]], [[10.0, 5.0]], [[54.0, 40.0]]]),
        scores=np.array([0.6, 0.7, 0.6]),
    )
    np.testing.assert_allclose(people, [[[10, 5]], [[52, 40]]])


def test_a_point_moves_to_the_middle_of_its_sure_heatmap_and_stays_where_unsure():
    heatmaps = np.full((64, 64, 3), -100.0, np.float32)
    heatmaps[20, 11:13, 0] = 5  # sure, around x 11.5, y 20
    heatmaps[20, 11, 1] = -1  # unsure
    heatmaps[:, :, 2] = 5  # sure everywhere, but the point lies outside
    xy = np.array([[10.5, 20.5], [10.5, 20.5], [-3, 5]]) / 64
    refined = refine_by_heatmaps(xy, heatmaps) * 64
    np.testing.assert_allclose(refined, [[11.5, 20], [10.5, 20.5], [-3, 5]], atol=1e-6)


def test_body_points_go_to_their_own_names_and_the_neck_between_the_shoulders():
    points = np.column_stack([np.arange(39.0), 10 * np.arange(39.0), np.full(39, 0.9)])
    points[11, 2] = 0.4  # left shoulder
    body = body_from_blazepose(points)
    # BlazePose's numbers, from its own documentation.
    numbers = {"nose": 0, "left_ear": 7, "right_wrist": 16, "left_ankle": 27, "right_heel": 30}
    numbers |= {"left_big_toe": 31, "right_big_toe": 32, "right_eye": 5, "right_hip": 24}
    for name, number in numbers.items():
        np.testing.assert_allclose(body[BODY_25.index(name)], [number, 10 * number, 0.9])
    np.testing.assert_allclose(body[BODY_25.index("neck")], [11.5, 115, 0.4])
    np.testing.assert_allclose(body[BODY_25.index("mid_hip")], [23.5, 235, 0.9])
    for name in ("left_small_toe", "right_small_toe"):
        np.testing.assert_array_equal(body[BODY_25.index(name)], [np.nan, np.nan, 0])


def test_each_face_point_is_a_vertex_of_its_own_and_a_pupil_the_middle_of_its_eye():
    mesh = np.column_stack([np.arange(468.0), np.zeros(468)])
    face = face_from_mesh(mesh)
    assert face.shape == (70, 2)
    eye = face[[FACE_70.index(f"left_eye_{i}") for i in range(6)], 0]
    assert face[FACE_70.index("left_pupil"), 0] == pytest.approx(eye.mean())
    corners = [face[FACE_70.index(name), 0] for name in ("right_eye_0", "left_eye_3", "jaw_8")]
    assert corners == [33, 263, 152]  # eye corners and chin of the canonical face mesh
    without_pupils = face[:-2, 0]
    assert len(set(without_pupils)) == 68


def test_unsure_points_and_points_outside_the_image_are_missing():
    points = np.array([[5, 5, 0.5], [5, 5, 0.4], [-1, 5, 1], [9.4, 5, 1], [9.6, 5, 1], [5, 20, 1]])
    kept = drop_unsure(points, 0.5, size=(20, 10))
    np.testing.assert_array_equal(kept[:, 2] > 0, [True, False, False, True, False, False])
    np.testing.assert_array_equal(np.isnan(kept[:, 0]), kept[:, 2] == 0)
    # The contract: a point found has a score above 0.
    assert drop_unsure(np.array([[5.0, 5.0, 0.0]]), 0.0, size=(20, 10))[0, 2] > 0


# The whole stage


def clip_of(n_frames: int, start_s: float = 0.0) -> Clip:
    """Frames of a video of 64 x 128."""
    about = {"video": "dance", "width": 64, "height": 128, "fps": Fraction(25)}
    return Clip(n_frames=n_frames, start_s=start_s, **about)


def grey_video(path: Path, n_frames: int, size: tuple[int, int] = (128, 64)) -> Path:
    image = np.full((*size, 3), 120, np.uint8)
    encode(path, [image] * n_frames, Fraction(25))
    return path


def openpose_video(folder: Path) -> PoseConfig:
    """Files for frames 0 to 4; the nose is at (20, 40 + frame), the neck at (30, 60)."""
    for frame in range(5):
        values = [20, 40 + frame, 0.5, 30, 60, 0.25, *([0, 0, 0] * 23)]
        people = [{"pose_keypoints_2d": values}] if frame != 3 else []
        path = folder / f"dance_{frame:012d}_keypoints.json"
        path.write_text(json.dumps({"people": people}))
    return PoseConfig(backend="openpose_files", openpose_files=str(folder))


# Runs


def run_of(*numbers: int) -> list[np.ndarray]:
    return [np.full((2, 2, 3), number, np.uint8) for number in numbers]


def shown(run: Run) -> list[int]:
    return [int(image[0, 0, 0]) for image in run.images]


def test_a_video_is_cut_into_runs_that_begin_with_the_end_of_the_one_before():
    runs = list(cut_into_runs(run_of(*range(8)), 3, 2))
    assert [shown(run) for run in runs] == [[0, 1, 2], [1, 2, 3, 4, 5], [4, 5, 6, 7]]
    assert [(run.first, run.n_warm_up) for run in runs] == [(0, 0), (1, 2), (4, 2)]
    assert list(cut_into_runs([], 3, 2)) == []


def slow_first_backend(config, video, threads=1, device="auto"):
    """Finds a nose at (frame, shade of the frame); the first run takes longest."""

    def find(images, first):
        time.sleep(0.2 if first == 0 else 0)
        people = []
        for number, image in enumerate(images):
            person = missing_person()
            person["body"][BODY_25.index("nose")] = (first + number, int(image[0, 0, 0]), 1)
            people.append([person])
        return people

    return Backend(skeleton=BODY_25, weights_sha256="", find=find, warm_up=2, has_copies=True)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_result_does_not_depend_on_the_number_of_threads(tmp_path, monkeypatch, threads):
    monkeypatch.setitem(BACKENDS, "slow_first", slow_first_backend)
    monkeypatch.setattr(backend, "LONGEST_RUN", 8)  # several runs of a short video
    shades = [np.full((128, 64, 3), 10 + 3 * number, np.uint8) for number in range(30)]
    encode(tmp_path / "dance.mp4", shades, Fraction(25))
    config = PoseConfig(backend="slow_first")
    keypoints = estimate_pose(tmp_path / "dance.mp4", clip_of(30), config, threads)
    nose = keypoints.point("nose")
    np.testing.assert_array_equal(nose[:, 0], np.arange(30))
    # The answer of each frame is that of its own picture.
    np.testing.assert_allclose(nose[:, 1], 10 + 3 * np.arange(30), atol=2)


def test_points_stay_where_they_were_found_and_frames_in_place(tmp_path):
    video = grey_video(tmp_path / "dance.mp4", 5)
    keypoints = estimate_pose(video, clip_of(5), openpose_video(tmp_path))
    check_keypoints(keypoints, "")
    nose = keypoints.point("nose")
    np.testing.assert_array_equal(nose[0], [20, 40])
    np.testing.assert_array_equal(nose[4], [20, 44])
    assert np.isnan(nose[3]).all()
    np.testing.assert_array_equal(keypoints.n_people, [1, 1, 1, 0, 1])
    np.testing.assert_allclose(keypoints.point_score("neck"), [0.25, 0.25, 0.25, 0, 0.25])
    assert (keypoints.clip, keypoints.backend) == (clip_of(5), "openpose_files")
    clip = clip_of(3, start_s=0.08)  # two frames later
    keypoints = estimate_pose(video, clip, openpose_video(tmp_path))
    np.testing.assert_array_equal(keypoints.point("nose")[[0, 2], 1], [42, 44])
    assert keypoints.clip == clip


def test_of_a_crowd_the_largest_are_kept_and_all_are_counted(tmp_path):
    def body(x: float, size: float) -> dict:
        return {"pose_keypoints_2d": [x, 20, 0.5, x, 20 + size, 0.5, *([0, 0, 0] * 23)]}

    for frame in range(5):
        crowd = {"people": [body(5, 10), body(20, 30), body(35, 60), body(50, 20)]}
        (tmp_path / f"dance_{frame:012d}_keypoints.json").write_text(json.dumps(crowd))
    video = grey_video(tmp_path / "dance.mp4", 5)
    config = PoseConfig(backend="openpose_files", openpose_files=str(tmp_path), max_people=2)
    keypoints = estimate_pose(video, clip_of(5), config)
    np.testing.assert_array_equal(keypoints.point("nose")[:, 0], 35)
    np.testing.assert_array_equal(keypoints.n_people, [4] * 5)
    np.testing.assert_array_equal(keypoints.bystander_frames, range(5))
    np.testing.assert_array_equal(keypoints.bystanders[:, 0, 0], 20)


def test_what_a_user_can_mend_is_refused_with_the_videos_name(tmp_path, pose_models):
    video = grey_video(tmp_path / "dance.mp4", 5)
    config = openpose_video(tmp_path)
    with pytest.raises(ValueError, match=r"dance.mp4: dancer_index is 1, but at most 1 are seen"):
        estimate_pose(video, clip_of(5), replace(config, dancer="index", dancer_index=1))
    with pytest.raises(ValueError, match=r"dance\.mp4: nobody found in any of its 5 frames; film"):
        estimate_pose(video, clip_of(5), PoseConfig(models_folder=str(pose_models)))
    with pytest.raises(ValueError, match="one of the backends mediapipe, openpose, "):
        estimate_pose(video, clip_of(5), PoseConfig(backend="x"))


# With the real networks


def find_in(pose_models: Path, images: list[np.ndarray], **settings: Any) -> list[list[Person]]:
    config = PoseConfig(models_folder=str(pose_models), **settings)
    return BACKENDS["mediapipe"](config, clip_of(4), 1, "cpu").find(images, 0)


@pytest.mark.parametrize("name", DANCERS)
def test_a_drawn_dancer_is_found_where_she_was_drawn(pose_models, name):
    joints = [f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "hip")]
    rows = [BODY_25.index(joint) for joint in (*joints, "left_ankle", "right_ankle", "nose")]
    frames = [draw_frame(DANCERS[name], number / 25) for number in range(4)]
    found = find_in(pose_models, [image for image, _ in frames])
    for (person,), (_, truth) in zip(found, frames, strict=True):
        distance = np.linalg.norm(person["body"][rows, :2] - truth["body"][rows, :2], axis=1)
        height = np.nanmax(truth["body"][:, 1]) - np.nanmin(truth["body"][:, 1])
        assert np.nanmedian(distance) < 0.05 * height


def noses(people: list[Person]) -> list[float]:
    """x of each nose, from the left."""
    return sorted(float(person["body"][BODY_25.index("nose"), 0]) for person in people)


def test_a_dancer_who_leaves_and_comes_back_elsewhere_is_found_again(pose_models):
    image, _ = draw_frame(next(iter(DANCERS.values())), 0.0)
    blank = np.zeros_like(image)
    # The room is drawn twice as wide; the dancer stands in its left half, then in its right.
    left, right = np.hstack([image, blank]), np.hstack([blank, image])
    found = find_in(pose_models, [left, right, np.hstack([blank, blank]), left], max_people=1)
    assert [len(people) for people in found] == [1, 1, 0, 1]
    shift = noses(found[1])[0] - noses(found[0])[0]
    assert shift == pytest.approx(image.shape[1], abs=0.03 * image.shape[0])


def test_two_people_are_found_and_told_apart_and_no_more_than_asked_for(pose_models):
    one, other = (draw_frame(dancer, 0.0)[0] for dancer in DANCERS.values())
    width = one.shape[1]
    both = np.hstack([one, np.full_like(one, 90)])
    both[: other.shape[0], width : width + other.shape[1]] = other[: both.shape[0]]
    frames = [np.hstack([one, np.zeros_like(one)]), *([both] * 9)]
    found = find_in(pose_models, frames)
    # The other comes when the first is there already, and is looked for every few frames.
    assert len(found[0]) == 1
    assert len(found[9]) == 2
    left, right = noses(found[9])
    assert left < width < right
    alone = find_in(pose_models, frames, max_people=1)
    assert [len(people) for people in alone] == [1] * 10
