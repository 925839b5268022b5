import pytest
import torch

from edn_core.losses import feature_matching_loss, gan_loss, l1_loss, perceptual_loss


def maps(*values: float) -> list[torch.Tensor]:
    """One scale: a constant map per value, the last one the patch score."""
    return [torch.full((1, 1, 2, 3), float(value)) for value in values]


def test_the_gan_loss_is_the_squared_distance_of_the_scores_summed_over_scales():
    features = [maps(9, 0.5), maps(9, 3)]
    assert gan_loss(features, is_real=True).item() == 0.25 + 4
    assert gan_loss(features, is_real=False).item() == 0.25 + 9


def test_scores_that_are_right_cost_nothing():
    assert gan_loss([maps(5, 1)], is_real=True).item() == 0
    assert gan_loss([maps(5, 0)], is_real=False).item() == 0


def test_feature_matching_with_four_layers_counts_each_once_and_averages_scales():
    fake = [maps(1, 2, 3, 4, 100), maps(0, 0, 0, 0, 100)]
    real = [maps(0, 0, 0, 0, 0), maps(0, 0, 0, 2, 0)]
    assert feature_matching_loss(fake, real).item() == ((1 + 2 + 3 + 4) + 2) / 2


def test_feature_matching_with_two_layers_counts_each_twice():
    assert feature_matching_loss([maps(1, 3, 0)], [maps(0, 0, 0)]).item() == 2 * (1 + 3)


def test_discriminators_of_different_scales_are_not_compared():
    with pytest.raises(ValueError, match="zip"):
        feature_matching_loss([maps(1, 2)], [maps(1, 2), maps(1, 2)])


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


def test_images_enter_the_perceptual_network_as_they_are():
    entered = []

    def layers(image: torch.Tensor) -> list[torch.Tensor]:
        entered.append(image)
        return [image] * 5

    fake, real = torch.full((1, 3, 2, 2), -1.0), torch.full((1, 3, 2, 2), 1.0)
    perceptual_loss(layers, fake, real)
    assert {image.mean().item() for image in entered} == {-1, 1}


def test_image_losses_pull_at_the_fake_only():
    for loss in (l1_loss, lambda fake, real: perceptual_loss(lambda x: [x] * 5, fake, real)):
        fake, real = torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
        fake.requires_grad_()
        real.requires_grad_()
        loss(fake, real).backward()
        assert fake.grad is not None
        assert real.grad is None


def test_l1_is_the_mean_absolute_difference():
    assert l1_loss(torch.tensor([1.0, -1.0]), torch.tensor([0.0, 1.0])).item() == 1.5
