"""LPIPS: our AlexNet, the published heads, and the published arithmetic."""

import hashlib
import math

import numpy as np
import pytest
import torch
from torch import nn

from edn_core.evaluate.compare import lpips_of
from edn_core.networks.alexnet import AlexNetFeatures, Lpips, read_heads, read_lpips


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory):
    """A file of the shape of torchvision's, with a classifier, and its SHA-256."""
    torch.manual_seed(0)
    weights = dict(AlexNetFeatures().state_dict())
    weights["classifier.1.weight"] = torch.zeros(4, 4)
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    torch.save(weights, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def lpips(weight_file):
    return read_lpips(*weight_file)


def noise(seed, size=(48, 64)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_the_layers_are_those_of_torchvisions_file():
    shapes = {name: tuple(one.shape) for name, one in AlexNetFeatures().state_dict().items()}
    assert shapes["features.0.weight"] == (64, 3, 11, 11)
    assert shapes["features.3.weight"] == (192, 64, 5, 5)
    assert shapes["features.6.weight"] == (384, 192, 3, 3)
    assert shapes["features.8.weight"] == (256, 384, 3, 3)
    assert shapes["features.10.weight"] == (256, 256, 3, 3)
    assert len(shapes) == 10
    # A picture of 224 px: 55, 27 and 13 px, as in the publication.
    sides = [one.shape[-1] for one in AlexNetFeatures()(torch.zeros(1, 3, 224, 224))]
    assert sides == [55, 27, 13, 13, 13]


def test_the_map_says_where_two_pictures_differ(lpips):
    changed = noise(0, (64, 256))
    changed[:, 200:] = noise(1, (64, 56))
    _, (places,) = lpips_of(lpips, [noise(0, (64, 256))], changed)
    assert places[:, 200:].mean() > 10 * places[:, :64].mean()


def test_two_channels_make_a_number_one_can_do_by_hand():
    # Channel 0 is the red of a pixel, channel 1 is always 1; the first head takes both.
    lpips = Lpips().requires_grad_(False)
    for weight in lpips.parameters():
        weight.zero_()
    first = lpips.network.features[0]
    first.weight[0, 0, 5, 5] = 1
    first.bias[1] = 1
    lpips.heads[0].weight.fill_(1)
    red, black = np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 255
    # Red is (1 + 0.030) / 0.458 after scaling, black below 0 and cut off by the ReLU: unit vectors
    # (r, 1) / |r, 1| and (0, 1), whose squared distance is 2 - 2 cos.
    r = 1.030 / 0.458
    expected = 2 - 2 / math.hypot(r, 1)
    values, places = lpips_of(lpips, [red, black], black)
    assert values == pytest.approx([expected, 0], rel=1e-5)
    np.testing.assert_allclose(places[0], expected, rtol=1e-5)


def test_it_is_the_published_measure(lpips):
    from torchmetrics.functional.image import lpips as published

    # The package's own class, with our features where it would ask for torchvision's.
    theirs = published._LPIPS.__new__(published._LPIPS)
    nn.Module.__init__(theirs)
    theirs.scaling_layer, theirs.net = published.ScalingLayer(), lpips.network
    theirs.spatial, theirs.resize, theirs.L = False, None, 5
    theirs.lins = nn.ModuleList(
        published.NetLinLayer(head.in_channels, use_dropout=True) for head in lpips.heads
    )
    for line, head in zip(theirs.lins, read_heads(), strict=True):
        line.model[1].load_state_dict({"weight": head})
    theirs.eval()
    first, second = (
        torch.from_numpy(noise(seed)).permute(2, 0, 1)[None].float() / 127.5 - 1 for seed in (0, 1)
    )
    with torch.inference_mode():
        expected = float(theirs(first, second))
    assert lpips_of(lpips, [noise(0)], noise(1))[0][0] == pytest.approx(expected, rel=1e-5)


def test_a_file_with_another_checksum_and_one_that_is_missing_are_refused(weight_file, tmp_path):
    path, found = weight_file
    with pytest.raises(ValueError, match=f"begins {found[:8]}, expected 7be5be79.*alexnet_sha256"):
        read_lpips(path, "7be5be79")
    with pytest.raises(ValueError, match="nowhere.*evaluation.alexnet"):
        read_lpips(tmp_path / "nowhere", "7be5be79")
