"""Training, on a dancer of 64 x 64 px and networks of four channels."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import (
    N_FRAMES,
    NETWORK,
    SIZE,
    SPLIT,
    STAGE,
    TinyTarget,
    batch_of,
    files_of,
    make_target,
    run_of,
    train_tiny,
    without,
)
from torch import nn

from edn_core.checkpoint import core_network, load_discriminator, load_generator, save_generator
from edn_core.config import StageConfig, TrainingConfig
from edn_core.dataset import face_share
from edn_core.face import face_box_size
from edn_core.frames import FrameReader
from edn_core.keypoints import write_keypoints
from edn_core.losses import feature_matching_loss, gan_loss, l1_loss
from edn_core.synthesize import synthesize_frames, synthesize_step
from edn_core.training import STAGES, TrainingSettings
from edn_core.training.loop import _total_steps
from edn_core.training.run import average_weight, learning_rate
from edn_core.training.stage import Painted, Weighting

CPU = torch.device("cpu")


# Schedules


def test_the_learning_rate_is_constant_for_half_the_steps_then_falls_to_nought():
    rates = [learning_rate(8.0, step, 8) for step in range(9)]
    assert rates == [8, 8, 8, 8, 8, 6, 4, 2, 0]
    assert learning_rate(8.0, 0, 1) == 8


def test_steps_are_given_or_follow_from_epochs():
    assert _total_steps(StageConfig(steps=7), 100) == 7
    assert _total_steps(StageConfig(epochs=3), 100) == 300
    assert _total_steps(StageConfig(epochs=3, batch_size=4), 10) == 6
    assert _total_steps(StageConfig(epochs=3, batch_size=4), 2) == 3


def test_the_average_forgets_the_first_steps_quickly_and_then_hardly_at_all(tiny_target):
    assert [average_weight(0.5, count) for count in (2, 8, 11)] == [3 / 12, 0.5, 0.5]
    assert average_weight(0.995, 10**6) == 0.995
    run = run_of(tiny_target, "body", ema_decay=0.5)
    mean, weight = (next(one.parameters()) for one in (run.averaged, run.networks["generator"]))
    stays = []
    for run.step in range(3):
        with torch.no_grad():
            mean.fill_(1)
            weight.fill_(0)
        run._average(0.5)
        stays.append(mean[0, 0, 0, 0].item())
    # The first is a copy. Of the second 2/11 of the old stays, of the third 3/12.
    assert stays == pytest.approx([0, 2 / 11, 3 / 12])


# One step


@pytest.mark.parametrize("name", STAGES)
def test_each_sides_gradients_stay_on_its_own_side(tiny_target, tiny_starts, name):
    run = run_of(tiny_target, name, tiny_starts[name])
    batch, weighting = batch_of(tiny_target, 3), run.weighting
    trained = {side: run.networks[side] for side in (run.stage.generator, run.stage.discriminator)}
    sides = run.stage.losses(run.networks, batch, weighting)
    for (own, network), terms in zip(trained.items(), sides, strict=True):
        for one in run.networks.values():
            one.zero_grad(set_to_none=True)
        total = torch.stack(list(terms.values())).sum()
        total.backward(inputs=list(network.parameters()), retain_graph=True)
        assert all(value.grad is not None for value in network.parameters())
        for other in set(run.networks) - {own}:
            assert all(value.grad is None for value in run.networks[other].parameters()), other


class Recorder(nn.Module):
    """Passes through a network and remembers what went in and what came out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append((x, self.network(x)))
        return self.calls[-1][1]


@pytest.mark.parametrize("name", STAGES)
def test_the_first_frame_is_conditioned_on_zeros(tiny_target, tiny_starts, name):
    run = run_of(tiny_target, name, tiny_starts[name])
    recorder = Recorder(run.networks["generator"])
    batch = batch_of(tiny_target, 3)
    run.stage.losses(run.networks | {"generator": recorder}, batch, run.weighting)
    assert (recorder.calls[0][0][:, 3:] == 0).all()
    assert len(recorder.calls) == (1 if name == "body" else 2)


