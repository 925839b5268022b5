"""pix2pixHD's local enhancer, and what it and its discriminator take over from a coarse stage.

A coarse generator of one downsampling and one residual block has six convolutions, so twelve
tensors; the coarse part of an enhancer lacks the last one. An enhancer of one residual block has
two convolutions down and four up.
"""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from edn_core.networks import (
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
    PlatedGenerator,
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


def local_enhancer(channels: int = 4, out_channels: int = 3, enhancers: int = 1) -> LocalEnhancer:
    network = LocalEnhancer(6, out_channels, channels, 1, 1, enhancers, local_residual_blocks=1)
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


@torch.no_grad()
def test_a_second_enhancer_paints_on_the_first_at_twice_the_size():
    network, x = local_enhancer(channels=2, enhancers=2), random(1, 6, 16, 24)
    part = dict(network.named_children())
    half = halved(x)
    first = part["model1_2"](part["model1_1"](half) + part["model"](halved(half)))
    assert first.shape == (1, 4, 8, 12)
    torch.testing.assert_close(network(x), part["model2_2"](part["model2_1"](x) + first))


def test_every_weight_learns():
    network = local_enhancer(channels=2, enhancers=2)
    network(random(1, 6, 16, 16)).square().sum().backward()
    still = [
        name
        for name, weight in network.named_parameters()
        if name.endswith("weight") and not weight.grad.abs().max() > 0
    ]
    assert still == []


def test_an_enhancer_without_enhancers_is_refused():
    with pytest.raises(ValueError, match="given 0 enhancers, expected at least 1"):
        local_enhancer(enhancers=0)


@pytest.mark.parametrize(
    ("height", "width", "fitting"),
    [
        (270, 480, "256 x 480 or 288 x 480"),
        (480, 270, "480 x 256 or 480 x 288"),
        (500, 1000, "480 x 992 or 512 x 1024"),
        (32, 100, "64 x 96 or 64 x 128"),
        (33, 63, "64 x 64"),
    ],
)
def test_a_canvas_that_does_not_fit_is_named_with_those_that_would(height, width, fitting):
    network = LocalEnhancer(6, 3, 1, downsamplings=4, residual_blocks=1)
    message = (
        rf"given {height} x {width} \(H x W\); both must be multiples of 32 and at least 64: "
        rf"choose a canvas of {fitting}, or fewer network\.downsamplings"
    )
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(1, 6, height, width))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 48), width=st.integers(1, 48), enhancers=st.integers(1, 2))
def test_every_canvas_is_painted_or_given_others_that_are(height, width, enhancers):
    network = LocalEnhancer(6, 3, 1, 1, 1, enhancers, local_residual_blocks=1)
    sizes = [(height, width)]
    try:
        network(torch.zeros(1, 6, height, width))
    except ValueError as error:
        named = str(error).split("a canvas of ")[1]
        sizes = [(int(one), int(other)) for one, other in re.findall(r"(\d+) x (\d+)", named)]
        assert sizes and (height, width) not in sizes
    for size in sizes:
        assert network(torch.zeros(1, 6, *size)).shape == (1, 3, *size)


@torch.no_grad()
def test_an_enhancer_paints_over_a_plate():
    network, x = local_enhancer(out_channels=4), random(2, 6, 16, 24)
    painted = network(x)
    plate, seen = random(3, 16, 24, seed=3), torch.zeros(1, 16, 24)
    seen[:, :, :12] = 1
    plated = PlatedGenerator(network, plate, seen)
    image = plated(x)
    mask = (painted[:, 3:] + 1) / 2
    mixed = mask * painted[:, :3] + (1 - mask) * plate
    torch.testing.assert_close(image[..., :12], mixed[..., :12])
    assert torch.equal(image[..., 12:], painted[:, :3, :, 12:])
    assert (image[..., :12] - painted[:, :3, :, :12]).abs().max() > 0.1


def test_the_mask_of_an_enhancer_is_learnt_and_the_plate_is_no_weight():
    network = local_enhancer(out_channels=4)
    plated = PlatedGenerator(network, random(3, 16, 16, seed=3), torch.ones(1, 16, 16))
    plated(random(1, 6, 16, 16)).sum().backward()
    last = network.get_parameter("model1_2.5.weight")
    assert (last.grad.abs().amax(dim=(1, 2, 3)) > 0).tolist() == [True] * 4
    own = [name.removeprefix("network.") for name, _ in plated.named_parameters()]
    assert own == list(network.state_dict())


