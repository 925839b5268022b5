"""pix2pixHD's local enhancer, and what it and its discriminator take over from a coarse stage.

A coarse generator of one downsampling and one residual block has six convolutions, so twelve
tensors; the coarse part of an enhancer lacks the last one. An enhancer of one residual block has
two convolutions down and four up.
"""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edn_core.networks import (
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
    enhance_from,
    extend_from,
    initialize,
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=seeded(seed)) * 2 - 1


def coarse_generator(
    channels: int = 8, out_channels: int = 3, downsamplings: int = 1, residual_blocks: int = 1
) -> GlobalGenerator:
    network = GlobalGenerator(6, out_channels, channels, downsamplings, residual_blocks)
    initialize(network, seeded(1))
    return network


def local_enhancer(channels: int = 4, out_channels: int = 3) -> LocalEnhancer:
    network = LocalEnhancer(6, out_channels, channels, 1, 1, local_residual_blocks=1)
    initialize(network, seeded(2))
    return network


def multiscale(scales: int, in_channels: int = 6, layers: int = 3) -> MultiscaleDiscriminator:
    network = MultiscaleDiscriminator(in_channels, 4, layers, scales)
    initialize(network, seeded(scales))
    return network


def copies(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def unchanged(network: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """Names of the tensors that are still what they were."""
    return {
        name for name, value in network.state_dict().items() if torch.equal(value, before[name])
    }


def halved(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def painted_by_hand(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """What an enhancer with the sizes above paints, convolution after convolution."""

    def settled(x: Tensor) -> Tensor:
        return F.relu(F.instance_norm(x))

    def convolved(name: str, x: Tensor, mirrored: int = 0, **options: int) -> Tensor:
        x = F.pad(x, [mirrored] * 4, mode="reflect")
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)

    def enlarged(name: str, x: Tensor) -> Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)

    def residual(name: str, x: Tensor) -> Tensor:
        inner = settled(convolved(f"{name}.conv_block.1", x, mirrored=1))
        return x + F.instance_norm(convolved(f"{name}.conv_block.5", inner, mirrored=1))

    coarse = settled(convolved("model.1", halved(x), mirrored=3))
    coarse = settled(convolved("model.4", coarse, stride=2, padding=1))
    coarse = settled(enlarged("model.8", residual("model.7", coarse)))
    fine = settled(convolved("model1_1.1", x, mirrored=3))
    fine = settled(convolved("model1_1.4", fine, stride=2, padding=1))
    both = settled(enlarged("model1_2.1", residual("model1_2.0", fine + coarse)))
    return torch.tanh(convolved("model1_2.5", both, mirrored=3))


@torch.no_grad()
def test_it_paints_what_its_weights_give_by_hand():
    network, x = local_enhancer(), random(2, 6, 16, 24)
    image = network(x)
    assert image.shape == (2, 3, 16, 24)
    assert image.std() > 0.01
    torch.testing.assert_close(image, painted_by_hand(network.state_dict(), x), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("height", "width", "fitting"),
    [
        (32, 100, "64 x 96 or 64 x 128"),
        (33, 63, "64 x 64"),
    ],
)
def test_a_window_that_does_not_fit_is_named_with_those_that_would(height, width, fitting):
    network = LocalEnhancer(6, 3, 1, downsamplings=4, residual_blocks=1)
    message = (
        rf"{height} x {width} \(H x W\) cannot be halved 5 times: both must be multiples of 32 "
        rf"and at least 64; choose {fitting}, or fewer network\.downsamplings"
    )
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(1, 6, height, width))


@pytest.mark.parametrize("out_channels", [3, 4])
def test_all_of_the_coarse_generator_but_its_last_convolution_is_carried_over(out_channels):
    coarse = coarse_generator(out_channels=out_channels)
    network = local_enhancer(out_channels=out_channels)
    before = copies(network)
    done = enhance_from(network, coarse.state_dict())
    assert done == "10 of 22 tensors carried over, 12 new ones as initialized, 2 given ones unused"
    kept = {name.split(".")[0] for name in unchanged(network, before)}
    assert kept == {"model1_1", "model1_2"}
    x = random(1, 6, 16, 16)
    assert torch.equal(network.model(x), coarse.model[:-3](x))


@torch.no_grad()
def test_two_scales_go_on_as_the_coarser_two_of_three():
    two, three = multiscale(2), multiscale(3)
    before = copies(three)
    done = extend_from(three, two.state_dict())
    assert done == "20 of 30 tensors carried over, 10 new ones as initialized, 0 given ones unused"
    assert {name.split("_")[0] for name in unchanged(three, before)} == {"scale2"}
    image = random(1, 6, 32, 32)
    for one, other in zip(two(halved(image)), three(image)[1:], strict=True):
        assert torch.equal(one[-1], other[-1])


@pytest.mark.parametrize(
    ("given_weights", "message"),
    [
        (multiscale(2, in_channels=12), r"have shape \(4, 12, 4, 4\), expected \(4, 6, 4, 4\)"),
        (multiscale(4), r"scale3_layer0\.0\.weight have shape .* expected none of that name"),
    ],
)
def test_a_discriminator_that_does_not_fit_is_refused_and_nothing_changes(given_weights, message):
    three = multiscale(3)
    before = copies(three)
    with pytest.raises(ValueError, match=f"discriminator weights .*{message}"):
        extend_from(three, given_weights.state_dict())
    assert unchanged(three, before) == set(before)
