"""The temporal stage on two frames, the paper's pair, and on more."""

from dataclasses import replace

import pytest
import torch
from tiny import N_FRAMES, SIZE, run_of
from torch.utils.data import default_collate

from edn_core.checkpoint import core_network
from edn_core.config import TrainingConfig
from edn_core.dataset import FrameSequences
from edn_core.losses import feature_matching_loss, gan_loss, l1_loss
from edn_core.training import TrainingSettings


@pytest.fixture
def temporal(tiny_target, tiny_body):
    """The temporal stage before its first step, of a generator that uses what it is fed."""
    run = run_of(tiny_target, "temporal", tiny_body)
    with torch.no_grad():
        core_network(run.networks["generator"]).model[1].weight[:, 3:] = 0.1
    return run


def runs_of(target, length):
    sequences = FrameSequences(
        target.frames, target.labels, target.keypoints, range(N_FRAMES), length=length
    )
    return default_collate([sequences[i] for i in (2, 11)])


def test_two_frames_are_the_papers_pair(temporal, tiny_target):
    # The objective written out once more, as it stands in the paper (equation 1) and in pix2pixHD:
    # two passes of the discriminator, real and fake, of both labels and both images.
    batch, config = runs_of(tiny_target, 2), temporal.settings.stage
    generator, judge = (temporal.networks[name] for name in ("generator", "discriminator"))
    (x0, x1), (y0, y1) = batch["label"].unbind(1), batch["image"].unbind(1)
    g0 = generator(torch.cat([x0, torch.zeros_like(y0)], dim=1))
    g1 = generator(torch.cat([x1, g0], dim=1))
    score_real = judge(torch.cat([x0, x1, y0, y1], dim=1))
    score_fake = judge(torch.cat([x0, x1, g0, g1], dim=1))
    expected = {
        "gan": config.gan * gan_loss(score_fake, is_real=True),
        "feature_matching": config.feature_matching * feature_matching_loss(score_fake, score_real),
        "l1": config.l1 * (l1_loss(g0, y0) + l1_loss(g1, y1)),
        "real": gan_loss(score_real, is_real=True) / 2,
        "fake": gan_loss(score_fake, is_real=False) / 2,
    }
    sides = temporal.stage.losses(temporal.networks, batch, temporal.weighting)
    found = sides[0] | sides[1]
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("length", [3, 5])
def test_of_more_frames_the_terms_are_means_of_pairs_and_each_is_fed_the_one_before(
    temporal, tiny_target, length
):
    batch = runs_of(tiny_target, length)
    generator, judge = (temporal.networks[name] for name in ("generator", "discriminator"))
    labels, images = batch["label"].unbind(1), batch["image"].unbind(1)
    outputs, previous = [], torch.zeros_like(images[0])
    for label in labels:
        previous = generator(torch.cat([label, previous], dim=1))
        outputs.append(previous)
    pairs = [torch.cat([*labels[i : i + 2], *outputs[i : i + 2]], 1) for i in range(length - 1)]
    gan = [gan_loss(judge(pair), is_real=True) for pair in pairs]
    l1 = [l1_loss(output, image) for output, image in zip(outputs, images, strict=True)]
    terms, _ = temporal.stage.losses(temporal.networks, batch, temporal.weighting)
    torch.testing.assert_close(terms["gan"], torch.stack(gan).mean())
    torch.testing.assert_close(terms["l1"], 2 * 20 * torch.stack(l1).mean())


def test_the_last_of_five_frames_teaches_the_first(temporal, tiny_target):
    batch = runs_of(tiny_target, 5)
    fed = []
    generator = temporal.networks["generator"]
    generator.register_forward_hook(lambda module, inputs, output: fed.append((inputs[0], output)))
    temporal.stage.losses(temporal.networks, batch, temporal.weighting)
    assert len(fed) == 5
    (gradient,) = torch.autograd.grad(fed[-1][1].sum(), fed[0][1])
    assert gradient.abs().sum() > 0


def test_warm_up_frames_are_fed_on_but_not_learned_from(temporal, tiny_target):
    batch, fed, judged = runs_of(tiny_target, 4), [], []
    generator, judge = (temporal.networks[name] for name in ("generator", "discriminator"))
    generator.register_forward_hook(lambda module, inputs, output: fed.append((inputs[0], output)))
    judge.register_forward_hook(lambda module, inputs, output: judged.append(inputs[0]))
    warming = replace(temporal.weighting, warm_up_frames=2)
    terms, _ = temporal.stage.losses(temporal.networks, batch, warming)
    assert [output.requires_grad for _, output in fed] == [False, False, True, True]
    assert (fed[0][0][:, 3:] == 0).all()
    for i in range(3):
        assert torch.equal(fed[i + 1][0][:, 3:], fed[i][1])
    # Judged and compared are the last two frames alone.
    real, fake = torch.cat(judged).chunk(2)  # in one pass or in two
    assert real.shape == fake.shape == (2, 12, SIZE, SIZE)
    for pair in (real, fake):
        assert torch.equal(pair[:, :3], batch["label"][:, 2])
    expected = sum(l1_loss(fed[i][1], batch["image"][:, i]) for i in (2, 3))
    torch.testing.assert_close(terms["l1"], 20 * expected)


def test_a_run_is_as_long_as_what_is_unrolled_and_what_warms_up(temporal):
    training = TrainingConfig(unroll_frames=3, warm_up_frames=2)
    settings: TrainingSettings = replace(temporal.settings, training=training)
    assert settings.run_length(is_unrolled=True) == 5
    assert settings.run_length(is_unrolled=False) == 2
