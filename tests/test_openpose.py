"""The openpose backend: frames to maps, maps to people, their hands and faces, its weights."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import STANDING
from tiny_openpose import (
    NET_HEIGHT,
    bright_network,
    draw_dancer,
    draw_maps,
    save_flat,
    tiny_config,
    tiny_weights,
)

from edn_core.config import OpenposeConfig, PoseConfig
from edn_core.keypoints import from_people
from edn_core.pose.backend import Backend
from edn_core.pose.openpose import find_bodies, make, predict_maps, scaled_size
from edn_core.pose.openpose_layers import coco_18, face, hand
from edn_core.pose.openpose_networks import PoseNetwork
from edn_core.pose.openpose_parts import part_regions
from edn_core.skeleton import COCO_18

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def weights() -> Path:
    """Weights of the small network; trained where pytest's cache does not hold them."""
    return tiny_weights()


def backend_of(device: str = "cpu", max_people: int = 3, **settings: object) -> Backend:
    config = PoseConfig("openpose", max_people=max_people, openpose=OpenposeConfig(**settings))
    return make(config, "x", 1, device)


def tiny_backend(weights: Path, **changes) -> Backend:
    return backend_of(**vars(replace(tiny_config(weights), **changes)))


# Weights that mean something


def test_a_dancer_is_found_on_frames_the_network_has_not_seen(weights):
    # It saw the first nine seconds of each dance; these frames come a minute later.
    names = ("source", "target") * 5
    moments = [draw_dancer(name, 100 + 1.7 * i, 640) for i, name in enumerate(names)]
    people = [tiny_backend(weights).find([image], 0)[0] for image, _ in moments]
    n_right = n_visible = 0
    for (person,), (_, truth) in zip(people, moments, strict=True):
        right_hip, left_hip, neck = (
            truth[COCO_18.index(name), :2] for name in ("right_hip", "left_hip", "neck")
        )
        torso = np.linalg.norm(neck - (right_hip + left_hip) / 2)
        distance = np.linalg.norm(person["body"][:, :2] - truth[:, :2], axis=1)
        n_right += ((distance < 0.2 * torso) & (truth[:, 2] > 0)).sum()
        n_visible += (truth[:, 2] > 0).sum()
    assert n_right / n_visible > 0.65


def test_what_is_found_can_be_stored_and_does_not_depend_on_the_run(weights):
    images = [draw_dancer("source", 100 + i, 640)[0] for i in range(3)]
    backend = tiny_backend(weights, batch_size=2)
    together = backend.find(images, 0)
    for image, (person,) in zip(images, together, strict=True):
        ((alone,),) = backend.find([image], 5)
        np.testing.assert_allclose(person["body"], alone["body"], atol=1e-2)
    keypoints = from_people(
        [one for (one,) in together], backend.skeleton, width=992, height=640, fps=25, video="x"
    )
    assert backend.skeleton == COCO_18
    assert keypoints.score["body"].max() <= 1
    assert (keypoints.score["face"] == 0).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_in_bfloat16_finds_the_same_people(weights):
    images = [draw_dancer("source", 100 + i, 640)[0] for i in range(4)]
    settings = vars(tiny_config(weights))
    on_cpu, on_cuda = (backend_of(device, **settings).find(images, 0) for device in ("cpu", "cuda"))
    for (one,), (other,) in zip(on_cpu, on_cuda, strict=True):
        both = (one["body"][:, 2] > 0) & (other["body"][:, 2] > 0)
        assert both.sum() >= 12
        distance = np.linalg.norm(one["body"][both, :2] - other["body"][both, :2], axis=1)
        assert np.median(distance) < 2


# From frames to maps


@pytest.fixture(scope="module")
def bright() -> PoseNetwork:
    return bright_network(coco_18(1))


