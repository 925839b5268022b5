"""Published checkpoints into our files and back, against the weights and outputs of pix2pixHD."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_golden_networks import GOLDEN, MANIFEST, large_case, needs_golden, small_case, weights
from tiny import LABEL_CONFIG, NETWORK, SIZE, train_tiny
from torch import Tensor

from edn_core.checkpoint import (
    TrainedGenerator,
    load_discriminator,
    load_generator,
    save_discriminator,
    save_generator,
)
from edn_core.config import LabelConfig, NetworkConfig
from edn_core.dataset import label_to_tensor
from edn_core.frames import FrameReader
from edn_core.networks import (
    GlobalGenerator,
    LocalEnhancer,
    discriminator,
    face_discriminator,
    face_generator,
    generator,
    initialize,
)
from edn_core.published import (
    export_discriminator,
    export_generator,
    import_generator,
    read_published_discriminator,
    read_published_generator,
)
from edn_core.published.state_dicts import as_discriminator, as_generator
from edn_core.skeleton import BODY_25
from edn_core.synthesize import synthesize_frames

SMALL = "global_ngf8_down2_blocks2_in6"
LABELS = LabelConfig(thickness=3.0)
CANVAS = SIZE, SIZE


def seeded(module: torch.nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Weights at random."""
    initialize(module, torch.Generator().manual_seed(seed))
    return module.state_dict()


def saved(folder: Path, content: object, name: str = "latest_net_G.pth", **how) -> Path:
    torch.save(content, folder / name, **how)
    return folder / name


@pytest.fixture
def painter() -> TrainedGenerator:
    """A generator that paints the whole picture, and its face."""
    return TrainedGenerator(
        stage="face",
        network=NETWORK,
        weights=seeded(generator(NETWORK, 3, None), 1),
        face_weights=seeded(face_generator(3, NETWORK), 2),
        background=None,
        label_style="edn",
        label_config=LABEL_CONFIG,
        label_channels=3,
        height=SIZE,
        width=SIZE,
        steps=7,
    )


