"""Detector, crop, SimCC and the way to our keypoints, with networks of the true shapes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import (
    COLOURS,
    HALF_BOX,
    cell_detector,
    pose_network,
    suppressed_detector,
    write_wholebody_networks,
)

from edn_core.config import PoseConfig, WholebodyConfig
from edn_core.pose.backend import Backend
from edn_core.pose.onnx_network import Network, load_network
from edn_core.pose.regions import to_image_points
from edn_core.pose.wholebody import (
    cut_box,
    decode_simcc,
    find_boxes,
    make,
    person_from_wholebody,
)
from edn_core.skeleton import BODY_25, FACE_70, HAND_21, WHOLEBODY_133

PARTS_OF = {
    "body": "body",
    "face": "face",
    "hand_left": "left_hand",
    "hand_right": "right_hand",
}


def config(folder: Path, **settings: object) -> PoseConfig:
    """Both networks, but for those of a name in ``settings`` or made before."""
    files = write_wholebody_networks(folder) | settings
    return PoseConfig(backend="wholebody", wholebody=WholebodyConfig(**files))


def painted(size: tuple[int, int], spots: dict) -> np.ndarray:
    """A black picture with a soft spot per (x, y): RGB in 0..1."""
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.zeros((*size, 3))
    for (at_x, at_y), colour in spots.items():
        falloff = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * 6**2))
        image = np.maximum(image, falloff[..., None] * np.array(colour) * 255)
    return image.round().astype(np.uint8)


def dancer(x: float, y: float, step: float) -> tuple[dict, dict]:
    """Spots of all parts around a white one at (x, y), and where each part is."""
    places = {
        "body": (x - step, y - step),
        "face": (x + step, y - step),
        "left_hand": (x - step, y + step),
        "right_hand": (x + step, y + step),
    }
    spots = {(x, y): (1, 1, 1)}
    return spots | {places[part]: COLOURS[part] for part in places}, places


# From the picture to the keypoints


def test_every_part_is_found_where_it_was_painted(tmp_path):
    size = 640, 360
    pose_network(tmp_path / "pose.onnx", (256, 192))
    backend = make(config(tmp_path), "dance")
    spots, places = dancer(size[1] * 0.6, size[0] * 0.4, step=40)
    ((person,),) = backend.find([painted(size, spots)], 0)
    # One px of the smaller network's crop is about 1.5 px of the larger picture.
    for part, name in PARTS_OF.items():
        np.testing.assert_allclose(
            person[part][:, :2], np.tile(places[name], (len(person[part]), 1)), atol=1.6
        )
        assert (person[part][:, 2] > 0.5).all() and (person[part][:, 2] <= 1).all()
    assert [len(person[part]) for part in PARTS_OF] == [25, 70, 21, 21]


def person_cell(column: int, row: int, size: tuple[float, float], score: float) -> tuple:
    """A box of that size in cells of 32 px, in the middle of a cell of a 416 x 416 detector."""
    values = np.zeros(85)
    values[:4] = (0.5, 0.5, *np.log(size))
    values[4], values[5] = 1, score
    return 52 * 52 + 26 * 26 + row * 13 + column, values


def cells(*people: tuple) -> np.ndarray:
    values = np.zeros((52 * 52 + 26 * 26 + 13 * 13, 85))
    for row, one in people:
        values[row] = one
    return values.astype(np.float32)


BRIGHT = np.full((832, 832, 3), 255, np.uint8)
TWO_PEOPLE = cells(
    person_cell(3, 6, (2, 4), 0.9),
    person_cell(9, 6, (4, 8), 0.8),
    person_cell(10, 6, (4, 8), 0.6),  # three quarters of it is the same place
)


def test_yoloxs_own_output_is_decoded_and_the_largest_person_comes_first(tmp_path):
    detector = load_network(
        cell_detector(tmp_path / "d.onnx", TWO_PEOPLE), 1, ["CPUExecutionProvider"]
    )
    boxes = find_boxes(detector, BRIGHT, 0.5)
    # Cell 9, 6 is 304, 208 px of 416; the picture is twice as large. 4 x 8 cells are 128 x 256 px.
    expected = [[480, 160, 736, 672], [160, 288, 288, 544]]
    np.testing.assert_allclose(boxes, expected, atol=1e-3)
    assert len(find_boxes(detector, BRIGHT, 0.85)) == 1
    assert len(find_boxes(detector, np.zeros_like(BRIGHT), 0.5)) == 0


def test_boxes_with_suppression_inside_are_scaled_back_from_the_letterbox(tmp_path):
    detector = load_network(suppressed_detector(tmp_path / "d.onnx"), 1, ["CPUExecutionProvider"])
    assert HALF_BOX == (50, 80)  # in the 640 x 640 input; this picture is halved to fit it
    boxes = find_boxes(detector, painted((720, 1280), {(600, 301): (1, 1, 1)}), 0.5)
    np.testing.assert_allclose(boxes, [[500, 140, 700, 460]], atol=2)
    assert len(find_boxes(detector, painted((720, 1280), {(600, 301): (1, 1, 1)}), 0.85)) == 0


def test_the_detector_sees_bgr_in_the_top_left_and_grey_around():
    seen = []

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(images)
        return {"dets": np.zeros((1, 0, 5), np.float32), "labels": np.zeros((1, 0), np.int64)}

    image = np.full((20, 40, 3), (200, 100, 50), np.uint8)
    assert len(find_boxes(Network(Path("d.onnx"), 64, 64, 1, "", run), image, 0.5)) == 0
    assert (seen[0].shape, seen[0].dtype) == ((1, 3, 64, 64), np.float32)
    assert seen[0][0, :, 31, 63].tolist() == [50, 100, 200]
    assert seen[0][0, :, 32:].min() == seen[0][0, :, 32:].max() == 114


def test_at_most_max_people_are_read_the_largest_first(tmp_path):
    cell_detector(tmp_path / "detector.onnx", TWO_PEOPLE)
    # A red spot at each person's centre, and a white one that says there is somebody.
    spots = {(224, 416): (1, 0, 0), (608, 416): (1, 0, 0), (400, 700): (1, 1, 1)}
    for max_people, expected in ((1, [608]), (3, [608, 224])):
        backend = make(replace(config(tmp_path), max_people=max_people), "dance")
        people = backend.find([painted((832, 832), spots)], 0)[0]
        np.testing.assert_allclose([one["body"][0, 0] for one in people], expected, atol=1.6)


# Crop and decoding


@given(
    x=st.floats(-200, 900),
    y=st.floats(-200, 900),
    width=st.floats(2, 800),
    height=st.floats(2, 800),
)
def test_a_crop_has_the_box_in_its_middle_with_an_eighth_around(x, y, width, height):
    box = np.array([x, y, x + width, y + height])
    crop, to_image = cut_box(np.zeros((8, 8, 3), np.uint8), box, (384, 288))
    assert crop.shape == (384, 288, 3)
    low, high = (to_image_points(np.array(corner), to_image) for corner in ((0, 0), (288, 384)))
    np.testing.assert_allclose((low + high) / 2, (box[:2] + box[2:]) / 2, atol=1e-6)
    part = (box[2:] - box[:2]) / (high - low)
    assert part.max() == pytest.approx(1 / 1.25)


def test_a_keypoint_is_at_the_likeliest_bin_of_each_axis_half_a_px_each():
    along_x, along_y = np.zeros((1, 2, 20)), np.zeros((1, 2, 30))
    along_x[0, 0, 7], along_y[0, 0, 24] = 0.9, 0.5
    along_x[0, 1, 1], along_y[0, 1, 2] = 3.0, 2.0  # some networks' scores exceed 1
    np.testing.assert_allclose(decode_simcc(along_x, along_y), [[[3.5, 12, 0.7], [0.5, 1, 1]]])


# COCO-WholeBody's keypoints and ours


def numbered() -> np.ndarray:
    """Keypoint k at (k, 10 k) with score 0.9."""
    k = np.arange(133.0)
    return np.stack([k, 10 * k, np.full(133, 0.9)], axis=1)


def test_points_go_to_their_own_names():
    person = person_from_wholebody(numbered(), 0.3, (2000, 2000))
    # Numbers from the data set's own description: 17 body, 6 feet, 68 face, 21 + 21 hands.
    body = {"nose": 0, "left_eye": 1, "right_shoulder": 6, "left_wrist": 9, "right_ankle": 16}
    body |= {"left_big_toe": 17, "left_heel": 19, "right_small_toe": 21}
    for name, number in body.items():
        np.testing.assert_allclose(person["body"][BODY_25.index(name)], numbered()[number])
    for name, number in {"jaw_0": 23, "jaw_8": 31, "right_eye_0": 59, "inner_lip_7": 90}.items():
        np.testing.assert_allclose(person["face"][FACE_70.index(name)], numbered()[number])
    np.testing.assert_allclose(person["hand_left"], numbered()[91:112])
    np.testing.assert_allclose(person["hand_right"], numbered()[112:133])
    assert HAND_21.index("little_4") == 20


def test_neck_hips_and_pupils_are_means_as_sure_as_their_least_sure_point():
    points = numbered()
    points[WHOLEBODY_133.index("left_hip"), 2] = 0.4
    points[WHOLEBODY_133.index("right_eye_3"), 2] = 0.2
    person = person_from_wholebody(points, 0.3, (2000, 2000))
    np.testing.assert_allclose(person["body"][BODY_25.index("neck")], [5.5, 55, 0.9])
    np.testing.assert_allclose(person["body"][BODY_25.index("mid_hip")], [11.5, 115, 0.4])
    np.testing.assert_allclose(person["face"][FACE_70.index("left_pupil")], [67.5, 675, 0.9])
    for name in ("right_eye_3", "right_pupil"):
        np.testing.assert_array_equal(person["face"][FACE_70.index(name)], [np.nan, np.nan, 0])


# The files


def test_the_checksum_is_over_both_files(tmp_path):
    backend: Backend = make(config(tmp_path), "dance")
    digests = [
        hashlib.sha256((tmp_path / f"{name}.onnx").read_bytes()).hexdigest()
        for name in ("detector", "pose")
    ]
    assert backend.weights_sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()
    make(config(tmp_path, pose_sha256=digests[1][:8].upper()), "dance")
    with pytest.raises(ValueError, match=r"pose\.onnx: has SHA-256 .*expected abc as .*pose_sha"):
        make(config(tmp_path, pose_sha256="abc"), "dance")


@pytest.mark.parametrize("name", ["detector", "pose"])
def test_a_file_that_is_not_set_or_not_there_is_asked_for_with_where_to_get_it(tmp_path, name):
    with pytest.raises(
        ValueError,
        match=rf"wholebody\.{name}: is not set; download .*openmmlab.*huggingface.*licence",
    ):
        make(config(tmp_path, **{name: None}), "dance")
    with pytest.raises(ValueError, match=rf"{name}: is nowhere\.onnx, where .*{name}_sha256 pins"):
        make(config(tmp_path, **{name: "nowhere.onnx"}), "dance")


def test_networks_of_another_kind_are_refused_with_what_was_expected(tmp_path):
    files = config(tmp_path)
    with pytest.raises(ValueError, match=r"detector\.onnx: gives dets.*expected simcc_x \(N, 133"):
        make(config(tmp_path, pose=files.wholebody.detector), "dance")
    halpe = pose_network(tmp_path / "halpe.onnx", n_points=26)
    with pytest.raises(ValueError, match=r"halpe\.onnx: gives simcc_x \(1, 26, 576\).*RTMW"):
        make(config(tmp_path, pose=str(halpe)), "dance")


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this onnxruntime has CUDA",
)
def test_cuda_without_onnxruntimes_cuda_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no CUDA; install onnxruntime-gpu"):
        make(config(tmp_path), "dance", 1, "cuda")
    make(config(tmp_path), "dance", 1, "auto")
