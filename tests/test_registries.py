"""What every entry of a registry must do, whoever adds one."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import STANDING
from onnx_models import write_wholebody_networks
from tiny import SIZE, batch_of, make_target, run_of, train_tiny
from tiny_openpose import write_openpose_weights

from edn_core.checkpoint import load_generator, save_generator
from edn_core.config import LabelConfig, OpenposeConfig, PoseConfig, WholebodyConfig
from edn_core.dataset import label_to_tensor
from edn_core.frames import FrameReader
from edn_core.keypoints import check_keypoints, from_people, missing_person
from edn_core.metrics import METRICS, region_mean
from edn_core.pose import BACKENDS
from edn_core.render import LABEL_STYLES, render_label
from edn_core.skeleton import BODY_25, PARTS, SKELETONS, part_skeleton
from edn_core.synthesize import synthesize_frames
from edn_core.training import STAGES
from edn_core.training.run import Run

CPU = torch.device("cpu")


# Pose backends


@pytest.fixture(scope="session")
def pose_settings(pose_models, tmp_path_factory) -> dict[str, PoseConfig]:
    """Settings under which each backend has all the files it needs."""
    folder = tmp_path_factory.mktemp("pose")
    person = {"pose_keypoints_2d": [10.0, 10.0, 0.9] * len(BODY_25)}
    (folder / "walk_000000000000_keypoints.json").write_text(json.dumps({"people": [person]}))
    settings = {
        "mediapipe": {"models_folder": str(pose_models)},
        "openpose": {"openpose": OpenposeConfig(**write_openpose_weights(folder))},
        "wholebody": {"wholebody": WholebodyConfig(**write_wholebody_networks(folder))},
        "openpose_files": {"openpose_files": str(folder)},
    }
    return {name: PoseConfig(backend=name, **own) for name, own in settings.items()}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_finds_nobody_in_blank_images_of_any_size(name, pose_settings):
    backend = BACKENDS[name](pose_settings[name], "walk", 1, "cpu")
    assert backend.skeleton.name in SKELETONS
    assert len(backend.weights_sha256) in (0, 64)
    for first, size in ((5, (96, 64)), (8, (64, 96))):
        images = [np.zeros((*size, 3), np.uint8)] * 3
        assert backend.find(images, first) == [[], [], []]


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_whose_files_are_missing_says_which(name, tmp_path):
    nowhere = str(tmp_path / "nowhere")
    config = PoseConfig(
        backend=name,
        models_folder=nowhere,
        openpose_files=nowhere,
        openpose=OpenposeConfig(body=nowhere),
        wholebody=WholebodyConfig(detector=nowhere, pose=nowhere),
    )
    with pytest.raises(ValueError, match="nowhere"):
        BACKENDS[name](config, "walk", 1, "cpu")


@pytest.mark.parametrize("name", ["openpose", "wholebody"])
def test_a_backend_without_weights_says_where_to_get_them(name):
    with pytest.raises(ValueError, match=rf"pose\.{name}.*(non-commercial|licen[cs]e)"):
        BACKENDS[name](PoseConfig(backend=name), "walk", 1, "cpu")


# Label styles


def half_missing(seed: int) -> dict:
    """The standing dancer with face and hands, every second point missing at random."""
    random = np.random.default_rng(seed)
    person = missing_person()
    person["body"] = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)
    for part, at in (("face", (100, 65)), ("hand_left", (140, 195)), ("hand_right", (60, 195))):
        points = random.normal(at, 8, (len(part_skeleton(part)), 2))
        person[part] = np.column_stack([points, np.full(len(points), 0.9)]).astype(np.float32)
    for points in person.values():
        points[random.permutation(len(points))[::2]] = np.nan, np.nan, 0
    return person


@pytest.mark.parametrize("name", LABEL_STYLES)
@pytest.mark.parametrize("seed", range(3))
def test_a_style_draws_a_person_of_whom_half_was_found(name, seed):
    person = half_missing(seed)
    config = LabelConfig(style=name, thickness=2.0)
    before = {part: values.copy() for part, values in person.items()}
    label = render_label(person, BODY_25, (400, 200), config)
    nobody = render_label(missing_person(), BODY_25, (400, 200), config)
    assert label.shape == nobody.shape == (400, 200, 3)
    assert label.dtype == np.uint8
    assert (label != nobody).any()
    np.testing.assert_array_equal(label, render_label(person, BODY_25, (400, 200), config))
    for part in PARTS:
        np.testing.assert_array_equal(person[part], before[part])  # drawn from, not changed
    assert len(np.unique(nobody.reshape(-1, 3), axis=0)) == 1
    style = LABEL_STYLES[name]
    read = label_to_tensor(label, style)
    assert read.shape == (style.channels, 400, 200)  # what FrameSequences and the networks are fed
    assert read.dtype == torch.float32
    assert read.min() >= 0 and read.max() <= 1
    picture = style.to_picture(label)
    assert picture.shape == label.shape and picture.dtype == np.uint8
    assert (picture != style.to_picture(nobody)).any(axis=2).sum() > 200  # people see it too


@pytest.mark.parametrize("name", LABEL_STYLES)
def test_every_stage_trains_on_a_style_and_its_generator_file_paints(name, tmp_path):
    target = make_target(tmp_path, style=name)
    model = None
    for stage in STAGES:
        is_halved = stage in ("body", "temporal")  # they come before enhance
        path = tmp_path / stage / "generator.safetensors"
        model = train_tiny(target, path, stage, model, is_halved=is_halved)
        trained = load_generator(model)
        expected = (name, LABEL_STYLES[name].channels)
        assert (trained.label_style, trained.label_channels) == expected
    synthesize_frames(model, target.labels, target.keypoints, tmp_path / "made.h5", CPU)
    assert len(FrameReader(tmp_path / "made.h5")) == len(FrameReader(target.labels))


@pytest.mark.parametrize("name", LABEL_STYLES)
def test_a_style_draws_what_leaves_the_picture_as_far_as_it_is_seen(name):
    person = half_missing(0)
    person["body"] = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)
    config = LabelConfig(style=name, thickness=2.0)
    nobody = render_label(missing_person(), BODY_25, (400, 200), config)
    for shift, is_seen in ((-100, True), (100, True), (-9000, False), (1e7, False)):
        moved = {part: values + np.float32([shift, 0, 0]) for part, values in person.items()}
        label = render_label(moved, BODY_25, (400, 200), config)
        assert (label != nobody).any() == is_seen


# Training stages


@pytest.fixture
def begin(tiny_target, tiny_starts):
    """A function that begins a training of a stage."""
    return lambda name: run_of(tiny_target, name, tiny_starts[name], batch_size=2)


@pytest.fixture
def batch(tiny_target):
    return batch_of(tiny_target, 3, 11)


def weights_of(run: Run) -> dict[str, dict[str, torch.Tensor]]:
    return {
        name: {key: value.clone() for key, value in network.state_dict().items()}
        for name, network in run.networks.items()
    }


def equal(one: dict, other: dict) -> bool:
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_takes_a_step_that_moves_what_it_trains_and_nothing_else(name, begin, batch):
    run = begin(name)
    assert run.stage.name == name
    before = weights_of(run)
    terms = run.train_step(batch, total=10)
    assert terms
    assert all(value.ndim == 0 and torch.isfinite(value) for value in terms.values())
    assert {"G/gan", "D/real", "D/fake"} <= set(terms)
    assert not any(value.requires_grad for value in terms.values())
    after = weights_of(run)
    trained = {run.stage.generator, run.stage.discriminator}
    assert trained <= set(run.networks)
    for network in run.networks:
        assert equal(before[network], after[network]) == (network not in trained), network


@pytest.mark.parametrize("name", STAGES)
def test_a_stages_generator_file_paints_what_its_networks_painted(name, begin, batch, tmp_path):
    run = begin(name)
    run.train_step(batch, total=10)
    run.keep_if_best(None)
    save_generator(tmp_path / "generator.safetensors", run.trained())
    trained = load_generator(tmp_path / "generator.safetensors")
    assert trained.stage == name
    built = trained.build()
    for network, module in run.averaged_networks().items():
        assert equal(built[network].state_dict(), module.state_dict()), network
    x = torch.cat([batch["label"][:, 0], torch.zeros(2, 3, SIZE, SIZE)], dim=1)
    with torch.no_grad():
        image = built["generator"](x)
    assert image.shape == (2, 3, SIZE, SIZE)
    assert image.abs().max() <= 1


# Metrics


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_a_map_that_is_best_where_output_and_truth_agree(name):
    random = np.random.default_rng(0)
    truth = random.integers(0, 255, (32, 48, 3), np.uint8)
    output = truth.copy()
    output[:, 24:] = 255 - output[:, 24:]
    before = output.copy()
    values = METRICS[name](output, truth)
    assert values.shape == (32, 48)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(output, before)
    left = np.zeros((32, 48), bool)
    left[:, :16] = True
    perfect = METRICS[name](truth, truth)
    assert region_mean(values, left) == pytest.approx(region_mean(perfect, left))
    assert abs(region_mean(values, ~left) - region_mean(perfect, ~left)) > 0.1


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_bears_blank_pictures_and_refuses_other_sizes(name):
    blank = np.zeros((32, 48, 3), np.uint8)
    assert np.isfinite(METRICS[name](blank, blank)).all()
    with pytest.raises(ValueError, match="of one size"):
        METRICS[name](blank, blank[:, :40])


# What the registries are filled with fits what they are used for


@pytest.mark.parametrize("name", [name for name, one in SKELETONS.items() if one.has("neck")])
def test_every_skeleton_of_a_body_can_be_stored(name):
    skeleton = SKELETONS[name]
    people = [missing_person(skeleton)]
    keypoints = from_people(people, skeleton, width=64, height=64, fps=Fraction(25), video="walk")
    check_keypoints(keypoints, "walk.h5")