def random_input(channels: int) -> Tensor:
    return torch.rand(1, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


# Golden weights through the files


@torch.no_grad()
def check_import(case: dict[str, Tensor], folder: Path, previous: Tensor | None = None) -> str:
    """Through generator.safetensors the weights paint what they did; returns the stage."""
    path = saved(folder, weights(case))
    import_generator(
        path, folder / "generator.safetensors", tuple(case["in0"].shape[2:]), LabelConfig()
    )
    trained = load_generator(folder / "generator.safetensors")
    given = case["in0"] if previous is None else torch.cat([case["in0"], previous], dim=1)
    painted = trained.build()["generator"](given)
    torch.testing.assert_close(painted, case["out"], atol=1e-5, rtol=0)
    return trained.stage


def test_pix2pixhds_weights_paint_the_same_through_our_file(tmp_path):
    assert check_import(small_case(SMALL), tmp_path) == "temporal"


@needs_golden
def test_a_generator_of_labels_alone_paints_the_same_whatever_it_is_fed(tmp_path, log):
    case = large_case("global_ngf8_down3_blocks2_in3")
    assert check_import(case, tmp_path, previous=torch.rand_like(case["out"])) == "body"
    assert "takes no previous output" in log()


@needs_golden
@torch.no_grad()
def test_a_local_enhancers_weights_paint_the_same_through_our_file(tmp_path):
    case = large_case("local_ngf8_down2_blocks2_enh1_blocks2_in6")
    found = read_published_generator(saved(tmp_path, weights(case)))
    assert (found.channels, found.enhancers, found.local_residual_blocks) == (8, 1, 2)
    network = found.build()
    network.load_state_dict(found.weights)
    torch.testing.assert_close(network(case["in0"]), case["out"], atol=1e-5, rtol=0)
    assert check_import(case, tmp_path) == "enhance"
    trained = load_generator(tmp_path / "generator.safetensors")
    assert trained.architecture == "enhancer"
    assert trained.network.generator_channels == 16  # of the generator inside
    assert trained.network.enhancer_residual_blocks == 2


@needs_golden
@torch.no_grad()
@pytest.mark.parametrize(
    ("tag", "outputs"),
    [
        ("multid_ndf8_layers3_numD3_in12", ["out/0/4", "out/1/4", "out/2/4"]),
        ("multid_ndf8_layers3_numD2_nofeat_in6", ["out/0/0", "out/1/0"]),
        ("faceD_ndf8_layers3_bn_in6", ["out_eval"]),
    ],
)
def test_discriminators_score_the_same_through_the_file(tmp_path, tag, outputs):
    case = large_case(tag)
    found = read_published_discriminator(saved(tmp_path, weights(case)))
    network = found.build().eval()
    network.load_state_dict(found.weights)
    scores = [scale[-1] for scale in network(case["in0"])]
    assert len(scores) == len(outputs)
    for score, output in zip(scores, outputs, strict=True):
        torch.testing.assert_close(score, case[output], atol=1e-5, rtol=0)


# Sizes from shapes


def empty(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Tensors of these shapes that take no memory."""
    whole = "num_batches_tracked"
    return {
        name: torch.empty(shape, device="meta", dtype=torch.int64 if whole in name else None)
        for name, shape in shapes.items()
    }


def check_sizes(name: str, shapes: dict[str, list[int]]) -> None:
    said = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", name)}
    if "Generator" in name or "Enhancer" in name or "face generator" in name:
        found = as_generator("x.pth", empty(shapes))
        assert found.downsamplings == said.get("down", said.get("down_global"))
        assert found.residual_blocks == said.get("blocks", said.get("blocks_global"))
        assert (found.enhancers, found.local_residual_blocks) == (
            said.get("enhancers", 0),
            said.get("blocks_local", 0),
        )
        assert (found.in_channels, found.out_channels) == (said["in"], said["out"])
        assert found.channels == said["ngf"]
        assert found.weights.keys() == shapes.keys()
    else:
        judge = as_discriminator("x.pth", empty(shapes))
        assert judge.scales == said.get("num_D", 0)
        assert (judge.in_channels, judge.channels) == (said["in"], said["ndf"])
        assert judge.layers == said["n_layers"]
        assert len(judge.weights) == len(shapes)


@pytest.mark.parametrize("name", MANIFEST)
def test_sizes_of_published_checkpoints_are_read_from_their_shapes(name):
    check_sizes(name, MANIFEST[name]["state_dict"])


@needs_golden
def test_sizes_of_every_published_kind_are_read_and_other_networks_are_refused():
    models = json.loads((GOLDEN / "pix2pixhd_manifest.json").read_text())["models"]
    refused = {"Encoder(": "an encoder, or part of a generator", "EDN_faceG_unet": "a U-Net"}
    for name, model in models.items():
        why = next((why for kind, why in refused.items() if name.startswith(kind)), None)
        if why is None:
            check_sizes(name, model["state_dict"])
        else:
            with pytest.raises(ValueError, match=f"x.pth: holds no generator but {why}"):
                as_generator("x.pth", empty(model["state_dict"]))


@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1, 1, 1, 1), (5, 1, 4, 1, 1, 3), (2, 11, 3, 5, 3, 1), (3, 5, 8, 2, 4, 2)],
)
def test_sizes_of_any_depth_are_read(sizes):
    downsamplings, blocks, channels, layers, scales, frames = sizes
    config = NetworkConfig(
        generator_channels=channels,
        downsamplings=downsamplings,
        residual_blocks=blocks,
        discriminator_channels=channels,
        discriminator_layers=layers,
        discriminator_scales=scales,
    )
    with torch.device("meta"):
        painting = generator(config, 18, None).state_dict()
        judging = discriminator(21 * frames, config).state_dict()
    found = as_generator("x.pth", painting)
    assert (found.downsamplings, found.residual_blocks) == (downsamplings, blocks)
    assert (found.channels, found.in_channels) == (channels, 21)
    judge = as_discriminator("x.pth", judging)
    assert (judge.layers, judge.scales, judge.channels) == (layers, scales, channels)


# There and back


@torch.no_grad()
def test_an_exported_generator_paints_the_same_bit_for_bit(tmp_path, painter):
    save_generator(tmp_path / "generator.safetensors", painter)
    written = export_generator(tmp_path / "generator.safetensors", tmp_path / "out")
    assert [path.name for path in written] == ["latest_net_G.pth", "latest_net_Gface.pth"]
    for path, name in zip(written, ("generator", "face_generator"), strict=True):
        found = read_published_generator(path)
        network = found.build()
        network.load_state_dict(found.weights)
        assert torch.equal(network(random_input(6)), painter.build()[name](random_input(6)))


def test_an_exported_file_is_a_plain_state_dict_and_always_the_same_bytes(tmp_path, painter):
    save_generator(tmp_path / "generator.safetensors", painter)
    sums = set()
    for folder in ("a", "b"):
        path = export_generator(tmp_path / "generator.safetensors", tmp_path / folder)[0]
        sums.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(sums) == 1
    content = torch.load(path, weights_only=True)
    assert list(content) == list(painter.weights)
    assert {tensor.device.type for tensor in content.values()} == {"cpu"}


def test_what_was_exported_comes_back_by_import(tmp_path, painter):
    save_generator(tmp_path / "generator.safetensors", painter)
    body, face = export_generator(tmp_path / "generator.safetensors", tmp_path)
    import_generator(body, tmp_path / "again.pt", CANVAS, LABELS, BODY_25, face)
    again = load_generator(tmp_path / "again.pt")
    assert replace(again, weights={}, face_weights={}, steps=7, network=NETWORK) == replace(
        painter, weights={}, face_weights={}
    )
    for name in ("generator_channels", "downsamplings", "residual_blocks"):
        assert getattr(again.network, name) == getattr(NETWORK, name)
    for one, other in (
        (again.weights, painter.weights),
        (again.face_weights, painter.face_weights),
    ):
        assert list(one) == list(other)
        assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize("frames", [1, 2])
@torch.no_grad()
def test_an_exported_discriminator_scores_the_same_bit_for_bit(tmp_path, frames):
    network = discriminator(6 * frames, NetworkConfig(discriminator_channels=4))
    save_discriminator(tmp_path / "discriminator.safetensors", seeded(network))
    path = export_discriminator(tmp_path / "discriminator.safetensors", tmp_path)
    assert path.name == "latest_net_D.pth"
    found = read_published_discriminator(path)
    again = found.build()
    again.load_state_dict(found.weights)
    given = random_input(6 * frames)
    for one, other in zip(again(given), network(given), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_faces_discriminator_is_exported_under_its_own_name(tmp_path):
    network = face_discriminator(3, NETWORK)
    save_discriminator(tmp_path / "discriminator.safetensors", seeded(network))
    path = export_discriminator(tmp_path / "discriminator.safetensors", tmp_path)
    assert path.name == "latest_net_Dface.pth"
    found = read_published_discriminator(path)
    assert all(torch.equal(found.weights[key], one) for key, one in network.state_dict().items())


def test_a_generator_with_a_background_plate_is_not_exported(tmp_path, painter, tiny_body):
    with pytest.raises(ValueError, match=r"fourth output.*expected 3.*`background: paint`"):
        export_generator(tiny_body, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_discriminator_that_is_not_there_is_said(tmp_path):
    with pytest.raises(
        ValueError, match=r"discriminator.safetensors: no such file; training leaves it"
    ):
        export_discriminator(tmp_path / "discriminator.safetensors", tmp_path)


@pytest.fixture(scope="module")
def tiny_body(tiny_target, tmp_path_factory) -> Path:
    """A body stage of four steps, with a background plate."""
    return train_tiny(tiny_target, tmp_path_factory.mktemp("body") / "generator.safetensors")


# In use


@torch.no_grad()
def test_an_imported_generator_synthesizes_what_its_network_paints(tmp_path, painter, tiny_target):
    path = saved(tmp_path, painter.weights)
    import_generator(path, tmp_path / "generator.safetensors", CANVAS, LABELS)
    made = tmp_path / "made.h5"
    synthesize_frames(
        tmp_path / "generator.safetensors",
        tiny_target.labels,
        tiny_target.keypoints,
        made,
        torch.device("cpu"),
    )
    label = label_to_tensor(FrameReader(tiny_target.labels)[0])[None]
    network = painter.build()["generator"]
    painted = network(torch.cat([label, torch.zeros(1, 3, *CANVAS)], dim=1))
    expected = (painted[0].permute(1, 2, 0) + 1) * 127.5
    found = torch.from_numpy(FrameReader(made)[0]).float()
    assert (found - expected).abs().mean() < 1.5  # the store is JPEG


def test_an_imported_generator_and_its_discriminator_start_the_temporal_stage(
    tmp_path, tiny_target
):
    body = saved(tmp_path, seeded(generator(NETWORK, 0, None), 1))
    judge = saved(tmp_path, seeded(discriminator(6, NETWORK), 2), "latest_net_D.pth")
    start = tmp_path / "body" / "generator.safetensors"
    trained = import_generator(body, start, CANVAS, LABELS, discriminator=judge)
    assert trained.stage == "body"
    assert trained.network.discriminator_layers == NETWORK.discriminator_layers
    assert load_discriminator(start.with_name("discriminator.safetensors")) is not None
    model = train_tiny(
        tiny_target,
        tmp_path / "temporal" / "generator.safetensors",
        "temporal",
        start,
        with_plate=False,
    )
    assert load_generator(model).background is None


# Local enhancers


def local_enhancer(in_channels: int = 6, enhancers: int = 1) -> LocalEnhancer:
    return LocalEnhancer(in_channels, 3, 2, 1, 1, enhancers, local_residual_blocks=2)


def test_a_local_enhancer_goes_there_and_back_with_its_discriminator_and_a_face(tmp_path):
    body = saved(tmp_path, seeded(local_enhancer()))
    face = saved(tmp_path, seeded(face_generator(3, NETWORK)), "latest_net_Gface.pth")
    judge = saved(tmp_path, seeded(discriminator(12, NETWORK, more_scales=1)), "latest_net_D.pth")
    model = tmp_path / "enhance" / "generator.safetensors"
    trained = import_generator(body, model, CANVAS, LABELS, face=face, discriminator=judge)
    assert (trained.stage, trained.architecture) == ("face", "enhancer")
    assert trained.network.generator_channels == NETWORK.generator_channels == 4
    assert trained.network.discriminator_scales == NETWORK.discriminator_scales == 1
    written = export_generator(model, tmp_path / "out")
    back = torch.load(written[0], weights_only=True)
    assert all(torch.equal(back[name], one) for name, one in trained.weights.items())
    assert list(back) == list(trained.weights)


@torch.no_grad()
def test_a_local_enhancer_of_labels_alone_paints_the_same_whatever_it_is_fed(tmp_path):
    network = local_enhancer(in_channels=3)
    path = saved(tmp_path, seeded(network))
    trained = import_generator(path, tmp_path / "generator.safetensors", CANVAS, LABELS)
    assert trained.stage == "enhance"
    given = random_input(6)
    painted = trained.build()["generator"](given)
    torch.testing.assert_close(painted, network(given[:, :3]), atol=1e-6, rtol=0)


def test_the_enhance_stage_starts_from_a_published_generator_of_half_the_canvas(
    tmp_path, tiny_target, log
):
    coarse = saved(tmp_path, seeded(generator(NETWORK, 3, None), 1))
    judge = saved(tmp_path, seeded(discriminator(12, NETWORK), 2), "latest_net_D.pth")
    start = tmp_path / "temporal" / "generator.safetensors"
    trained = import_generator(coarse, start, CANVAS, LABELS, discriminator=judge, is_halved=True)
    assert (trained.stage, trained.architecture) == ("temporal", "halved")
    assert trained.build()["generator"](random_input(6)).shape == (1, 3, *CANVAS)
    model = train_tiny(
        tiny_target,
        tmp_path / "enhance" / "generator.safetensors",
        "enhance",
        start,
        with_plate=False,
    )
    assert load_generator(model).architecture == "enhancer"
    assert "enhance: generator: 10 of 30 tensors carried over" in log()
    export_generator(start, tmp_path / "out")
    assert f"it was trained on {SIZE // 2}x{SIZE // 2} px" in log()


def test_local_enhancers_that_are_not_supported_are_refused(tmp_path):
    model = tmp_path / "generator.safetensors"
    two = saved(tmp_path, seeded(local_enhancer(enhancers=2)))
    with pytest.raises(ValueError, match=r"is a local enhancer \(2\).*expected at most one"):
        import_generator(two, model, CANVAS, LABELS)
    one = saved(tmp_path, seeded(local_enhancer()))
    with pytest.raises(ValueError, match=r"is a local enhancer \(1\).*expected a global generat"):
        body = saved(tmp_path, seeded(generator(NETWORK, 3, None)), "body.pth")
        import_generator(body, model, CANVAS, LABELS, face=one)
    judge = saved(tmp_path, seeded(discriminator(12, NETWORK)), "latest_net_D.pth")
    with pytest.raises(ValueError, match=r"of 1 scales.*expected at least 2 scales: a local enh"):
        import_generator(one, model, CANVAS, LABELS, discriminator=judge)
    deep = saved(tmp_path, seeded(LocalEnhancer(6, 3, 1, 4, 1)), "deep.pth")
    with pytest.raises(ValueError, match=r"deep.pth: the local enhancer was given 32 x 64 .* 64 x"):
        import_generator(deep, model, (32, 64), LABELS)
    assert not model.exists()


# What is passed over, and what is refused


def test_running_statistics_of_very_old_files_are_passed_over(tmp_path, log):
    case = weights(small_case(SMALL))
    old = dict(case)
    for module, channels in ((2, 8), (5, 16)):
        old[f"model.{module}.running_mean"] = torch.zeros(channels)
        old[f"model.{module}.running_var"] = torch.ones(channels)
    found = read_published_generator(saved(tmp_path, old))
    assert found.weights.keys() == case.keys()
    assert "4 running statistics of instance normalization passed over (the first: model.2" in log()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_of_the_older_format_and_of_half_precision_are_read(tmp_path):
    case = weights(small_case(SMALL))
    half = {name: tensor.half() for name, tensor in case.items()}
    path = saved(tmp_path, half, _use_new_zipfile_serialization=False)
    found = read_published_generator(path)
    for name, tensor in found.weights.items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, case[name], atol=1e-3, rtol=1e-3)


def changed(change: str) -> dict[str, Tensor]:
    """The small case's weights with something wrong in them."""
    broken = dict(weights(small_case(SMALL)))
    if change == "missing":
        del broken["model.7.bias"]
    elif change == "shape":
        broken["model.4.weight"] = torch.zeros(16, 9, 3, 3)
    elif change == "kind":
        broken["model.4.bias"] = torch.zeros(16, dtype=torch.int64)
    elif change == "extra":
        broken["model.99.weight"] = torch.zeros(1)
    elif change == "last":
        del broken["model.19.weight"]
    return broken


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"has no model\.7\.bias, expected for a global generator of 6 input channels"),
        (
            "shape",
            r"model\.4\.weight is float32 of shape \(16, 9, 3, 3\), expected float32 of shape "
            r"\(16, 8, 3, 3\) for a global generator of 6 input channels, 8 channels, 2 down",
        ),
        ("kind", r"model\.4\.bias is int64 of shape \(16,\), expected float32 of shape \(16,\)"),
        ("extra", r"has model\.99\.weight \(float32 of shape \(1,\)\), expected none"),
        ("last", r"has no model\.19\.weight"),
    ],
)
def test_a_name_or_shape_that_does_not_belong_is_named_with_what_was_expected(
    tmp_path, change, message
):
    with pytest.raises(ValueError, match=rf"latest_net_G\.pth: {message}.*give a \*_net_G\.pth"):
        read_published_generator(saved(tmp_path, changed(change)))


