"""Resolution in stages: body and temporal at half the window, the local enhancer at the whole."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import (
    NETWORK,
    SIZE,
    SPLIT,
    STAGE,
    batch_of,
    feed_of,
    files_of,
    pairs_of,
    run_of,
    train_tiny,
)

from edn_core.checkpoint import (
    core_network,
    load_discriminator,
    load_generator,
    save_generator,
)
from edn_core.config import Config, NetworkConfig, TrainingConfig, read_section
from edn_core.frames import FrameReader
from edn_core.networks import (
    HalvedGenerator,
    LocalEnhancer,
    enhancer,
    generator,
    halve_image,
    halve_label,
    initialize,
)
from edn_core.synthesize import synthesize_frames
from edn_core.training import STAGES, TrainingSettings
from edn_core.training.start import start_of

CPU = torch.device("cpu")
MIXED = torch.tensor([9.0, 3, 3, 1]) / 16


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Values in [-1, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# Half the window and back


def test_a_label_is_pooled_as_the_local_enhancer_pools_its_input():
    label = noise(2, 5, 12, 8)
    pooled = LocalEnhancer(5, 3, 1, downsamplings=1, residual_blocks=1).downsample(label)
    assert torch.equal(halve_label(label), pooled)
    row = torch.arange(6.0).expand(1, 1, 6, 6)
    # Pixel i is the mean of 2 i - 1, 2 i and 2 i + 1, of what of them there is.
    torch.testing.assert_close(halve_label(row)[0, 0, 1], torch.tensor([0.5, 2.0, 4.0]))


@torch.no_grad()
def test_on_the_whole_window_a_halved_generator_paints_what_it_does_on_half():
    inner = generator(NETWORK, 3, has_matte=True)
    initialize(core_network(inner), torch.Generator().manual_seed(0))
    label, previous = noise(1, 3, 32, 48).abs(), noise(1, 3, 32, 48, seed=1)
    whole = HalvedGenerator(inner)(torch.cat([label, previous], dim=1))
    half = inner(torch.cat([halve_label(label), halve_image(previous)], dim=1))
    assert whole.shape == (1, 4, 32, 48)
    # Bilinear: of two neighbours three quarters and one quarter.
    torch.testing.assert_close(whole[..., 1, 1], half[..., :2, :2].flatten(2) @ MIXED)


def test_sizes_no_enhancer_can_have_are_refused():
    with pytest.raises(ValueError, match=r"generator_channels is 5, expected an even number"):
        enhancer(NetworkConfig(generator_channels=5), 3, False)
    with pytest.raises(ValueError, match="downsamplings may be at most 4"):
        NetworkConfig(downsamplings=5)


def test_the_configuration_refuses_them_only_where_there_is_an_enhance_stage():
    odd = {"network": {"generator_channels": 5}}
    assert read_section(Config, odd, "").network.generator_channels == 5
    four = {"training": {"stages": ["body", "temporal", "enhance", "face"]}}
    with pytest.raises(
        ValueError, match=r"config\.yaml: network\.generator_channels is 5, expected"
    ):
        read_section(Config, odd | four, "")
    read_section(Config, four, "")


# The networks of the stage


def test_the_coarse_weights_are_carried_over_and_the_log_counts_them(
    tiny_target, tiny_temporal, log
):
    coarse = load_generator(tiny_temporal)
    assert coarse.architecture == "halved"
    run = run_of(tiny_target, "enhance", tiny_temporal)
    # One downsampling and one residual block: five convolutions before the last, which goes.
    # The enhancer's own ten are new: two, two in each of three residual blocks, two.
    assert "enhance: generator: 10 of 30 tensors carried over, 20 new ones as" in log()
    # One scale of four layers into two.
    assert "enhance: discriminator: 6 of 12 tensors carried over, 6 new ones as" in log()
    own = core_network(run.networks["generator"]).state_dict()
    carried = [name for name in own if name.startswith("model.")]
    assert len(carried) == 10
    assert all(torch.equal(own[name], coarse.weights[name]) for name in carried)
    assert own["model1_1.1.weight"].shape == (2, 6, 7, 7)  # half of the four channels
    assert own["model1_2.7.weight"].shape == (4, 2, 7, 7)  # colours and the mask
    judge = load_discriminator(tiny_temporal.parent / "discriminator.safetensors")
    found = run.networks["discriminator"].state_dict()
    assert all(torch.equal(found[name], judge[name]) for name in judge)
    assert {name[:6] for name in found} == {"scale0", "scale1"}


# At half the window


def test_training_sees_half_the_window_and_leaves_a_generator_of_the_whole(
    tiny_target, tiny_body, tiny_temporal, tmp_path
):
    run = run_of(tiny_target, "temporal", tiny_body)
    half = feed_of(tiny_target, is_halved=True).batch([3])
    assert half["image"].shape[-2:] == half["matte"].shape[-2:] == (SIZE // 2, SIZE // 2)
    run.train_step(half, 4)
    trained = load_generator(tiny_temporal)
    assert (trained.height, trained.width) == (SIZE, SIZE)
    assert trained.has_matte
    assert isinstance(trained.build()["generator"], HalvedGenerator)
    made = tmp_path / "made.zip"
    synthesize_frames(tiny_temporal, tiny_target.labels, tiny_target.keypoints, made, CPU)
    assert FrameReader(made)[0].shape == (SIZE, SIZE, 4)


def test_a_window_that_cannot_be_halved_so_often_is_refused_before_the_first_step(tiny_target):
    pairs, settings = pairs_of(tiny_target), TrainingSettings(STAGE, NetworkConfig(), SPLIT)
    pairs.size = (32, 64)
    with pytest.raises(
        ValueError,
        match=r"frames.zip: a window of 32 x 64 .* cannot be halved 5 times: .*; choose 64 x 64, "
        r"or fewer network.downsamplings; canvas.pixels decides",
    ):
        start_of(STAGES["body"], files_of(tiny_target, None, Path()), settings, None, pairs)


@pytest.mark.parametrize("name", ["temporal", "enhance"])
def test_a_generator_of_the_whole_window_is_refused_by_the_stages_that_go_on(
    tiny_target, tiny_body, tmp_path, name
):
    other = tmp_path / "generator.safetensors"
    save_generator(other, replace(load_generator(tiny_body), architecture="global"))
    with pytest.raises(ValueError, match=f"'global'.* the {name} stage starts.*--halved"):
        run_of(tiny_target, name, other)


# The coarse part fixed


def moved(run, before: dict[str, torch.Tensor]) -> set[str]:
    """Which parts of the generator have changed: model, model1_1, model1_2."""
    now = core_network(run.networks["generator"]).state_dict()
    return {name.split(".")[0] for name in now if not torch.equal(now[name], before[name])}


def weights_of(run) -> dict[str, torch.Tensor]:
    network = core_network(run.networks["generator"])
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_in_the_first_part_only_the_enhancer_itself_learns(tiny_target, tiny_temporal):
    run = run_of(tiny_target, "enhance", tiny_temporal, options=TrainingConfig(fix_coarse=0.5))
    coarse = load_generator(tiny_temporal).weights
    before = weights_of(run)
    parts = [part for part, _ in core_network(run.networks["generator"]).named_children()]
    assert parts[:3] == ["model", "model1_1", "model1_2"]
    optimizer = run.optimizers["generator"]
    for i in range(3):
        run.train_step(batch_of(tiny_target, i), 6)
    assert moved(run, before) == {"model1_1", "model1_2"}
    averaged = core_network(run.averaged).state_dict()
    for name in before:
        if name.startswith("model."):
            assert torch.equal(averaged[name], coarse[name]), name
    steps = {
        name: optimizer.state[one]["step"].item() if one in optimizer.state else 0
        for name, one in core_network(run.networks["generator"]).named_parameters()
    }
    assert {name: n for name, n in steps.items() if n} == {
        name: 3 for name in steps if not name.startswith("model.")
    }
    assert optimizer.param_groups[0]["lr"] == STAGE.learning_rate
    run.train_step(batch_of(tiny_target, 3), 6)
    assert moved(run, before) == {"model", "model1_1", "model1_2"}
    first = next(core_network(run.networks["generator"]).model.parameters())
    assert optimizer.state[first]["step"].item() == 1


# Whole stages


@pytest.fixture(scope="module")
def tiny_enhanced(tiny_target, tiny_temporal, tmp_path_factory) -> Path:
    """The tiny target's generator after the enhance stage."""
    model, last = tmp_path_factory.mktemp("enhance") / "generator.safetensors", {"keep": "last"}
    return train_tiny(tiny_target, model, "enhance", tiny_temporal, options=last)


def test_the_face_is_added_to_the_enhancers_picture_in_the_whole_window(
    tiny_target, tiny_enhanced, tmp_path
):
    before = load_generator(tiny_enhanced)
    run = run_of(tiny_target, "face", tiny_enhanced)
    assert isinstance(core_network(run.networks["generator"]), LocalEnhancer)
    batch = batch_of(tiny_target, 3)
    x0, y0, x1, y1 = batch["face_box"][0, 0].tolist()
    seen = []
    run.networks["face_generator"].register_forward_pre_hook(lambda _, given: seen.append(*given))
    run.train_step(batch, 4)
    with torch.no_grad():
        label = batch["label"][:, 0]
        image = before.build()["generator"](torch.cat([label, 0 * label], dim=1))
    torch.testing.assert_close(seen[0][:1, 3:6], image[:, :3, y0:y1, x0:x1])
    model, last = tmp_path / "face" / "generator.safetensors", {"keep": "last"}
    train_tiny(tiny_target, model, "face", tiny_enhanced, options=last)
    after = load_generator(model)
    assert (after.stage, after.architecture) == ("face", "enhancer")
    assert list(after.build()) == ["generator", "face_generator"]
    assert all(torch.equal(after.weights[name], one) for name, one in before.weights.items())
