import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import NETWORK, SPLIT, STAGE, files_of, pairs_of

from edn_core.config import TrainingConfig
from edn_core.losses import (
    PERCEPTUAL_WEIGHTS,
    feature_matching_loss,
    gan_loss,
    perceptual_loss,
    to_vgg19_input,
)
from edn_core.networks import Vgg19Features, initialize
from edn_core.training import TrainingSettings
from edn_core.training.body import BODY
from edn_core.training.run import Run
from edn_core.training.stage import Weighting

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
IMAGENET_DEVIATION = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def maps(*values: float) -> list[torch.Tensor]:
    """One scale: a constant map per value, the last one the patch score."""
    return [torch.full((1, 1, 2, 3), float(value)) for value in values]


def test_the_gan_loss_is_the_squared_distance_of_the_scores_summed_over_scales():
    features = [maps(9, 0.5), maps(9, 3)]
    assert gan_loss(features, is_real=True).item() == 0.25 + 4
    assert gan_loss(features, is_real=False).item() == 0.25 + 9


def test_feature_matching_with_four_layers_counts_each_once_and_averages_scales():
    fake = [maps(1, 2, 3, 4, 100), maps(0, 0, 0, 0, 100)]
    real = [maps(0, 0, 0, 0, 0), maps(0, 0, 0, 2, 0)]
    assert feature_matching_loss(fake, real).item() == ((1 + 2 + 3 + 4) + 2) / 2


def test_feature_matching_pulls_at_the_fake_only_and_leaves_the_score_alone():
    fake, real = maps(1, 1), maps(0, 0)
    for one in (*fake, *real):
        one.requires_grad_()
    feature_matching_loss([fake], [real]).backward()
    assert fake[0].grad is not None
    assert fake[1].grad is None
    assert real[0].grad is None


def test_the_perceptual_loss_weighs_its_five_layers():
    def layers(image: torch.Tensor) -> list[torch.Tensor]:
        return [image] * 5

    fake, real = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), -0.5)
    expected = 1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1
    assert perceptual_loss(layers, fake, real).item() == expected


def test_corrected_for_imagenet_its_mean_enters_as_zero_and_a_deviation_more_as_one():
    mean = 2 * IMAGENET_MEAN - 1
    brighter = 2 * (IMAGENET_MEAN + IMAGENET_DEVIATION) - 1
    for image, expected in ((mean, 0.0), (brighter, 1.0)):
        entered = to_vgg19_input(image.expand(2, 3, 4, 5), "imagenet")
        torch.testing.assert_close(entered, torch.full((2, 3, 4, 5), expected), atol=1e-6, rtol=0)


def test_the_stages_setting_decides_how_images_enter_vgg19():
    fake, real = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), -0.5)
    stage = replace(STAGE, perceptual=1.0)
    terms = [
        Weighting(stage, lambda image: [image] * 5, name).image_term(fake, real)["perceptual"]
        for name in ("reference", "imagenet")
    ]
    # A step of 1 in [-1, 1] is 0.5 in 0..1, and so many deviations.
    steps = (0.5 / IMAGENET_DEVIATION).mean().item()
    assert terms[1].item() == pytest.approx(terms[0].item() * steps, rel=1e-5)


def random_images(n: int, seed: int) -> torch.Tensor:
    seeded = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, 16, 32, generator=seeded, dtype=torch.float64) * 2 - 1


@pytest.fixture(scope="module")
def vgg() -> Vgg19Features:
    """VGG19 with weights at random, in double precision; each layer as loud as the one before."""
    network = Vgg19Features()
    initialize(network, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("weight"):
                weight *= (2 / weight[0].numel()) ** 0.5 / 0.02
    return network.double().eval().requires_grad_(False)


def in_one_graph(vgg: Vgg19Features, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """The perceptual loss from its formula: one pass over all images, the real ones included."""
    total = fake.new_zeros(())
    for weight, layer in zip(PERCEPTUAL_WEIGHTS, vgg(torch.cat([fake, real])), strict=True):
        of_fake, of_real = layer.split(len(fake))
        total = total + weight * (of_fake - of_real).abs().mean()
    return total


@pytest.mark.parametrize("vgg19_input", ["reference", "imagenet"])
def test_value_and_gradients_are_those_of_one_pass_over_all_images(vgg, vgg19_input):
    gradients, values = [], []
    for loss in (
        lambda fake, real: perceptual_loss(vgg, fake, real, vgg19_input),
        lambda fake, real: in_one_graph(
            vgg, to_vgg19_input(fake, vgg19_input), to_vgg19_input(real, vgg19_input)
        ),
    ):
        fake = random_images(2, seed=1).requires_grad_()
        value = loss(fake, random_images(2, seed=2))
        value.backward()
        gradients.append(fake.grad)
        values.append(value.detach())
    assert gradients[0].abs().min(dim=0).values.max() > 1e-6
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-15)


def test_a_training_hands_the_setting_on_to_its_loss(tiny_target, vgg, tmp_path):
    path = tmp_path / "vgg19.pth"
    torch.save(vgg.state_dict(), path)
    with open(path, "rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    files = files_of(tiny_target, None, Path("g.pt"))
    settings = TrainingSettings(
        STAGE,
        NETWORK,
        SPLIT,
        training=TrainingConfig(vgg19=str(path), vgg19_sha256=sha256, vgg19_input="imagenet"),
    )
    run = Run(BODY, files, settings, None, pairs_of(tiny_target), torch.device("cpu"))
    path.unlink()
    assert run.weighting.vgg is not None
    assert run.weighting.vgg19_input == "imagenet"