def test_a_discriminator_of_which_a_scale_is_missing_a_layer_is_refused(tmp_path):
    broken = seeded(discriminator(6, NetworkConfig(discriminator_channels=4)))
    del broken["scale1_layer2.0.weight"]
    with pytest.raises(ValueError, match=r"has no scale1_layer2\.0\.weight, expected for a disc"):
        read_published_discriminator(saved(tmp_path, broken))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"a": 1}}, "'model' is of type dict, expected a state dict of tensors"),
        ({"epoch": 3}, "'epoch' is of type int, expected a state dict of tensors"),
        ([torch.zeros(1)], "holds a list, expected a state dict"),
        ({}, "holds nothing, expected a state dict"),
        ({"a.weight": torch.zeros(1)}, r"no generator but something else \(its first.*a\.weight"),
        ({"schema": "edn-generator"}, "is a file of this library.*edn_core.published export"),
        ({"weights": {}}, "is a file of this library"),
    ],
)
def test_what_is_no_state_dict_of_a_generator_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"latest_net_G\.pth: .*{message}"):
        read_published_generator(saved(tmp_path, content))


def test_generator_and_discriminator_are_told_apart(tmp_path, painter):
    judge = saved(tmp_path, seeded(discriminator(6, NETWORK)), "latest_net_D.pth")
    with pytest.raises(ValueError, match=r"no generator but a discriminator.*scale0_layer0"):
        read_published_generator(judge)
    with pytest.raises(ValueError, match=r"no discriminator but .*generator .*model\.1\.weight"):
        read_published_discriminator(saved(tmp_path, painter.weights))


