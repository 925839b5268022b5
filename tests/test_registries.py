"""What every entry of a registry must do, whoever adds one."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import STANDING
from onnx_models import write_wholebody_networks
from tiny import make_target, train_tiny
from tiny_openpose import write_openpose_weights

from edn_core.checkpoint import load_generator
from edn_core.config import OpenposeConfig, PoseConfig, WholebodyConfig
from edn_core.dataset import label_to_tensor
from edn_core.frames import FrameReader
from edn_core.keypoints import missing_person
from edn_core.metrics import METRICS, region_mean
from edn_core.pose import BACKENDS
from edn_core.render import LABEL_STYLES
from edn_core.skeleton import BODY_25, SKELETONS
from edn_core.synthesize import synthesize_frames
from edn_core.timeline import Clip
from edn_core.training import STAGES

CPU = torch.device("cpu")
WALK = Clip(n_frames=20, fps=Fraction(25), video="walk", width=96, height=64)


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
    backend = BACKENDS[name](pose_settings[name], WALK, 1, "cpu")
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
        BACKENDS[name](config, WALK, 1, "cpu")


@pytest.mark.parametrize("name", ["openpose", "wholebody"])
def test_a_backend_without_weights_says_where_to_get_them(name):
    with pytest.raises(
        ValueError, match=rf"pose\.{name}.*is not set.*huggingface.*(non-commercial|licen[cs]e)"
    ):
        BACKENDS[name](PoseConfig(backend=name), WALK, 1, "cpu")


# Label styles


@pytest.mark.parametrize("name", LABEL_STYLES)
def test_a_style_is_drawn_is_read_by_the_networks_and_seen_by_people(name):
    style, size = LABEL_STYLES[name], (400, 200)
    person = missing_person()
    person["body"] = np.array([(*STANDING[one], 0.9) for one in BODY_25.keypoints], np.float32)
    person["body"][::3] = np.nan, np.nan, 0
    label, nobody = (style.draw(one, BODY_25, size, 2.0) for one in (person, missing_person()))
    assert label.shape == nobody.shape == (*size, 3) and label.dtype == np.uint8
    np.testing.assert_array_equal(label, style.draw(person, BODY_25, size, 2.0))
    read = label_to_tensor(label, style)
    assert read.shape == (style.channels, *size) and read.dtype == torch.float32
    assert read.min() >= 0 and read.max() <= 1
    picture = style.to_picture(label)
    assert picture.shape == label.shape and picture.dtype == np.uint8
    assert (picture != style.to_picture(nobody)).any(axis=2).sum() > 200


@pytest.mark.parametrize("name", LABEL_STYLES)
def test_every_stage_trains_on_a_style_and_its_generator_file_paints(name, tmp_path):
    target = make_target(tmp_path, style=name)
    model = None
    for stage in STAGES:
        path = tmp_path / stage / "generator.safetensors"
        before, model = model, train_tiny(target, path, stage, model)
        trained = load_generator(model)
        if stage == "face":  # the body's generator is frozen
            frozen, now = (load_generator(one).build()["generator"] for one in (before, model))
            assert all(map(torch.equal, frozen.parameters(), now.parameters()))
        assert trained.stage == stage
        expected = (name, LABEL_STYLES[name].channels)
        assert (trained.label_style, trained.label_channels) == expected
    synthesize_frames(model, target.labels, target.keypoints, tmp_path / "made.zip", CPU)
    assert len(FrameReader(tmp_path / "made.zip")) == len(FrameReader(target.labels))


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
    blank = np.zeros_like(truth)
    assert np.isfinite(METRICS[name](blank, blank)).all()
