"""The networks against pix2pixHD's and EDN's own outputs, keys and shapes.

Two cases and the keys of the published sizes lie in tests/fixtures; the larger cases are read
from ../shared/golden where that folder stands beside the repository.
"""

import json
import re
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edn_core.losses import feature_matching_loss, gan_loss
from edn_core.networks import (
    FaceDiscriminator,
    Features,
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
)

FIXTURES = Path(__file__).parent / "fixtures"
GOLDEN = Path(__file__).parents[2] / "shared" / "golden"
MANIFEST = json.loads((FIXTURES / "pix2pixhd_manifest.json").read_text())["models"]
TOLERANCE = 1e-5
Item = TypeVar("Item")
THREE_SCALES = "multid_ndf8_layers3_numD3_in12"

needs_golden = pytest.mark.skipif(
    not (GOLDEN / "pix2pixhd_forward.npz").exists(),
    reason="the larger golden cases lie in ../shared/golden, which is not here",
)


def small_case(tag: str) -> dict[str, Tensor]:
    """A case of the repository: name below the tag -> tensor."""
    found: dict[str, Tensor] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = torch.from_numpy(np.array(item[()]))

    with h5py.File(FIXTURES / "pix2pixhd_forward.h5") as store:
        store[tag].visititems(visit)
    return found


def large_case(tag: str) -> dict[str, Tensor]:
    """A case of ../shared/golden: name below the tag -> tensor."""
    with np.load(GOLDEN / "pix2pixhd_forward.npz") as store:
        return {
            name.removeprefix(f"{tag}/"): torch.from_numpy(np.array(store[name]))
            for name in store.files
            if name.startswith(f"{tag}/")
        }


def weights(case: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("w/"): value for name, value in case.items() if name.startswith("w/")}


def renamed(state_dict: dict[str, Item]) -> dict[str, Item]:
    """Keys of a discriminator without features (layer0.5.bias) as those of one with them."""
    layer_of = {"0": 0, "2": 1, "5": 2, "8": 3, "11": 4}
    return {
        re.sub(
            r"^layer(\d+)\.(\d+)\.",
            lambda found: f"scale{found[1]}_layer{layer_of[found[2]]}.0.",
            name,
        ): value
        for name, value in state_dict.items()
    }


def assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def check_generator(case: dict[str, Tensor], in_channels: int, downsamplings: int) -> None:
    network = GlobalGenerator(in_channels, 3, 8, downsamplings, residual_blocks=2)
    network.load_state_dict(weights(case))
    assert_near(network(case["in0"]), case["out"])


def test_the_generator_paints_what_pix2pixhds_paints():
    check_generator(small_case("global_ngf8_down2_blocks2_in6"), 6, 2)


@needs_golden
@pytest.mark.parametrize(("in_channels", "downsamplings"), [(6, 2), (3, 3)])
def test_generators_of_two_depths_paint_what_pix2pixhds_paint(in_channels, downsamplings):
    tag = f"global_ngf8_down{downsamplings}_blocks2_in{in_channels}"
    check_generator(large_case(tag), in_channels, downsamplings)


@needs_golden
@torch.no_grad()
def test_the_local_enhancer_paints_what_pix2pixhds_paints():
    case = large_case("local_ngf8_down2_blocks2_enh1_blocks2_in6")
    network = LocalEnhancer(6, 3, 8, 2, residual_blocks=2, local_residual_blocks=2)
    network.load_state_dict(weights(case))
    assert list(network.state_dict()) == list(weights(case))
    assert_near(network(case["in0"]), case["out"])


@torch.no_grad()
def test_the_coarsest_scale_scores_what_pix2pixhds_scores():
    case = small_case("multid_ndf8_layers3_numD2_nofeat_in6")
    network = MultiscaleDiscriminator(6, 8, layers=3, scales=2)
    unexpected = network.load_state_dict(renamed(weights(case)), strict=False).unexpected_keys
    assert not unexpected
    assert_near(network(case["in0"])[1][-1], case["out/1/0"])