def test_the_temporal_stage_is_the_papers_objective_of_a_pair(tiny_target, tiny_body):
    # Written out once more, as it stands in the paper (equation 1) and in pix2pixHD: separate
    # passes of the discriminator, real and fake, of both labels and both images. In double.
    run = run_of(tiny_target, "temporal", tiny_body, person=0.0)
    with torch.no_grad():  # the body stage leaves them at zero: it never sees a previous output
        core_network(run.networks["generator"]).model[1].weight[:, 3:] = 0.1
    networks = {name: network.double() for name, network in run.networks.items()}
    batch, config = batch_of(tiny_target, 2, 11), run.settings.stage
    for name in ("label", "image", "matte"):
        batch[name] = batch[name].double()
    generator, judge = networks["generator"], networks["discriminator"]
    (x0, x1), (y0, y1), (t0, t1) = (batch[name].unbind(1) for name in ("label", "image", "matte"))
    p0 = generator(torch.cat([x0, torch.zeros_like(y0)], dim=1))
    g0, m0 = p0[:, :3], p0[:, 3:]
    p1 = generator(torch.cat([x1, g0], dim=1))
    g1, m1 = p1[:, :3], p1[:, 3:]
    real = judge(torch.cat([x0, x1, y0, y1], dim=1))
    fake = judge(torch.cat([x0, x1, g0, g1], dim=1))
    told = judge(torch.cat([x0, x1, g0, g1], dim=1).detach())
    constant = [[one.detach() for one in scale] for scale in real]
    expected = (
        {
            "gan": config.gan * gan_loss(fake, is_real=True),
            "feature_matching": config.feature_matching * feature_matching_loss(fake, constant),
            "l1": config.l1 * (l1_loss(g0, y0) + l1_loss(g1, y1)),
            "matte": config.matte * (l1_loss(m0, t0) + l1_loss(m1, t1)),
        },
        {"real": gan_loss(real, is_real=True) / 2, "fake": gan_loss(told, is_real=False) / 2},
    )
    found = run.stage.losses(networks, batch, run.weighting)
    for network, terms, others in zip((generator, judge), found, expected, strict=True):
        assert terms.keys() == others.keys()
        for name, value in others.items():
            torch.testing.assert_close(terms[name], value)
        own = list(network.parameters())
        pairs = zip(
            *(
                torch.autograd.grad(sum(one.values()), own, retain_graph=True)
                for one in (terms, others)
            ),
            strict=True,
        )
        for one, other in pairs:
            assert (one - other).abs().max() <= 1e-13 * other.abs().max()


def test_the_temporal_discriminator_starts_from_the_body_stages(tiny_target, tiny_body):
    run = run_of(tiny_target, "temporal", tiny_body)
    weights = load_discriminator(tiny_body.parent / "discriminator.safetensors")
    name = "scale0_layer0.0.weight"
    widened = run.networks["discriminator"].state_dict()[name]
    assert widened.shape[1] == 2 * weights[name].shape[1] == 12
    torch.testing.assert_close(widened[:, :3] + widened[:, 3:6], weights[name][:, :3])


def test_a_generator_that_came_without_its_discriminator_is_said_aloud(
    tiny_target, tiny_body, tmp_path, log
):
    alone = tmp_path / "generator.safetensors"
    alone.write_bytes(tiny_body.read_bytes())
    run_of(tiny_target, "temporal", alone)
    assert "no discriminator.safetensors beside the body stage's generator" in log()