def test_a_file_that_is_damaged_or_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"G\.pth: cannot be read \(No such file or directory\)"):
        read_published_generator(tmp_path / "latest_net_G.pth")
    (tmp_path / "latest_net_G.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"G\.pth: not readable as weights"):
        read_published_generator(tmp_path / "latest_net_G.pth")


@pytest.mark.parametrize(
    ("size", "style", "message"),
    [
        ((60, 64), "edn", "height is 60, expected a multiple of 32 and at least 32"),
        ((64, 0), "edn", "width is 0, expected a multiple of 32"),
        ((64, 64), "limb_index", "takes 6 channels, expected 21 .* or 18 .*--style edn or facing"),
        ((64, 64), "stick", "labels.style is 'stick'; known styles: edn"),
    ],
)
def test_a_canvas_or_labels_that_do_not_fit_are_refused(tmp_path, size, style, message):
    path = saved(tmp_path, weights(small_case(SMALL)))
    with pytest.raises(ValueError, match=message):
        import_generator(path, tmp_path / "generator.safetensors", size, LabelConfig(style=style))
    assert not (tmp_path / "generator.safetensors").exists()


def test_parts_that_do_not_belong_together_are_refused(tmp_path, painter):
    body = saved(tmp_path, painter.weights)
    model = tmp_path / "generator.safetensors"
    face = saved(tmp_path, seeded(face_generator(18, NETWORK)), "latest_net_Gface.pth")
    with pytest.raises(ValueError, match=r"Gface\.pth: takes 21 channels, expected 6"):
        import_generator(body, model, CANVAS, LABELS, face=face)
    judge = saved(tmp_path, seeded(discriminator(6, NETWORK)), "latest_net_D.pth")
    with pytest.raises(ValueError, match=r"D\.pth: is a discriminator of 1 scales, 6 .* takes 12 "):
        import_generator(body, model, CANVAS, LABELS, discriminator=judge)
    masked = saved(tmp_path, seeded(GlobalGenerator(6, 4, 4, 1, 1)), "masked.pth")
    with pytest.raises(ValueError, match=r"masked\.pth: paints 4 channels, expected 3"):
        import_generator(masked, model, CANVAS, LABELS)
    deep = saved(tmp_path, seeded(GlobalGenerator(6, 3, 1, 6, 1)), "deep.pth")
    with pytest.raises(ValueError, match=r"deep\.pth: downsamplings may be at most 5"):
        import_generator(deep, model, (128, 128), LABELS)
    assert not model.exists()
    assert not (tmp_path / "discriminator.safetensors").exists()


# The command


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edn_core.published", *map(str, words)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )


def test_the_command_imports_and_exports(tmp_path, painter):
    path = saved(tmp_path, painter.weights)
    model = tmp_path / "body" / "generator.safetensors"
    sizes = ("--height", SIZE, "--width", SIZE, "--thickness", 3.0)
    done = command("import", path, model, *sizes)
    assert (done.returncode, done.stdout) == (0, f"{model}\n"), done.stderr
    save_discriminator(
        model.with_name("discriminator.safetensors"), seeded(discriminator(12, NETWORK))
    )
    done = command("export", model, tmp_path / "out")
    names = ("latest_net_G.pth", "latest_net_D.pth")
    assert done.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert "--label_nc 6 --ngf 4 --n_downsample_global 1 --n_blocks_global 1" in done.stderr
    back = torch.load(tmp_path / "out" / "latest_net_G.pth", weights_only=True)
    assert all(torch.equal(back[name], one) for name, one in painter.weights.items())


def test_the_command_ends_with_one_line_and_status_1_where_something_is_wrong(tmp_path):
    done = command("import", tmp_path / "no.pth", tmp_path / "g.pt", "--height", 64, "--width", 64)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edn: error: {tmp_path}/no.pth: cannot be read (No such file")
    done = command("export", tmp_path / "generator.safetensors", tmp_path / "out")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edn: error: {tmp_path}/generator.safetensors: no such file; give")
    assert not (tmp_path / "out").exists()
