"""The openpose backend, with a small network that knows the drawn dancers and with built ones."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import STANDING
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from tiny_openpose import (
    bright_network,
    draw_pair,
    tiny_config,
    tiny_weights,
    write_openpose_weights,
)

from edn_core.config import OpenposeConfig, PoseConfig
from edn_core.keypoints import Person, from_people
from edn_core.pose.openpose import find_bodies, make, predict_maps, scaled_size
from edn_core.pose.openpose_layers import coco_18
from edn_core.pose.openpose_networks import PoseNetwork, load_network
from edn_core.pose.openpose_targets import heatmap_targets, paf_targets
from edn_core.skeleton import COCO_18

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def weights() -> Path:
    """Weights of the small network; trained where pytest's cache does not hold them."""
    return tiny_weights()


@pytest.fixture(scope="session")
def tiny_network(weights: Path) -> PoseNetwork:
    return load_network(weights)


def tiny_backend(path: Path, max_people: int = 3, **changes):
    torch.manual_seed(0)
    openpose = replace(tiny_config(path), **changes)
    return make(PoseConfig("openpose", max_people=max_people, openpose=openpose), "x", 1, "cpu")


# Weights that mean something


def joints_found(people: list[Person], truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each visible joint was found: within 0.2 of the true torso (neck to hips' middle).

    Each true person is compared with one found person, so that the most joints are right.

    Returns:
        (P, K) bool: found; and visible.
    """
    right_hip, left_hip, neck = (
        truth[:, COCO_18.index(name), :2] for name in ("right_hip", "left_hip", "neck")
    )
    torso = np.linalg.norm(neck - (right_hip + left_hip) / 2, axis=1)
    found = np.stack([person["body"] for person in people] or [np.full((18, 3), np.nan)])
    distance = np.linalg.norm(truth[:, None, :, :2] - found[None, :, :, :2], axis=-1)
    is_right = distance <= 0.2 * torso[:, None, None]
    rows, columns = linear_sum_assignment(-is_right.sum(axis=-1))
    is_found = np.zeros(truth.shape[:2], bool)
    is_found[rows] = is_right[rows, columns]
    return is_found, truth[..., 2] > 0


def test_nine_of_ten_joints_of_two_dancers_are_found_on_new_frames(weights):
    # The network saw 47 seconds of each dance; these frames come a minute later.
    pairs = [draw_pair(100 + 0.73 * i, is_swapped=i % 2 == 1) for i in range(24)]
    people = tiny_backend(weights).find([image for image, _ in pairs], 0)
    found, visible = (
        np.array(values)
        for values in zip(
            *(joints_found(one, truth) for one, (_, truth) in zip(people, pairs, strict=True)),
            strict=True,
        )
    )
    left, right = (found & visible).sum(axis=(0, 2)) / visible.sum(axis=(0, 2))
    total = (found & visible).sum() / visible.sum()
    two = sum(len(one) == 2 for one in people)
    print(
        f"joints found within 0.2 torso lengths: {total:.1%} of {visible.sum()} "
        f"(left dancer {left:.1%}, right {right:.1%}); two people in {two} of {len(people)} frames"
    )
    assert total >= 0.9
    assert min(left, right) >= 0.85
    assert two >= 22


def test_networks_that_see_nothing_find_nobody(tmp_path):
    config = PoseConfig("openpose", openpose=OpenposeConfig(**write_openpose_weights(tmp_path)))
    images = [np.zeros((96, 64, 3), np.uint8)] * 2
    assert make(config, "x", 1, "cpu").find(images, 0) == [[], []]


def test_an_empty_room_shows_nobody(weights):
    grey = np.full((160, 120, 3), 128, np.uint8)
    assert tiny_backend(weights).find([grey, grey], 7) == [[], []]


def test_of_two_people_the_larger_is_kept(weights):
    image, truth = draw_pair(103.0)
    heights = np.nanmax(truth[..., 1], axis=1) - np.nanmin(truth[..., 1], axis=1)
    (both,) = tiny_backend(weights).find([image], 0)
    (one,) = tiny_backend(weights, max_people=1).find([image], 0)
    assert [len(both), len(one)] == [2, 1]
    larger = truth[heights.argmax()]
    assert joints_found(one, larger[None])[0].sum() >= 15


def test_what_is_found_can_be_stored(weights):
    image, _ = draw_pair(103.0)
    backend = tiny_backend(weights)
    ((person, _),) = backend.find([image], 0)
    keypoints = from_people([person], backend.skeleton, width=992, height=640, fps=25, video="x")
    assert backend.skeleton == COCO_18
    assert keypoints.score["body"].max() <= 1
    assert (keypoints.score["face"] == 0).all()


def test_frames_in_one_run_or_alone_give_the_same_people(weights):
    images = [draw_pair(100 + i)[0] for i in range(3)]
    backend = tiny_backend(weights, batch_size=2)
    together = backend.find(images, 0)
    alone = [people for image in images for people in backend.find([image], 5)]
    for some, others in zip(together, alone, strict=True):
        for one, other in zip(some, others, strict=True):
            np.testing.assert_allclose(one["body"], other["body"], atol=1e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_in_bfloat16_finds_the_same_people(weights):
    images = [draw_pair(100 + i)[0] for i in range(4)]
    config = PoseConfig("openpose", openpose=tiny_config(weights))
    on_cpu, on_cuda = (make(config, "x", 1, name).find(images, 0) for name in ("cpu", "cuda"))
    for some, others in zip(on_cpu, on_cuda, strict=True):
        for one, other in zip(some, others, strict=True):
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
    config = OpenposeConfig(net_height=60, batch_size=2)
    # 60 x 90 px are padded to 64 x 96.
    heatmaps, pafs = predict_maps(bright, images, config, CPU)
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


def test_frames_in_batches_give_the_maps_of_frames_alone(tiny_network):
    images = [draw_pair(100 + i)[0] for i in range(3)]
    config = OpenposeConfig(net_height=128, batch_size=2)
    together = predict_maps(tiny_network, images, config, CPU)
    for number, image in enumerate(images):
        alone = predict_maps(tiny_network, [image], config, CPU)
        for some, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(some[number], one[0], atol=1e-5)


def test_the_mean_of_a_scale_with_itself_is_that_scale(tiny_network):
    images = [draw_pair(100)[0]]
    once, thrice = (
        predict_maps(tiny_network, images, OpenposeConfig(net_height=128, scales=scales), CPU)
        for scales in ((1.0,), (1.0, 1.0, 1.0))
    )
    for one, three in zip(once, thrice, strict=True):
        np.testing.assert_allclose(three, one, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.floats(0.2, 2.5), min_size=1, max_size=3),
    st.integers(20, 60),
    st.integers(20, 90),
    st.integers(16, 50),
)
def test_maps_of_one_value_keep_it_at_all_scales(scales, height, width, net_height):
    network = bright_network(coco_18(1), "conv5_5_CPM_L2", value=0.7)
    config = OpenposeConfig(net_height=net_height, scales=tuple(scales))
    image = np.zeros((height, width, 3), np.uint8)
    heatmaps, _ = predict_maps(network, [image], config, CPU)
    rows, columns = scaled_size((height, width), net_height)
    assert heatmaps.shape[2:] == (-(-rows // 8), -(-columns // 8))
    np.testing.assert_allclose(heatmaps, 0.7, atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.0, 1.37, 2.0, 3.0])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_every_scale_shows_the_same_place_at_the_same_cell(bright, scale, axis):
    # The picture's values are its own coordinates; 250 px become 125, padded to 128.
    image = np.repeat(np.tile(np.arange(250, dtype=np.uint8), (250, 1))[..., None], 3, axis=-1)
    image = image if axis == "x" else image.transpose(1, 0, 2)
    config = OpenposeConfig(net_height=125, scales=(scale,))
    heatmaps, _ = predict_maps(bright, [image], config, CPU)
    values = 256 * heatmaps[0, 0, 5] if axis == "x" else 256 * heatmaps[0, 0, :, 5]
    # Pooling lets through the last pixel of a cell, 3.5 px of the scaled picture after its middle.
    in_network = 8 * np.arange(16) + 3.5 + 3.5 * 125 / round(125 * scale)
    expected = (in_network + 0.5) * 2 - 0.5
    # Cells near the ends feel the picture's edge and the margin.
    np.testing.assert_allclose(values[4:10], expected[4:10], atol=1.0)


def test_frames_of_two_sizes_are_refused(bright):
    images = [np.zeros((60, 90, 3), np.uint8), np.zeros((60, 80, 3), np.uint8)]
    with pytest.raises(ValueError, match="expected frames of one size"):
        predict_maps(bright, images, OpenposeConfig(), CPU)


# From maps to the frame's pixels


def ideal_maps(person: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return heatmap_targets(person[None], size), paf_targets(person[None], size, COCO_18)


@pytest.fixture
def standing() -> np.ndarray:
    """(18, 3): the standing person, 200 x 400 px."""
    return np.array([(*STANDING[name], 1) for name in COCO_18.keypoints], np.float32)


@pytest.mark.parametrize(
    ("size", "net_height"), [((400, 200), 400), ((800, 410), 364), ((4000, 2100), 370)]
)
def test_people_come_back_to_the_frames_pixels_whatever_the_padding(standing, size, net_height):
    truth = standing * np.array([size[1] / 210, size[0] / 400, 1])
    net_size = scaled_size(size, net_height)
    padded = tuple(-(-side // 8) * 8 for side in net_size)
    scale = np.array([net_size[1] / size[1], net_size[0] / size[0]])
    in_network = truth.copy()
    in_network[:, :2] = (truth[:, :2] + 0.5) * scale - 0.5
    config = OpenposeConfig(net_height=net_height)
    (body,) = find_bodies(*ideal_maps(in_network, padded), size, COCO_18, config)
    assert (body[:, 2] > 0).all()
    # A cell is 8 px of the network's input; the peak between cells is found to about one.
    np.testing.assert_allclose(body[:, :2], truth[:, :2], atol=1.5 / scale.min())
    assert np.abs((body - truth)[:, :2].mean(axis=0)).max() < 0.25 / scale.min()


def test_a_joint_found_in_the_grey_margin_is_missing(standing):
    # 396 rows are padded to 400; the ankles are moved below the frame.
    for side in ("left", "right"):
        standing[COCO_18.index(f"{side}_ankle"), 1] = 399
    maps = ideal_maps(standing, (400, 200))
    (body,) = find_bodies(*maps, (396, 200), COCO_18, OpenposeConfig(net_height=396))
    missing = {COCO_18.keypoints[row] for row in np.flatnonzero(body[:, 2] == 0)}
    assert missing == {"left_ankle", "right_ankle"}
    assert np.isnan(body[COCO_18.index("left_ankle"), :2]).all()


# Settings


def made(**settings: str | None) -> None:
    make(PoseConfig("openpose", openpose=OpenposeConfig(**settings)), "dance", 1, "cpu")


def test_without_weights_the_message_says_which_where_from_and_on_what_terms():
    with pytest.raises(ValueError, match=r"pose\.openpose\.body is not set") as error:
        made()
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
    message = rf"pose\.openpose\.{part} is nowhere\.pth, where there is no file.*{name}.*{part}_sha"
    with pytest.raises(ValueError, match=message):
        made(body=str(weights), **{part: "nowhere.pth"})


def test_a_file_with_another_checksum_is_refused(weights):
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    made(body=str(weights), body_sha256=found[:8].upper())
    wrong = "0" * 8 if not found.startswith("0" * 8) else "1" * 8
    with pytest.raises(ValueError, match=rf"{found}.*pose\.openpose\.body_sha256 says {wrong}"):
        made(body=str(weights), body_sha256=wrong)


def test_a_body_file_given_as_the_hand_is_refused(weights):
    message = r"holds OpenPose's COCO-18 body network, pose\.openpose\.hand expects hand"
    with pytest.raises(ValueError, match=message):
        made(body=str(weights), hand=str(weights))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_is_refused_where_there_is_none(weights):
    config = PoseConfig("openpose", openpose=tiny_config(weights))
    with pytest.raises(ValueError, match=r"runtime\.device is 'cuda'"):
        make(config, "dance", 1, "cuda")