def test_in_the_face_stage_the_second_frame_is_fed_the_first_with_its_face(tiny_target, tiny_body):
    run = run_of(tiny_target, "face", tiny_body)
    with torch.no_grad():  # a residual that leaves white behind
        list(run.networks["face_generator"].parameters())[-1].fill_(3)
    generator, face = (Recorder(run.networks[name]) for name in ("generator", "face_generator"))
    batch = batch_of(tiny_target, 3, 9)
    run.stage.losses(
        run.networks | {"generator": generator, "face_generator": face}, batch, run.weighting
    )
    side = face_box_size(SIZE)
    (_, first_output), (second_input, _) = generator.calls
    first_output, matte = first_output[:, :3], first_output[:, 3:]
    changed = (second_input[:, 3:] != first_output).any(dim=1)
    for i in range(2):
        x0, y0, x1, y1 = batch["face_box"][i, 0].tolist()
        assert (x1 - x0, y1 - y0) == (side, side)
        crop = first_output[i, :, y0:y1, x0:x1]
        torch.testing.assert_close(face.calls[0][0][i, 3:], crop)
        label = batch["label"][i, 0, :, y0:y1, x0:x1]
        torch.testing.assert_close(face.calls[0][0][i, :3], label)
        pasted = second_input[i, 3:, y0:y1, x0:x1]
        share = face_share(matte[i : i + 1], batch["face_box"][i : i + 1, 0], side)[0]
        residual = face.calls[0][1][i] * share
        torch.testing.assert_close(pasted, (crop + residual).clamp(-1, 1))
        outside = changed[i].clone()
        outside[y0:y1, x0:x1] = False
        assert not outside.any()


def test_where_there_is_no_perceptual_network_l1_stands_in_and_the_log_says_so(tiny_target, log):
    run = run_of(tiny_target, "body")
    assert "body: no training.vgg19 given; an L1 term stands in for VGG19" in log()
    fake, real = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    assert {k: v.item() for k, v in run.weighting.image_term(fake, real).items()} == {"l1": 10}
    weighting = Weighting(run.settings.stage, lambda x: [x] * 5)  # type: ignore[arg-type]
    terms = weighting.image_term(fake, real)
    assert terms["perceptual"].item() == pytest.approx(
        5 * 0.5 * (1 + 1 / 4 + 1 / 8 + 1 / 16 + 1 / 32)
    )


# A whole stage


@pytest.mark.parametrize("name", ["temporal", "enhance", "face"])
def test_a_later_stage_needs_the_one_before(tiny_target, tmp_path, name):
    with pytest.raises(ValueError, match=f"the {name} stage starts from"):
        train_tiny(tiny_target, tmp_path / "generator.safetensors", name)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    tiny_target, tiny_body, tmp_path
):
    again = train_tiny(tiny_target, tmp_path / "again" / "generator.safetensors")
    assert again.read_bytes() == tiny_body.read_bytes()
    other = train_tiny(tiny_target, tmp_path / "other" / "generator.safetensors", seed=1)
    assert other.read_bytes() != tiny_body.read_bytes()


def test_the_kept_checkpoint_is_the_best_on_the_validation_slice(tiny_target):
    run = run_of(tiny_target, "body")
    steps = iter(range(1, 5))
    for score in (0.5, 0.9, 0.9, 0.3):
        run.step = next(steps)
        with torch.no_grad():
            next(run.averaged.parameters()).fill_(run.step)
        run.keep_if_best(score)
    assert (run.best_step, run.best_score) == (2, 0.9)
    assert (next(iter(run.trained().weights.values())) == 2).all()
    run = run_of(tiny_target, "body", options=TrainingConfig(keep="last"))
    for run.step, score in ((1, 0.9), (2, 0.5), (3, None), (4, 0.3)):
        run.keep_if_best(score)
    assert (run.best_step, run.best_score) == (4, 0.3)


def test_where_the_validation_slice_shows_nobody_the_last_checkpoint_is_kept(tiny_target, tmp_path):
    for name in ("frames", "labels", "window"):
        path = getattr(tiny_target, name)
        shutil.copy(path, tmp_path / path.name)
    dancer = without(tiny_target.dancer, list(SPLIT.validation))
    target = TinyTarget(tmp_path, dancer)
    write_keypoints(target.keypoints, dancer)
    trained = load_generator(train_tiny(target, tmp_path / "model" / "generator.safetensors"))
    assert trained.steps == STAGE.steps


