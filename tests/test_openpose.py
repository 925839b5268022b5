"""The openpose backend: frames to maps, maps to people, their hands and faces, its weights."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import STANDING
from tiny_openpose import bright_network, colour_network, draw_maps, save_flat

from edn_core.config import OpenposeConfig, PoseConfig
from edn_core.keypoints import from_people
from edn_core.pose.backend import Backend
from edn_core.pose.openpose import find_bodies, make, predict_maps, scaled_size
from edn_core.pose.openpose_networks import PoseNetwork, coco_18, face, hand
from edn_core.pose.openpose_parts import part_regions
from edn_core.skeleton import COCO_18

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """The weights of a network for which blue is a nose and red a neck."""
    path = tmp_path_factory.mktemp("openpose") / "body.pth"
    save_flat(path, colour_network())
    return path


def backend_of(device: str = "cpu", max_people: int = 3, **settings: object) -> Backend:
    config = PoseConfig("openpose", max_people=max_people, openpose=OpenposeConfig(**settings))
    return make(config, "x", 1, device)


ROWS, COLUMNS = np.mgrid[:128, :160]


def picture(*noses: tuple[int, int]) -> np.ndarray:
    """128 x 160 px: a blue spot at each nose, a red one 48 px below it, green everywhere."""
    image = np.zeros((128, 160, 3))
    image[..., 1] = 200
    for x, y in noses:
        for channel, below in ((2, 0), (0, 48)):
            spot = np.exp(-((COLUMNS - x) ** 2 + (ROWS - y - below) ** 2) / (2 * 8**2))
            image[..., channel] = np.maximum(image[..., channel], 255 * spot)
    return image.astype(np.uint8)


def found_in(backend: Backend, *images: np.ndarray) -> list[list[list[float]]]:
    """Nose and neck of each person in each picture, from left to right: x, y, x, y."""
    rows = [COCO_18.index("nose"), COCO_18.index("neck")]
    return [
        sorted(person["body"][rows, :2].ravel().tolist() for person in people)
        for people in backend.find(list(images), 0)
    ]


# From frames to people


def test_people_are_found_where_their_colours_are_whatever_the_batch(weights):
    backend = backend_of(body=str(weights), net_height=128, min_parts=2, batch_size=2)
    images = [picture((40, 30), (110, 50)), picture(), picture((80, 40))]
    two, nobody, one = found_in(backend, *images)
    # A cell is 8 px, and pooling shows the brightest pixel in it.
    np.testing.assert_allclose(two, [[40, 30, 40, 78], [110, 50, 110, 98]], atol=6)
    np.testing.assert_allclose(one, [[80, 40, 80, 88]], atol=6)
    assert nobody == []
    np.testing.assert_allclose(found_in(backend, images[2]), [one], atol=1e-2)
    people = [people[0] for people in backend.find([images[2]] * 2, 0)]
    keypoints = from_people(people, backend.skeleton, width=160, height=128, fps=25, video="x")
    assert backend.skeleton == COCO_18 and keypoints.score["body"].max() <= 1
    assert (keypoints.score["body"] > 0).sum() == 4 and (keypoints.score["face"] == 0).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_in_bfloat16_finds_the_same_people(weights):
    settings = {"body": str(weights), "net_height": 128, "min_parts": 2}
    on_cpu, on_cuda = (
        found_in(backend_of(device, **settings), picture((40, 30), (110, 50)))
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(on_cuda, on_cpu, atol=2)


# From frames to maps


@pytest.fixture(scope="module")
def bright() -> PoseNetwork:
    return bright_network(coco_18(1))


def test_the_network_sees_bgr_from_zero_to_one_and_a_grey_margin(bright):
    image = np.zeros((60, 90, 3), np.uint8)
    image[..., 2] = 64  # blue
    # 60 x 90 px are padded to 64 x 96; a map has an eighth of that.
    maps = predict_maps(bright, [image] * 3, OpenposeConfig(net_height=60, batch_size=2), CPU)
    assert [one.shape for one in maps] == [(3, 19, 8, 12), (3, 38, 8, 12)]
    # A cell shows its brightest pixel: the last row and the last column touch the margin.
    for shown in maps[0][:, 0]:
        np.testing.assert_allclose(shown[:-1, :-1], 64 / 256, atol=1e-6)
        np.testing.assert_allclose(shown[-1], 128 / 256, atol=1e-6)
        np.testing.assert_allclose(shown[:, -1], 128 / 256, atol=1e-6)


@pytest.mark.parametrize(("scales", "axis"), [((1.37,), "x"), ((0.5, 1.0, 2.0), "y")])
def test_every_scale_shows_the_same_place_at_the_same_cell(bright, scales, axis):
    # The picture's values are its own coordinates; 250 px become 125, padded to 128.
    image = np.repeat(np.tile(np.arange(250, dtype=np.uint8), (250, 1))[..., None], 3, axis=-1)
    image = image if axis == "x" else image.transpose(1, 0, 2)
    heatmaps, _ = predict_maps(bright, [image], OpenposeConfig(net_height=125, scales=scales), CPU)
    values = 256 * heatmaps[0, 0, 5] if axis == "x" else 256 * heatmaps[0, 0, :, 5]
    # Pooling lets through the last pixel of a cell, 3.5 px of the scaled picture after its middle.
    after = np.mean([3.5 * 125 / round(125 * scale) for scale in scales])
    expected = (8 * np.arange(16) + 3.5 + after + 0.5) * 2 - 0.5
    # Cells near the ends feel the picture's edge and the margin.
    np.testing.assert_allclose(values[4:10], expected[4:10], atol=1.0)


# From maps to the frame's pixels


@pytest.mark.parametrize(("size", "net_height"), [((400, 200), 400), ((4000, 2100), 370)])
def test_people_come_back_to_the_frames_pixels_whatever_the_padding(size, net_height):
    truth = np.array([STANDING[name] for name in COCO_18.keypoints], np.float32)
    truth *= size[1] / 210, size[0] / 400
    net_size = scaled_size(size, net_height)
    padded = tuple(-(-side // 8) * 8 for side in net_size)
    scale = np.array([net_size[1] / size[1], net_size[0] / size[0]])
    maps = draw_maps((truth[None] + 0.5) * scale - 0.5, padded, COCO_18)
    (body,) = find_bodies(*maps, size, COCO_18, OpenposeConfig(net_height=net_height))
    assert (body[:, 2] > 0).all()
    # A cell is 8 px of the network's input; the peak between cells is found to about one.
    np.testing.assert_allclose(body[:, :2], truth, atol=1.5 / scale.min())
    assert np.abs((body[:, :2] - truth).mean(axis=0)).max() < 0.25 / scale.min()


def test_a_joint_found_in_the_grey_margin_is_missing():
    # 396 rows are padded to 400; the ankles are moved below the frame.
    person = np.array([STANDING[name] for name in COCO_18.keypoints], np.float32)
    ankles = [COCO_18.index("left_ankle"), COCO_18.index("right_ankle")]
    person[ankles, 1] = 399
    maps = draw_maps(person[None], (400, 200), COCO_18)
    (body,) = find_bodies(*maps, (396, 200), COCO_18, OpenposeConfig(net_height=396))
    assert np.flatnonzero(body[:, 2] == 0).tolist() == sorted(ankles)
    assert np.isnan(body[ankles, :2]).all()


# Hands and faces


def test_a_face_is_looked_for_where_the_body_says(weights, tmp_path):
    files = {"body": weights, "hand": tmp_path / "hand.pth", "face": tmp_path / "face.pth"}
    save_flat(files["hand"], bright_network(hand(1)))
    save_flat(files["face"], bright_network(face(1)))
    settings = {part: str(path) for part, path in files.items()}
    backend = backend_of(max_people=1, net_height=128, min_parts=2, **settings)
    ((person,),) = backend.find([picture((80, 40))], 0)
    regions = part_regions(person["body"], COCO_18)
    assert set(regions) == {"face"}  # no arm was seen
    assert person["face"].shape == (70, 3) and (person["face"][:, 2] > 0.05).all()
    np.testing.assert_allclose(person["face"][:, :2], [[80, 40]] * 70, atol=6)
    assert (person["hand_left"][:, 2] == 0).all()
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()]
    assert backend.weights_sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()


# Settings


def test_a_body_file_given_as_the_hand_is_refused(weights):
    message = r"holds OpenPose's COCO-18 body network, expected hand as pose\.openpose\.hand"
    with pytest.raises(ValueError, match=message):
        backend_of(body=str(weights), hand=str(weights))
