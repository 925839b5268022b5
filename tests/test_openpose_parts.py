"""Hands and faces of the openpose backend: where they are looked for and what is found there."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_openpose_networks import MANIFEST
from tiny_openpose import bright_network, draw_pair, tiny_config, tiny_weights

from edn_core.config import PoseConfig
from edn_core.keypoints import missing_person
from edn_core.pose.openpose import make
from edn_core.pose.openpose_layers import hand
from edn_core.pose.openpose_parts import CROP_SIZE, Crop, cut_part, find_parts, part_regions
from edn_core.pose.regions import Region
from edn_core.skeleton import BODY_25, COCO_18, FACE_70, HAND_21

CPU = torch.device("cpu")


def body_of(skeleton=COCO_18, **points: tuple[float, float]) -> np.ndarray:
    body = missing_person(skeleton)["body"]
    for name, xy in points.items():
        body[skeleton.index(name)] = (*xy, 0.9)
    return body


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda one: one.name)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_lies_a_third_of_the_forearm_beyond_the_wrist(side, skeleton):
    arm = {"shoulder": (0, 100), "elbow": (0, 200), "wrist": (0, 300)}
    body = body_of(skeleton, **{f"{side}_{name}": xy for name, xy in arm.items()})
    regions = part_regions(body, skeleton)
    assert regions == {f"hand_{side}": pytest.approx(Region(0, 333, 150, 0))}


def test_a_foreshortened_forearm_leaves_the_hand_its_size_by_the_upper_arm():
    body = body_of(left_shoulder=(0, 100), left_elbow=(0, 200), left_wrist=(50, 200))
    # 0.9 upper arms of 100 px are longer than the forearm of 50.
    expected = pytest.approx(Region(66.5, 200, 135, 0))
    assert part_regions(body, COCO_18) == {"hand_left": expected}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        # Nose and neck alone: around their middle, twice their distance.
        ({"nose": (100, 100), "neck": (100, 200)}, Region(100, 150, 200, 0)),
        # Eyes alone: three times their distance; ears alone: twice.
        ({"left_eye": (120, 90), "right_eye": (80, 90)}, Region(100, 90, 120, 0)),
        ({"left_ear": (140, 90), "right_ear": (60, 90)}, Region(100, 90, 160, 0)),
        # Several of these: their mean.
        (
            {
                **{"nose": (100, 100), "neck": (100, 200)},
                **{"left_eye": (120, 90), "right_eye": (80, 90)},
            },
            Region(100, 120, 160, 0),
        ),
        # Profile, (100, 100) from all: 0.85 (30 + 40 + 100) around nose, eye and ear.
        (
            {
                **{"nose": (100, 100), "neck": (100, 200)},
                **{"left_eye": (100, 70), "left_ear": (140, 100)},
            },
            Region(340 / 3, 90, 144.5, 0),
        ),
    ],
)
def test_a_face_lies_where_neck_nose_eyes_and_ears_say(points, expected):
    assert part_regions(body_of(**points), COCO_18) == {"face": pytest.approx(expected)}


def test_no_square_is_placed_by_unsure_points_or_where_nothing_could_be_seen():
    body = body_of(left_shoulder=(0, 100), left_elbow=(0, 200), left_wrist=(0, 300))
    body[COCO_18.index("left_elbow"), 2] = 0.2
    assert part_regions(body, COCO_18) == {}
    small = body_of(left_shoulder=(0, 10), left_elbow=(0, 30), left_wrist=(0, 50))
    assert part_regions(small, COCO_18) == {}
    assert part_regions(missing_person(COCO_18)["body"], COCO_18) == {}


def crop_of(image: np.ndarray, part: str, region: Region) -> Crop:
    return Crop(image, missing_person(COCO_18), part, region)


def test_a_left_hand_is_shown_in_the_mirror():
    image = np.random.default_rng(0).integers(0, 255, (368, 368, 3), np.uint8)
    region = Region(184, 184, 368, 0)
    left, _ = cut_part(crop_of(image, "hand_left", region))
    right, _ = cut_part(crop_of(image, "hand_right", region))
    np.testing.assert_array_equal(right, image)
    np.testing.assert_array_equal(left, image[:, ::-1])


def blob(size: tuple[int, int], x: float, y: float, sigma: float) -> np.ndarray:
    """(H, W, 3) uint8: a bright spot on black."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    value = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=-1)


@pytest.mark.parametrize("part", ["hand_left", "hand_right"])
def test_a_bright_spot_is_found_where_it_is(part):
    network = bright_network(hand(1))
    # In a square of half the network's input, so that its cells are 4 px.
    crops = [
        crop_of(blob((300, 400), x, y, sigma=12), part, Region(200, 150, 184, 0))
        for x, y in ((150, 120), (230, 180), (201, 149))
    ]
    found = find_parts(network, crops, 2, CPU)
    assert [points.shape for points in found] == [(21, 3)] * 3
    for points, place in zip(found, ((150, 120), (230, 180), (201, 149)), strict=True):
        np.testing.assert_allclose(points[:, :2], np.tile(place, (21, 1)), atol=3)
        np.testing.assert_allclose(points[:, 2], 1, atol=0.02)


def test_a_dark_crop_holds_no_points():
    dark = np.full((300, 400, 3), 12, np.uint8)  # 12 / 256 lies below 0.05
    (points,) = find_parts(
        bright_network(hand(1)), [crop_of(dark, "hand_right", Region(200, 150, 99, 0))], 8, CPU
    )
    assert np.isnan(points[:, :2]).all() and (points[:, 2] == 0).all()


def test_no_crops_are_no_work():
    assert find_parts(bright_network(hand(1)), [], 8, CPU) == []


def write_random(path: Path, section: str, bias: float) -> Path:
    """A file of the true shapes; random, but the last layer's maps lie around ``bias``."""
    torch.manual_seed(0)
    weights = {
        key: torch.randn(shape) * (2 / max(1, np.prod(shape[1:]))) ** 0.5
        for key, shape in MANIFEST[section].items()
    }
    weights |= {key: torch.zeros(value.shape) for key, value in weights.items() if "bias" in key}
    weights["Mconv7_stage6.bias"] += bias
    weights["Mconv7_stage6.weight"] *= 0.01
    torch.save(weights, path)
    return path


def test_hands_and_face_of_the_true_shapes_are_looked_for_where_the_body_says(tmp_path):
    weights = tiny_weights()
    hand_file = write_random(tmp_path / "hand_pose_model.pth", "hand21_file_keys", 0.5)
    face_file = write_random(tmp_path / "facenet.pth", "face70_controlnet_aux", 0.5)
    openpose = replace(tiny_config(weights), hand=str(hand_file), face=str(face_file))
    config = PoseConfig("openpose", max_people=1, openpose=openpose)
    backend = make(config, "x", 1, "cpu")
    image, _ = draw_pair(103.0)
    ((person,),) = backend.find([image], 0)
    regions = part_regions(person["body"], COCO_18)
    assert set(regions) == {"hand_left", "hand_right", "face"} == set(CROP_SIZE)
    for part, skeleton in (("hand_left", HAND_21), ("hand_right", HAND_21), ("face", FACE_70)):
        points = person[part][person[part][:, 2] > 0]
        assert person[part].shape == (len(skeleton), 3)
        assert len(points) > 0.8 * len(skeleton)
        distance = np.abs(points[:, :2] - regions[part][:2]).max(axis=1)
        assert distance.max() <= regions[part].size / 2
        assert points[:, :2].std() > 1  # random maps have their peaks anywhere
    digests = [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (weights, hand_file, face_file)
    ]
    assert backend.weights_sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()
