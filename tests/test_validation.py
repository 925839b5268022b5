"""The validation slice chooses what is kept: a checkpoint, or what the stage started from."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny import SIZE, STAGE, batch_of, files_of, run_of, train_tiny

from edn_core.accelerate import Acceleration
from edn_core.checkpoint import load_generator
from edn_core.frames import FrameReader
from edn_core.metrics import region_mean, ssim_map
from edn_core.metrics.motion import backward_flow, flow_warping_error
from edn_core.render import find_style
from edn_core.synthesize import load_networks, synthesize
from edn_core.training.validation import (
    FLICKER,
    Score,
    Validation,
    _similarity_on_device,
    checks_of,
)

CPU = torch.device("cpu")


def test_a_checkpoint_is_scored_by_likeness_less_what_it_flickers_more_than_the_truth(
    tiny_target, tiny_body
):
    files = files_of(tiny_target, None, Path("model"))
    networks = load_networks(load_generator(tiny_body), CPU)
    frames, style = range(4, 12), find_style("edn", "labels")
    images, labels = FrameReader(tiny_target.frames), FrameReader(tiny_target.labels)
    boxes = np.full((len(frames), 4), -1)
    made = list(synthesize(networks, map(labels.get, frames), boxes, CPU, style))
    likeness, flicker = [], []
    for i, frame in enumerate(frames):
        truth, mask = images[frame][..., :3], images[frame][..., 3] > 127
        likeness.append(region_mean(ssim_map(made[i][..., :3], truth), mask))
        if i:
            before = images[frame - 1][..., :3]
            flow, seen = backward_flow(before, truth)
            pairs = (made[i - 1][..., :3], made[i][..., :3]), (before, truth)
            own, true = (flow_warping_error(*pair, flow, seen & mask) for pair in pairs)
            flicker.append(own - true)
    score, picture = Validation(files, frames, False, CPU).score(networks)
    assert score.ssim == pytest.approx(np.mean(likeness), abs=1e-6)
    assert score.flicker == pytest.approx(np.mean(flicker), abs=1e-4)
    assert np.array_equal(picture[:, SIZE : 2 * SIZE], made[-1][..., :3])
    assert Score(0.5, 0.25).value == 0.5 - 0.25 * FLICKER
    assert Score(0.5, -0.25).value == 0.5


def test_on_the_device_similarity_is_nearly_that_of_the_evaluation():
    noise = np.random.default_rng(0).normal(128, 40, (32, 48, 3))
    truth, output = (
        cv2.GaussianBlur(noise, (0, 0), sigma).clip(0, 255).astype(np.uint8) for sigma in (1, 1.5)
    )
    tensors = (torch.from_numpy(one) for one in (output, truth))
    found = _similarity_on_device(*tensors).numpy()[3:-3, 3:-3]
    assert np.abs(found - ssim_map(output, truth)[3:-3, 3:-3]).max() < 1e-4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_the_score_of_recorded_networks_is_that_of_a_cpu(tiny_target, tiny_body):
    files, cuda = files_of(tiny_target, None, Path("model")), torch.device("cuda")
    scores = []
    for device, graphs in ((CPU, False), (cuda, True)):
        networks = load_networks(load_generator(tiny_body), device, Acceleration(False, graphs))
        score, _ = Validation(files, range(4, 16), False, device).score(networks)
        scores.append(tuple(score))
    assert scores[1] == pytest.approx(scores[0], abs=5e-3)  # near the border SSIM differs


def test_the_slice_is_validated_as_often_as_pays_and_always_after_the_last_step():
    assert checks_of(100, most=4, passes=9) == {25, 50, 75, 100}
    assert checks_of(100, most=4, passes=3) == {50, 100}  # and at the start
    assert checks_of(100, most=4, passes=0) == {100}


@pytest.mark.parametrize("name", ["temporal", "enhance", "face"])
def test_a_stage_that_learns_nothing_passes_itself_through_and_the_next_goes_on(
    tiny_target, tiny_starts, tmp_path, log, name
):
    start, model = tiny_starts[name], tmp_path / "idle" / "generator.safetensors"
    train_tiny(tiny_target, model, name, start, replace(STAGE, learning_rate=1e-12))
    assert f"{name}: no better than before, passed through" in log()
    before, after = load_generator(start), load_generator(model)
    assert (after.stage, after.steps) == (name, 0)
    assert (after.architecture, after.face_weights) == (before.architecture, None)
    assert all(torch.equal(after.weights[key], value) for key, value in before.weights.items())
    rows = map(json.loads, (model.parent / "metrics.jsonl").read_text().splitlines())
    scores = {row["step"]: row["validation_score"] for row in rows if "validation_score" in row}
    assert scores.keys() == {0, 4}
    if name == "temporal":
        train_tiny(tiny_target, tmp_path / "next" / "generator.safetensors", "enhance", model)
        assert "enhance: discriminator:" in log()


@pytest.mark.parametrize("name", ["temporal", "face"])
def test_a_stage_that_helps_is_kept(tiny_target, tiny_body, tmp_path, log, name):
    config = replace(STAGE, steps=20, learning_rate=1e-2)
    model = train_tiny(tiny_target, tmp_path / "generator.safetensors", name, tiny_body, config)
    assert load_generator(model).steps > 0
    assert f"{name}: done; kept step" in log()


def test_a_training_that_goes_on_remembers_what_the_stage_started_from(tiny_target, tiny_body):
    run, again = (run_of(tiny_target, "temporal", tiny_body) for _ in range(2))
    run.best_score = 0.75
    run.train_step(batch_of(tiny_target, 3), 4)
    run.keep_if_best(0.5)
    again.restore(*run.state())
    again.keep_if_best(0.75)
    assert (again.step, again.best_step, again.best_score) == (1, 0, 0.75)