@pytest.mark.parametrize("out_channels", [3, 4])
def test_all_of_the_coarse_generator_but_its_last_convolution_is_carried_over(out_channels):
    coarse = coarse_generator(out_channels=out_channels)
    network = local_enhancer(out_channels=out_channels)
    before = copies(network)
    done = enhance_from(network, coarse.state_dict())
    assert str(done) == (
        "10 of 22 tensors carried over, 12 new ones as initialized, 2 given ones unused"
    )
    assert {name.split(".")[0] for name in done.carried} == {"model"}
    assert done.discarded == ("model.12.weight", "model.12.bias")
    assert unchanged(network, before) == set(done.kept)
    assert {name.split(".")[0] for name in done.kept} == {"model1_1", "model1_2"}
    x = random(1, 6, 16, 16)
    assert torch.equal(network.model(x), coarse.model[:-3](x))


def test_the_coarse_generator_itself_stays_as_it_was():
    coarse, network = coarse_generator(), local_enhancer()
    before = copies(coarse)
    enhance_from(network, coarse.state_dict())
    with torch.no_grad():
        network.model[1].weight.zero_()
    assert unchanged(coarse, before) == set(before)


def test_of_the_published_sizes_54_of_74_tensors_are_carried_over():
    with torch.device("meta"):
        coarse = GlobalGenerator(6, 3, 64, downsamplings=4, residual_blocks=9)
        network = LocalEnhancer(6, 3, 32, downsamplings=4, residual_blocks=9)
    done = enhance_from(network, coarse.state_dict())
    assert (len(done.carried), len(done.kept)) == (54, 20)
    assert done.discarded == ("model.38.weight", "model.38.bias")


def test_one_enhancer_goes_on_in_two():
    one, two = local_enhancer(channels=4), local_enhancer(channels=2, enhancers=2)
    done = enhance_from(two, one.state_dict())
    assert len(done.carried) == 10 + 4 + 6  # the first enhancer's last convolution painted
    assert {name.split(".")[0] for name in done.kept} == {"model2_1", "model2_2"}
    x = random(1, 6, 16, 16)
    assert torch.equal(two.get_submodule("model1_1")(x), one.get_submodule("model1_1")(x))


def test_statistics_in_old_checkpoints_are_left_out():
    weights = coarse_generator().state_dict() | {"model.2.running_mean": torch.zeros(8)}
    done = enhance_from(local_enhancer(), weights)
    assert len(done.carried) == 10
    assert done.discarded[-1] == "model.2.running_mean"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"channels": 4}, r"model\.1\.weight have shape \(4, 6, 7, 7\), expected \(8, 6, 7, 7\)"),
        ({"downsamplings": 2}, r"model\.7\.conv_block\.1\.weight are missing, expected \(16, 16,"),
        ({"residual_blocks": 2}, r"model\.8\.weight are missing, expected \(16, 8, 3, 3\)"),
    ],
)
def test_a_coarse_generator_of_other_sizes_is_refused_and_nothing_changes(sizes, message):
    network = local_enhancer()
    before = copies(network)
    with pytest.raises(ValueError, match=f"coarse generator weights {message}.*2 times"):
        enhance_from(network, coarse_generator(**sizes).state_dict())
    assert unchanged(network, before) == set(before)


@torch.no_grad()
def test_two_scales_go_on_as_the_coarser_two_of_three():
    two, three = multiscale(2), multiscale(3)
    before = copies(three)
    done = extend_from(three, two.state_dict())
    assert str(done) == (
        "20 of 30 tensors carried over, 10 new ones as initialized, 0 given ones unused"
    )
    assert unchanged(three, before) == set(done.kept)
    assert {name.split("_")[0] for name in done.kept} == {"scale2"}
    image = random(1, 6, 32, 32)
    for one, other in zip(two(halved(image)), three(image)[1:], strict=True):
        assert torch.equal(one[-1], other[-1])


@pytest.mark.parametrize(
    ("given_weights", "message"),
    [
        (multiscale(2, in_channels=12), r"have shape \(4, 12, 4, 4\), expected \(4, 6, 4, 4\)"),
        (multiscale(2, layers=2), r"scale0_layer3\.0\.weight have shape \(1, 16,"),
        (multiscale(4), r"scale3_layer0\.0\.weight have shape .* expected none of that name"),
        (nn.Sequential(), r"scale0_layer0\.0\.weight are missing"),
    ],
)
def test_a_discriminator_that_does_not_fit_is_refused_and_nothing_changes(given_weights, message):
    three = multiscale(3)
    before = copies(three)
    with pytest.raises(ValueError, match=f"discriminator weights .*{message}"):
        extend_from(three, given_weights.state_dict())
    assert unchanged(three, before) == set(before)