@needs_golden
@torch.no_grad()
def test_a_discriminator_published_without_features_fits_under_other_keys():
    case = large_case("multid_ndf8_layers3_numD2_nofeat_in6")
    network = MultiscaleDiscriminator(6, 8, layers=3, scales=2)
    network.load_state_dict(renamed(weights(case)))
    features = network(case["in0"])
    for scale in range(2):
        assert_near(features[scale][-1], case[f"out/{scale}/0"])
    assert_near(gan_loss(features, is_real=True), case["ganloss_true"])
    assert_near(gan_loss(features, is_real=False), case["ganloss_false"])


@torch.no_grad()
def three_scales() -> tuple[dict[str, Tensor], Features, Features]:
    case = large_case(THREE_SCALES)
    network = MultiscaleDiscriminator(12, 8, layers=3, scales=3)
    network.load_state_dict(weights(case))
    return case, network(case["in0"]), network(case["in_real"])


@needs_golden
def test_scores_and_losses_of_three_scales_are_pix2pixhds():
    case, fake, real = three_scales()
    for scale in range(3):
        assert_near(fake[scale][-1], case[f"out/{scale}/4"])
    assert_near(gan_loss(fake, is_real=True), case["ganloss_true"])
    assert_near(gan_loss(fake, is_real=False), case["ganloss_false"])
    assert_near(10 * feature_matching_loss(fake, real), case["feat_match_lambda10"])


@needs_golden
def test_all_features_of_three_scales_are_pix2pixhds():
    case, fake, _ = three_scales()
    assert [len(maps) for maps in fake] == [5, 5, 5]
    for scale, maps in enumerate(fake):
        for layer, found in enumerate(maps):
            # Instance norm over few pixels multiplies the rounding of other kernels by 250.
            torch.testing.assert_close(found, case[f"out/{scale}/{layer}"], atol=3e-5, rtol=0)


@needs_golden
@torch.no_grad()
def test_the_face_discriminator_scores_what_edns_scores():
    case = large_case("faceD_ndf8_layers3_bn_in6")
    network = FaceDiscriminator(6, 8)
    network.load_state_dict(weights(case))
    network.eval()
    assert_near(network(case["in0"])[0][0], case["out_eval"])
    network.train()
    score = network(case["in0"])
    assert_near(score[0][0], case["out_train"])
    assert_near(gan_loss(score, is_real=True), case["ganloss_true_train"])


def published(name: str) -> nn.Module:
    """The network of the published size that a name of the manifest describes."""
    number = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", name)}
    if name.endswith("EDN face generator"):
        return GlobalGenerator(number["in"], 3, number["ngf"], number["down"], number["blocks"])
    if name.startswith("GlobalGenerator"):
        return GlobalGenerator(
            number["in"], number["out"], number["ngf"], number["down"], number["blocks"]
        )
    if name.startswith("LocalEnhancer"):
        return LocalEnhancer(
            *(number[size] for size in ("in", "out", "ngf", "down_global", "blocks_global")),
            local_residual_blocks=number["blocks_local"],
        )
    if name.startswith("MultiscaleDiscriminator"):
        return MultiscaleDiscriminator(
            number["in"], number["ndf"], number["n_layers"], number["num_D"]
        )
    return FaceDiscriminator(number["in"], number["ndf"], number["n_layers"])


def check_published(name: str, expected: dict) -> None:
    with torch.device("meta"):
        network = published(name)
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    wanted = expected["state_dict"]
    if "getIntermFeat=False" in name:
        wanted = renamed(wanted)
    assert shapes == wanted
    assert list(shapes) == list(wanted)
    assert sum(one.numel() for one in network.parameters()) == expected["params"]


@pytest.mark.parametrize("name", MANIFEST)
def test_keys_shapes_and_parameter_counts_are_those_of_published_checkpoints(name):
    check_published(name, MANIFEST[name])


@needs_golden
def test_every_published_size_of_our_networks_has_the_same_keys_and_shapes():
    models = json.loads((GOLDEN / "pix2pixhd_manifest.json").read_text())["models"]
    ours = ("GlobalGenerator", "LocalEnhancer", "MultiscaleDiscriminator", "EDN_faceD")
    names = [name for name in models if name.startswith(ours)]
    assert len(names) == 15  # of 17: the method uses neither the U-Net nor the encoder
    for name in names:
        check_published(name, models[name])
