"""Hands and faces of the openpose backend: where they are looked for and what is found there."""

import numpy as np
import pytest
import torch
from tiny_openpose import bright_network

from edn_core.keypoints import missing_person
from edn_core.pose.openpose_networks import hand
from edn_core.pose.openpose_parts import Crop, cut_part, find_parts, part_regions
from edn_core.pose.regions import Region
from edn_core.skeleton import BODY_25, COCO_18, Skeleton


def regions_of(skeleton: Skeleton = COCO_18, **points: tuple[float, float]) -> dict[str, Region]:
    body = missing_person(skeleton)["body"]
    for name, xy in points.items():
        body[skeleton.index(name)] = (*xy, 0.9)
    return part_regions(body, skeleton)


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda one: one.name)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_lies_a_third_of_the_forearm_beyond_the_wrist(side, skeleton):
    arm = {"shoulder": (0, 100), "elbow": (0, 200), "wrist": (0, 300)}
    regions = regions_of(skeleton, **{f"{side}_{name}": xy for name, xy in arm.items()})
    assert regions == {f"hand_{side}": pytest.approx(Region(0, 333, 150, 0))}


NOSE_AND_NECK = {"nose": (100, 100), "neck": (100, 200)}
EYES = {"left_eye": (120, 90), "right_eye": (80, 90)}
PROFILE = {"left_eye": (100, 70), "left_ear": (140, 100)}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        # Around the middle of nose and neck, twice their distance; three times that of the eyes.
        (NOSE_AND_NECK, Region(100, 150, 200, 0)),
        (EYES, Region(100, 90, 120, 0)),
        ({"left_ear": (140, 90), "right_ear": (60, 90)}, Region(100, 90, 160, 0)),
        # Several of these: their mean.
        (NOSE_AND_NECK | EYES, Region(100, 120, 160, 0)),
        # Profile: 0.85 (30 + 40 + 100) around nose, eye and ear.
        (NOSE_AND_NECK | PROFILE, Region(340 / 3, 90, 144.5, 0)),
    ],
)
def test_a_face_lies_where_neck_nose_eyes_and_ears_say(points, expected):
    assert regions_of(**points) == {"face": pytest.approx(expected)}


def test_no_square_is_placed_where_nothing_could_be_seen():
    assert regions_of(left_shoulder=(0, 10), left_elbow=(0, 30), left_wrist=(0, 50)) == {}
    assert regions_of() == {}


def crop_of(image: np.ndarray, part: str, region: Region) -> Crop:
    return Crop(image, missing_person(COCO_18), part, region)


def test_a_left_hand_is_shown_in_the_mirror():
    image = np.random.default_rng(0).integers(0, 255, (368, 368, 3), np.uint8)
    left, right = (
        cut_part(crop_of(image, f"hand_{side}", Region(184, 184, 368, 0)))[0]
        for side in ("left", "right")
    )
    np.testing.assert_array_equal(right, image)
    np.testing.assert_array_equal(left, image[:, ::-1])


@pytest.mark.parametrize("part", ["hand_left", "hand_right"])
def test_a_bright_spot_is_found_where_it_is_and_nothing_in_the_dark(part):
    places = [(150, 120), (230, 180)]
    rows, columns = np.mgrid[:300, :400]
    images = [
        (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 12**2))).astype(np.uint8)
        for x, y in places
    ]
    images.append(np.full((300, 400), 12, np.uint8))  # 12 / 256 lies below 0.05
    # In a square of half the network's input, so that its cells are 4 px.
    square = Region(200, 150, 184, 0)
    crops = [crop_of(np.repeat(one[..., None], 3, axis=-1), part, square) for one in images]
    *found, dark = find_parts(bright_network(hand(1)), crops, 2, torch.device("cpu"))
    for points, place in zip(found, places, strict=True):
        assert points.shape == (21, 3)
        np.testing.assert_allclose(points[:, :2], np.tile(place, (21, 1)), atol=3)
        np.testing.assert_allclose(points[:, 2], 1, atol=0.02)
    assert np.isnan(dark[:, :2]).all() and (dark[:, 2] == 0).all()
