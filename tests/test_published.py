"""Published checkpoints into our files and back, against the weights and outputs of pix2pixHD."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from test_golden_networks import MANIFEST, large_case, needs_golden, small_case, weights
from tiny import LABEL_CONFIG, NETWORK, SIZE, train_tiny
from torch import Tensor

from edn_core.checkpoint import (
    TrainedGenerator,
    core_network,
    load_generator,
    save_discriminator,
    save_generator,
)
from edn_core.config import LabelConfig
from edn_core.errors import Refused
from edn_core.networks import (
    LocalEnhancer,
    MultiscaleDiscriminator,
    discriminator,
    face_discriminator,
    face_generator,
    generator,
    initialize,
)
from edn_core.published import (
    convert_generator,
    export_generator,
    import_generator,
    read_published_discriminator,
    read_published_generator,
)
from edn_core.published.__main__ import main
from edn_core.published.state_dicts import as_discriminator, as_generator
from edn_core.skeleton import BODY_25

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
        weights=seeded(generator(NETWORK, 3, False), 1),
        face_weights=seeded(face_generator(3, NETWORK), 2),
        has_matte=False,
        label_style="edn",
        label_config=LABEL_CONFIG,
        label_channels=3,
        height=SIZE,
        width=SIZE,
        face_side=32,
        steps=7,
    )


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
    assert check_import(case, tmp_path) == "enhance"
    trained = load_generator(tmp_path / "generator.safetensors")
    assert trained.architecture == "enhancer"
    assert trained.network.generator_channels == 16  # of the generator inside
    assert trained.network.enhancer_residual_blocks == 2


@needs_golden
@torch.no_grad()
def test_a_discriminator_scores_the_same_through_the_file(tmp_path):
    case = large_case("multid_ndf8_layers3_numD3_in12")
    network = MultiscaleDiscriminator(12, 8, 3, 3)
    network.load_state_dict(read_published_discriminator(saved(tmp_path, weights(case))).weights)
    for scale, maps in enumerate(network(case["in0"])):
        torch.testing.assert_close(maps[-1], case[f"out/{scale}/4"], atol=1e-5, rtol=0)


# Sizes from shapes


SIZES = {
    "EDN face generator": {"generator_channels": 64, "downsamplings": 3, "residual_blocks": 5},
    "GlobalGenerator": {"generator_channels": 64, "downsamplings": 4, "residual_blocks": 9},
    "LocalEnhancer": {
        "generator_channels": 64,
        "residual_blocks": 9,
        "enhancer_residual_blocks": 3,
    },
    "num_D=2": {"discriminator_channels": 64, "discriminator_layers": 3, "discriminator_scales": 2},
    "num_D=3": {"discriminator_channels": 64, "discriminator_layers": 3, "discriminator_scales": 3},
    "EDN_faceD": {"discriminator_channels": 64, "discriminator_scales": 0},
}


@pytest.mark.parametrize("name", MANIFEST)
def test_sizes_of_published_checkpoints_are_read_from_their_shapes(name):
    shapes = MANIFEST[name]["state_dict"]
    empty = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    found = (as_discriminator if "iscriminator" in name else as_generator)("x.pth", empty)
    sizes = next(one for kind, one in SIZES.items() if kind in name)
    assert sizes.items() <= found.sizes.items()


# There and back


def test_what_was_exported_comes_back_by_import_and_is_always_the_same_bytes(tmp_path, painter):
    save_generator(tmp_path / "generator.safetensors", painter)
    for folder in ("a", "b"):
        body, face = export_generator(tmp_path / "generator.safetensors", tmp_path / folder)
        assert (body.name, face.name) == ("latest_net_G.pth", "latest_net_Gface.pth")
    assert body.read_bytes() == (tmp_path / "a" / body.name).read_bytes()
    content = torch.load(body, weights_only=True)
    assert list(content) == list(painter.weights)  # a plain state dict in the network's order
    import_generator(body, tmp_path / "again.safetensors", CANVAS, LABELS, BODY_25, face)
    again = load_generator(tmp_path / "again.safetensors")
    assert replace(again, weights={}, face_weights={}, steps=7, network=NETWORK) == replace(
        painter, weights={}, face_weights={}
    )
    for name in ("generator_channels", "downsamplings", "face_residual_blocks"):
        assert getattr(again.network, name) == getattr(NETWORK, name)
    assert_equal(again.weights, painter.weights)
    assert_equal(again.face_weights, painter.face_weights)


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize("name", ["latest_net_D.pth", "latest_net_Dface.pth"])
def test_an_exported_discriminator_is_the_same_bit_for_bit(tmp_path, painter, name):
    is_face = "face" in name
    judge = seeded(face_discriminator(3, NETWORK) if is_face else discriminator(12, NETWORK))
    save_discriminator(tmp_path / "discriminator.safetensors", judge)
    save_generator(tmp_path / "generator.safetensors", painter)
    *_, path = export_generator(tmp_path / "generator.safetensors", tmp_path)
    assert path.name == name
    assert_equal(read_published_discriminator(path).weights, judge)


def test_a_generator_with_a_matte_is_not_exported(tmp_path, painter):
    weights = seeded(core_network(generator(NETWORK, 3, True)))
    matted = replace(painter, has_matte=True, weights=weights)
    save_generator(tmp_path / "generator.safetensors", matted)
    with pytest.raises(Refused, match=r"fourth output.*expected 3.*`background: paint`"):
        export_generator(tmp_path / "generator.safetensors", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# In use


def test_the_enhance_stage_starts_from_a_published_generator_of_half_the_window(
    tmp_path, tiny_target, log
):
    coarse = saved(tmp_path, seeded(generator(NETWORK, 3, False), 1))
    judge = saved(tmp_path, seeded(discriminator(12, NETWORK), 2), "latest_net_D.pth")
    start = tmp_path / "temporal" / "generator.safetensors"
    trained = import_generator(coarse, start, CANVAS, LABELS, discriminator=judge, is_halved=True)
    assert (trained.stage, trained.architecture) == ("temporal", "halved")
    model = tmp_path / "enhance" / "generator.safetensors"
    train_tiny(tiny_target, model, "enhance", start, with_matte=False)
    assert load_generator(model).architecture == "enhancer"
    assert "enhance: generator: 10 of 30 tensors carried over" in log()
    export_generator(start, tmp_path / "out")
    assert f"was trained on {SIZE // 2}x{SIZE // 2} px" in log()


def local_enhancer(in_channels: int = 6) -> LocalEnhancer:
    return LocalEnhancer(in_channels, 3, 2, 1, 1, local_residual_blocks=2)


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
    assert_equal(torch.load(written[0], weights_only=True), trained.weights)


# What is passed over, and what is refused


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_files_of_half_precision_with_running_statistics_are_read(tmp_path):
    case = weights(small_case(SMALL))
    half = {name: tensor.half() for name, tensor in case.items()}
    half["model.2.running_mean"] = torch.zeros(8)
    path = saved(tmp_path, half, _use_new_zipfile_serialization=False)
    found = read_published_generator(path).weights
    assert found.keys() == case.keys()
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, case[name], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model.1.weight", None, r"is another network, that begins with model\.1\.bias"),
        ("model.4.weight", torch.zeros(16, 9, 3, 3), r"of shape \(16, 9, 3, 3\), expected of"),
        ("epoch", 3, "'epoch' is of type int, expected a tensor"),
        ("schema", "edn-generator", "an earlier release.*edn_core.published convert"),
    ],
)
def test_the_first_name_or_shape_that_does_not_belong_is_named(tmp_path, name, value, message):
    broken: dict = dict(weights(small_case(SMALL))) | {name: value}
    if value is None:
        del broken[name]
    with pytest.raises(Refused, match=rf"latest_net_G\.pth: .*{message}"):
        read_published_generator(saved(tmp_path, broken))


def test_parts_that_do_not_belong_together_are_refused(tmp_path, painter):
    body = saved(tmp_path, painter.weights)
    face = saved(tmp_path, seeded(face_generator(18, NETWORK)), "latest_net_Gface.pth")
    single = saved(tmp_path, seeded(discriminator(6, NETWORK)), "latest_net_D.pth")
    for path, size, parts, message in (
        (body, CANVAS, {"face": face}, r"Gface\.pth: takes 21 channels, expected a .* of 6"),
        (body, CANVAS, {"discriminator": single}, r"D\.pth: takes 6 channels at 1 .*expected 12"),
        (body, (60, 64), {}, "height is 60, expected a multiple of 32 and at least 32"),
        (body, CANVAS, {"skeleton": None}, "takes 6 channels, expected 21 .* or 18 .*--style"),
    ):
        labels = LabelConfig("limb_index") if "skeleton" in parts else LABELS
        with pytest.raises(ValueError, match=message):
            import_generator(path, tmp_path / "g.safetensors", size, labels, **parts)
    assert not list(tmp_path.glob("*.safetensors"))


# A generator of release 0.4


def former_file(folder: Path, painter: TrainedGenerator, **changes: object) -> Path:
    """As release 0.4 wrote it."""
    today = ("has_matte", "face_side", "window")
    content = {name: value for name, value in vars(painter).items() if name not in today} | {
        "schema": "edn-generator",
        "schema_version": 2,
        "network": asdict(painter.network),
        "background": None,
        "edn_version": "0.4.0",
    }
    return saved(folder, content | changes, "generator.pt")


def test_a_generator_of_release_0_4_is_brought_over_whole(tmp_path, painter):
    convert_generator(former_file(tmp_path, painter), tmp_path / "generator.safetensors")
    found = load_generator(tmp_path / "generator.safetensors")
    without = {"weights": {}, "face_weights": None}
    assert replace(found, **without) == replace(painter, **without)
    assert_equal(found.weights, painter.weights)
    assert_equal(found.face_weights, painter.face_weights)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schema": "edn-detector"},
            "schema edn-detector version 2, expected schema edn-gen",
        ),
        (
            {"background": {"plate": torch.zeros(8, 8, 3), "seen": torch.ones(8, 8)}},
            r"painted .* over a plate, .*expected one of `background: paint`; train .* anew",
        ),
    ],
)
def test_what_release_0_4_did_not_write_is_not_brought_over(tmp_path, painter, changes, message):
    with pytest.raises(Refused, match=rf"generator\.pt: {message}"):
        convert_generator(former_file(tmp_path, painter, **changes), tmp_path / "g.safetensors")
    assert not (tmp_path / "g.safetensors").exists()


# The command


def test_the_command_imports_exports_and_converts(tmp_path, painter, capsys, log):
    path = saved(tmp_path, painter.weights)
    model = tmp_path / "body" / "generator.safetensors"
    main(f"import {path} {model} --height {SIZE} --width {SIZE} --thickness 3".split())
    assert capsys.readouterr().out == f"{model}\n"
    judge = seeded(discriminator(12, NETWORK))
    save_discriminator(model.with_name("discriminator.safetensors"), judge)
    main(["export", str(model), str(tmp_path / "out")])
    names = ("latest_net_G.pth", "latest_net_D.pth")
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / name) for name in names]
    assert "--label_nc 6 --ngf 4 --n_downsample_global 1 --n_blocks_global 1" in log()
    assert_equal(torch.load(tmp_path / "out" / names[0], weights_only=True), painter.weights)
    main(["convert", str(former_file(tmp_path, painter)), str(tmp_path / "new.safetensors")])
    assert load_generator(tmp_path / "new.safetensors").steps == 7
    with pytest.raises(SystemExit, match=r"^edn: error: .*no.pt: cannot be read \(No such file"):
        main(["convert", str(tmp_path / "no.pt"), str(model)])