def test_a_video_without_two_frames_in_a_row_is_refused(tmp_path, tiny_target):
    target = make_target(tmp_path, without(tiny_target.dancer, list(range(1, N_FRAMES, 2))))
    with pytest.raises(ValueError, match=r"keypoints.h5: no two frames in a row with the dancer"):
        train_tiny(target, tmp_path / "model" / "generator.safetensors")


def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(tiny_target, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"training body: the loss term [GD]/\w+ became (nan|inf) at step \d+; .*1e\+30",
    ):
        train_tiny(
            tiny_target,
            tmp_path / "generator.safetensors",
            config=replace(STAGE, steps=20, learning_rate=1e30),
        )
    assert not (tmp_path / "generator.safetensors").exists()


def test_a_stage_before_of_another_window_is_refused(tiny_target, tiny_body, tmp_path):
    other = replace(load_generator(tiny_body), height=32)
    save_generator(tmp_path / "body.safetensors", other)
    with pytest.raises(ValueError, match=r"body.safetensors: paints 32 x 64 .*expected 64 x 64"):
        train_tiny(
            tiny_target,
            tmp_path / "generator.safetensors",
            "temporal",
            tmp_path / "body.safetensors",
        )


@pytest.mark.parametrize("name", STAGES)
def test_what_lies_outside_of_the_video_is_in_no_loss(tiny_target, tiny_starts, name):
    """Right of the middle nothing was filmed: what the networks paint there moves no term."""
    run, batch = run_of(tiny_target, name, tiny_starts[name]), batch_of(tiny_target, 3)
    filmed = torch.ones(1, 2, 1, SIZE, SIZE)
    filmed[..., SIZE // 2 :] = 0
    batch |= {"filmed": filmed, **{key: batch[key] * filmed for key in ("image", "matte")}}
    batch["face_box"] = torch.tensor([16, 16, 48, 48]).expand(1, 2, 4)
    is_face = run.stage.generator == "face_generator"
    painted = torch.zeros(1, *((3, 32, 32) if is_face else (4, SIZE, SIZE)), requires_grad=True)

    class Painter(torch.nn.Module):
        def forward(self, x):
            return painted + 0.1 * torch.ones(len(x), 1, 1, 1)

    networks = {**run.networks, run.stage.generator: Painter()}
    terms, _ = run.stage.losses(networks, batch, run.weighting)
    torch.stack(list(terms.values())).sum().backward()
    inside, outside = painted.grad.chunk(2, dim=-1)
    assert inside.abs().sum() > 0
    assert outside.abs().sum() == 0


def test_the_matte_is_learned_by_its_own_term_and_the_dancer_counts_more(tiny_target):
    run, batch = run_of(tiny_target, "body", matte=5.0), batch_of(tiny_target, 3)
    truth = batch["matte"][:, -1]
    painted = Painted(torch.zeros(1, 3, SIZE, SIZE), torch.zeros_like(truth))
    assert run.weighting.matte_term(painted.matte, truth)["matte"] == pytest.approx(
        5 * truth.mean().item()
    )
    # A quarter of the picture is the dancer's: an error there counts 5 / (3/4 + 5/4) times.
    dancer = torch.zeros(1, 1, 4, 4)
    dancer[..., :2, :2] = 1
    fake, real = dancer.expand(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    weighting = Weighting(replace(STAGE, l1=1.0, person=4.0), None)
    assert weighting.image_term(fake, real)["l1"] == pytest.approx(0.25)
    assert weighting.image_term(fake, real, matte=dancer)["l1"] == pytest.approx(0.25 * 2.5)


def test_the_face_fades_at_its_box_and_keeps_to_the_matte(tiny_target, tiny_body):
    class Everywhere(torch.nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 3, *x.shape[-2:])

    class Half(torch.nn.Module):
        def forward(self, x):
            matte = torch.zeros(len(x), 1, SIZE, SIZE)
            matte[..., : SIZE // 2] = 1
            return torch.cat([matte.expand(-1, 3, -1, -1) * 0.25, matte], dim=1)

    box = torch.tensor([[16, 16, 48, 48]])
    networks = {"generator": Half(), "face_generator": Everywhere()}
    nothing = torch.zeros(1, 3, SIZE, SIZE)
    output = synthesize_step(networks, nothing, nothing, box, 32)
    assert (output[0, :3, 23:41, 23:32] == 1).all()
    assert (output[0, :3, 16:48, 16] < 0.25 + 0.11).all()  # 0.5 px of 4.8 into the box
    assert (output[0, :3, :, 32:] == 0).all()


# Without faces


def test_without_faces_the_face_stage_passes_the_picture_through_and_says_so(
    tiny_target, tiny_body, tmp_path, log
):
    target = make_target(tmp_path, without(tiny_target.dancer, list(range(N_FRAMES)), ("face",)))
    face = train_tiny(target, tmp_path / "face" / "generator.safetensors", "face", tiny_body)
    assert "face: a face was found in only 0 pairs of training frames" in log()
    before, after = load_generator(tiny_body), load_generator(face)
    assert after.stage == "face"
    assert after.face_weights is None
    few = make_target(
        tmp_path / "few", without(tiny_target.dancer, list(range(5, N_FRAMES)), ("face",))
    )
    train_tiny(few, tmp_path / "face" / "generator.safetensors", "face", tiny_body)
    assert "found in only 4 pairs" in log()
    outputs = []
    for i, model in enumerate((tiny_body, face)):
        path = tmp_path / f"made{i}.zip"
        synthesize_frames(model, tiny_target.labels, tiny_target.keypoints, path, CPU)
        frames = FrameReader(path)
        outputs.append(np.stack([frames[i] for i in range(len(frames))]))
    assert np.array_equal(*outputs)
    assert vars(after).keys() == vars(before).keys()


def test_where_the_perceptual_weights_lie_does_not_matter_but_which_they_are_does(tiny_target):
    files = files_of(tiny_target, None, Path("g.pt"))
    plain = TrainingSettings(STAGE, NETWORK, SPLIT)
    keys = [
        replace(plain, training=TrainingConfig(vgg19=path, vgg19_sha256=sha, vgg19_input=way)).key(
            "body", files
        )
        for path, sha, way in (
            *(("a", "01", "reference"), ("b", "01", "reference"), ("a", "02", "reference")),
            *((None, "01", "imagenet"), (None, "02", "reference"), ("a", "01", "imagenet")),
        )
    ]
    assert keys[5] not in keys[:5]  # how images enter it
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == keys[4] == plain.key("body", files)
    assert plain.key("temporal", files) != plain.key("body", files)
    assert replace(plain, revision=2).key("body", files) != plain.key("body", files)


# Inputs of a rule


def test_spoilt_weights_are_never_kept(tiny_target):
    run = run_of(tiny_target, "body")
    for keep in (run.state, lambda: run.keep_if_best(1.0)):
        run._unseen = [(6, {"G/gan": torch.tensor(1.0)}), (7, {"G/gan": torch.tensor(torch.nan)})]
        with pytest.raises(ValueError, match="body: the loss term G/gan became nan at step 7"):
            keep()


def test_a_trained_body_gives_the_same_image_whatever_is_fed_back(tiny_target):
    run = run_of(tiny_target, "body", None)
    run.train_step(batch_of(tiny_target, 0), 4)
    generator = run.networks["generator"]
    label = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        zeros = generator(torch.cat([label, torch.zeros(1, 3, SIZE, SIZE)], dim=1))
        noise = generator(torch.cat([label, torch.randn(1, 3, SIZE, SIZE)], dim=1))
    assert torch.equal(zeros, noise)
