"""OpenPose's networks: keys, shapes, what reads what, and the weight files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_openpose import narrow
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, prelu, relu

from edn_core.pose.openpose_networks import (
    PoseNetwork,
    body_25,
    coco_18,
    face,
    flat_key,
    hand,
    load_network,
)

MANIFEST = json.loads((Path(__file__).parent / "fixtures" / "openpose_manifest.json").read_text())
PUBLISHED = {
    "body_coco18": (coco_18, 52_311_446),
    "body25_beingjoey": (body_25, 26_166_084),
    "hand21": (hand, 36_832_324),
    "face70_controlnet_aux": (face, 38_425_706),
}
Weights = dict[str, Tensor]


def all_maps(network: PoseNetwork, x: Tensor) -> list[Tensor]:
    heatmaps, pafs = network(x)
    return [*heatmaps, *pafs]


def save(path: Path, weights: Weights) -> Path:
    torch.save(weights, path)
    return path


@pytest.mark.parametrize("section", PUBLISHED)
def test_keys_shapes_and_parameter_counts_are_those_of_the_public_files(section):
    describe, n_parameters = PUBLISHED[section]
    shapes = {flat_key(key): shape for key, shape in MANIFEST[section].items()}
    widths = {key.removesuffix(".weight"): shape[0] for key, shape in shapes.items()}
    with torch.device("meta"):
        network = PoseNetwork(describe(), widths)
    found = {flat_key(key): list(value.shape) for key, value in network.state_dict().items()}
    assert found == shapes
    assert sum(one.numel() for one in network.parameters()) == n_parameters


# What reads what: the same sums written down once more, layer by layer


def plain_convolution(weights: Weights, name: str, x: Tensor) -> Tensor:
    weight = weights[f"{name}.weight"]
    return conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)


def plain_features(weights: Weights, x: Tensor, names: str) -> Tensor:
    for name in names.split():
        x = relu(plain_convolution(weights, name, x))
        if name in ("conv1_2", "conv2_2", "conv3_4"):
            x = max_pool2d(x, 2, 2)
    return x


def plain_chain(weights: Weights, names: list[str], x: Tensor) -> Tensor:
    for name in names[:-1]:
        x = relu(plain_convolution(weights, name, x))
    return plain_convolution(weights, names[-1], x)


VGG = "conv1_1 conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv3_4 conv4_1 conv4_2"


def plain_coco_18(weights: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    features = plain_features(weights, x, f"{VGG} conv4_3_CPM conv4_4_CPM")
    pafs, heatmaps = (
        plain_chain(weights, [f"conv5_{n}_CPM_L{branch}" for n in range(1, 6)], features)
        for branch in (1, 2)
    )
    for stage in range(2, 7):
        x = torch.cat([pafs, heatmaps, features], dim=1)
        pafs, heatmaps = (
            plain_chain(weights, [f"Mconv{n}_stage{stage}_L{branch}" for n in range(1, 8)], x)
            for branch in (1, 2)
        )
    return heatmaps, pafs


def plain_body_25(weights: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    x = plain_features(weights, x, VGG.removesuffix(" conv4_2"))

    def with_prelu(name: str, x: Tensor) -> Tensor:
        slope = weights[f"{name.replace('conv', 'prelu')}.weight"]
        return prelu(plain_convolution(weights, name, x), slope)

    for name in ("conv4_2", "conv4_3_CPM", "conv4_4_CPM"):
        x = with_prelu(name, x)

    def stage(suffix: str, x: Tensor) -> Tensor:
        for block in range(1, 6):
            first = with_prelu(f"Mconv{block}_{suffix}_0", x)
            second = with_prelu(f"Mconv{block}_{suffix}_1", first)
            third = with_prelu(f"Mconv{block}_{suffix}_2", second)
            x = torch.cat([first, second, third], dim=1)
        return plain_convolution(weights, f"Mconv7_{suffix}", with_prelu(f"Mconv6_{suffix}", x))

    features = x
    pafs = stage("stage0_L2", features)
    for number in (1, 2, 3):
        pafs = stage(f"stage{number}_L2", torch.cat([features, pafs], dim=1))
    heatmaps = stage("stage0_L1", torch.cat([features, pafs], dim=1))
    heatmaps = stage("stage1_L1", torch.cat([features, heatmaps, pafs], dim=1))
    return heatmaps, pafs


@torch.no_grad()
@pytest.mark.parametrize(
    ("describe", "plain"), [(coco_18, plain_coco_18), (body_25, plain_body_25)]
)
def test_each_layer_reads_what_it_has_to_read(describe, plain: Callable):
    network = narrow(describe())
    weights = {flat_key(key): value for key, value in network.state_dict().items()}
    # Loud enough that no layer is negligible.
    for key, value in weights.items():
        if "conv" in key and key.endswith("weight"):
            torch.nn.init.kaiming_normal_(value)
        elif "prelu" in key:
            value.uniform_(0.1, 0.9)
    x = torch.rand(2, 3, 32, 40) - 0.5
    (*_, heatmaps), pafs = network(x)
    expected_heatmaps, expected_pafs = plain(weights, x)
    torch.testing.assert_close(heatmaps, expected_heatmaps)
    assert heatmaps.std() > 1e-3
    torch.testing.assert_close(pafs[-1], expected_pafs)


# Weight files


@torch.no_grad()
@pytest.mark.parametrize(
    ("architecture", "folder"),
    [(coco_18(), ""), (coco_18(1), "model0."), (body_25(), "models.Mconv1_stage0_L2.0."),
     (body_25(1, 1), ""), (hand(), "model0."), (face(1), "")],
    ids=lambda one: getattr(one, "name", one),
)  # fmt: skip
def test_a_file_says_by_its_keys_and_shapes_which_network_it_holds(tmp_path, architecture, folder):
    network = narrow(architecture)
    weights = {folder + flat_key(key): value for key, value in network.state_dict().items()}
    loaded = load_network(save(tmp_path / "some.pth", weights))
    assert loaded.architecture == architecture
    x = torch.rand(1, 3, 16, 24)
    for found, expected in zip(all_maps(loaded, x), all_maps(network, x), strict=True):
        torch.testing.assert_close(found, expected)
    assert not loaded.training
    assert not any(one.requires_grad for one in loaded.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Mconv3_stage4_L2.bias": None}, r"COCO-18.*Mconv3_stage4_L2\.bias is missing"),
        # 38 PAFs, 19 heatmaps and 3 features come in.
        (
            {"Mconv1_stage2_L1.weight": torch.zeros(3, 59, 7, 7)},
            r"Mconv1_stage2_L1\.weight has shape \(3, 59, 7, 7\), expected \(3, 60, 7, 7\)",
        ),
        (
            {"Mconv7_stage6_L2.weight": torch.zeros(16, 3, 1, 1)},
            r"Mconv7_stage6_L2\.weight has shape \(16, 3, 1, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, message):
    weights = {flat_key(key): value for key, value in narrow(coco_18()).state_dict().items()}
    weights = {key: value for key, value in (weights | changes).items() if value is not None}
    with pytest.raises(ValueError, match=rf"body\.pth.*{message}"):
        load_network(save(tmp_path / "body.pth", weights))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, r"holds none of OpenPose's.*0\.weight"),
        *((torch.zeros(3), "not readable"), (b"PK\3\4", "not readable")),
    ],
    ids=str,
)
def test_another_file_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "other.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=rf"other\.pth: {message}") as error:
        load_network(path)
    assert "\n" not in str(error.value)


class Evil:
    """What it becomes when unpickled: a call of print."""

    def __reduce__(self):
        return print, ("code of a stranger ran",)


def test_no_code_in_a_file_is_run(tmp_path, capsys):
    path = save(tmp_path / "evil.pth", {"conv1_1.weight": Evil()})
    with pytest.raises(ValueError, match=r"evil\.pth: not readable"):
        load_network(path)
    assert "stranger" not in capsys.readouterr().out