def test_a_frame_becomes_maps_of_an_eighth_of_its_padded_size(bright):
    images = [np.zeros((60, 90, 3), np.uint8)] * 3
    # 60 x 90 px are padded to 64 x 96.
    heatmaps, pafs = predict_maps(bright, images, OpenposeConfig(net_height=60, batch_size=2), CPU)
    assert heatmaps.shape == (3, 19, 8, 12)
    assert pafs.shape == (3, 38, 8, 12)
    assert heatmaps.dtype == pafs.dtype == np.float32


def test_the_network_sees_bgr_from_zero_to_one_and_a_grey_margin(bright):
    image = np.zeros((60, 90, 3), np.uint8)
    image[..., 2] = 64  # blue
    heatmaps, _ = predict_maps(bright, [image], OpenposeConfig(net_height=60), CPU)
    # A cell shows its brightest pixel: the last row and the last column touch the margin.
    np.testing.assert_allclose(heatmaps[0, 0, :-1, :-1], 64 / 256, atol=1e-6)
    np.testing.assert_allclose(heatmaps[0, 0, -1], 128 / 256, atol=1e-6)
    np.testing.assert_allclose(heatmaps[0, 0, :, -1], 128 / 256, atol=1e-6)


@pytest.mark.parametrize("scales", [(0.5,), (1.0,), (1.37,), (2.0,), (0.5, 1.0, 2.0)])
@pytest.mark.parametrize("axis", ["x", "y"])
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


@pytest.mark.parametrize(
    ("size", "net_height"), [((400, 200), 400), ((800, 410), 364), ((4000, 2100), 370)]
)
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


def test_hands_and_face_are_looked_for_where_the_body_says(weights, tmp_path):
    files = {"body": weights, "hand": tmp_path / "hand.pth", "face": tmp_path / "face.pth"}
    save_flat(files["hand"], bright_network(hand(1)))
    save_flat(files["face"], bright_network(face(1)))
    settings = {part: str(path) for part, path in files.items()}
    backend = backend_of(max_people=1, net_height=NET_HEIGHT, **settings)
    image, _ = draw_dancer("source", 103.0, 640)
    ((person,),) = backend.find([image], 0)
    regions = part_regions(person["body"], COCO_18)
    assert set(regions) == {"hand_left", "hand_right", "face"}
    for part, n_points in (("hand_left", 21), ("hand_right", 21), ("face", 70)):
        assert person[part].shape == (n_points, 3)
        assert (person[part][:, 2] > 0.05).all()
        distance = np.abs(person[part][:, :2] - regions[part][:2]).max(axis=1)
        assert distance.max() <= regions[part].size / 2
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()]
    assert backend.weights_sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()


# Settings


def test_without_weights_the_message_says_which_where_from_and_on_what_terms():
    with pytest.raises(ValueError, match=r"pose\.openpose\.body: is not set") as error:
        backend_of()
    for said in (
        *("body_pose_model.pth", "body_25.pth", "huggingface.co/lllyasviel/Annotators"),
        *("non-commercial", "pose.openpose.body_sha256"),
    ):
        assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "name"), [("hand", r"hand_pose_model\.pth"), ("face", r"facenet\.pth")]
)
def test_a_hand_or_face_file_that_is_not_there_is_named(weights, part, name):
    message = (
        rf"pose\.openpose\.{part}: is nowhere\.pth, where there is no file.*{name}.*{part}_sha"
    )
    with pytest.raises(ValueError, match=message):
        backend_of(body=str(weights), **{part: "nowhere.pth"})


def test_a_file_with_another_checksum_is_refused(weights):
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    backend_of(body=str(weights), body_sha256=found[:8].upper())
    with pytest.raises(ValueError, match=rf"{found}, expected wrong as pose\.openpose\.body_sha"):
        backend_of(body=str(weights), body_sha256="wrong")


def test_a_body_file_given_as_the_hand_is_refused(weights):
    message = r"holds OpenPose's COCO-18 body network, expected hand as pose\.openpose\.hand"
    with pytest.raises(ValueError, match=message):
        backend_of(body=str(weights), hand=str(weights))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_is_refused_where_there_is_none(weights):
    with pytest.raises(ValueError, match=r"runtime\.device is 'cuda'"):
        backend_of("cuda", body=str(weights))
