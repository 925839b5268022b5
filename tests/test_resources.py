"""What a cluster is asked for: against the counted networks, and with nothing to look at."""

from dataclasses import replace
from fractions import Fraction

import h5py
import numpy as np
import pytest

from edn_core.config import (
    PRESETS,
    Config,
    DemoConfig,
    NetworkConfig,
    TrainingConfig,
    VideoConfig,
    read_section,
    with_preset,
)
from edn_core.networks import generator
from edn_core.resources import (
    STEPS,
    UNKNOWN,
    Footage,
    demo_footage,
    generator_weights,
    measure_footage,
    pair_footage,
    step_flops,
    step_needs,
    training_needs,
)
from edn_core.video import encode

WHOLE = VideoConfig()
MINUTE = Footage(1800, 1920, 1080, (288, 512))


def settings_of(preset: str, **sections: dict) -> Config:
    """A preset and what differs from it."""
    return read_section(Config, with_preset(sections, preset), "")


def with_vgg19(settings: Config) -> Config:
    """The same with the perceptual loss, whose file is not looked for here."""
    return replace(settings, training=replace(settings.training, vgg19="there.pth"))


@pytest.fixture
def video(tmp_path):
    """Two seconds at 10 frames a second, 64 x 48."""
    frames = (np.full((48, 64, 3), number, np.uint8) for number in range(20))
    encode(tmp_path / "video.mp4", frames, Fraction(10))
    return tmp_path / "video.mp4"


@pytest.mark.parametrize(
    ("preset", "stage", "canvas", "tflop"),
    [
        ("8gb", "body", (256, 512), 1.10),
        ("8gb", "temporal", (256, 512), 2.01),
        ("12gb", "enhance", (384, 768), 2.58),
        ("24gb", "enhance", (512, 1024), 4.58),
        ("80gb", "enhance", (1024, 2048), 18.26),
    ],
)
def test_the_formula_for_a_steps_operations_is_near_docs_gpus_table(preset, stage, canvas, tflop):
    operations = step_flops(stage, with_vgg19(settings_of(preset)), canvas)
    assert operations / 1e12 == pytest.approx(tflop, rel=0.1)


def test_the_formula_for_weights_is_near_those_there_are():
    for network in (NetworkConfig(), settings_of("cpu").network):
        true = sum(one.numel() for one in generator(network, 3, None).parameters())
        assert generator_weights(network) == pytest.approx(true, rel=0.01)


def test_a_video_is_measured_by_its_header_and_its_settings(video, tmp_path):
    nothing = tmp_path / "frames.zip"
    assert measure_footage(nothing, video, WHOLE, 3072) == Footage(20, 64, 48, (32, 64))
    half = VideoConfig(start_s=0.5, stop_s=1.5)
    assert measure_footage(nothing, video, half, 3072).n_frames == 10


def test_extracted_frames_say_more_than_the_video(video, tmp_path):
    with h5py.File(tmp_path / "frames.zip", "w") as store:
        store.attrs.update(n_frames=7, source_width=640, source_height=480, height=96, width=128)
    found = measure_footage(tmp_path / "frames.zip", video, WHOLE, 3072)
    assert found == Footage(7, 640, 480, (96, 128))


@pytest.mark.parametrize("content", [None, b"", b"no video at all", "cut off"])
def test_what_cannot_be_looked_into_is_guessed_and_refused_by_nobody(content, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    if content is not None:
        broken.write_bytes(video.read_bytes()[:100] if content == "cut off" else content)
    (tmp_path / "frames.zip").write_bytes(b"no store either")
    found = measure_footage(tmp_path / "frames.zip", broken, WHOLE, 131_072)
    assert (found.n_frames, found.width, found.height) == UNKNOWN


def test_the_demos_length_is_known_before_it_is_filmed():
    config = DemoConfig(source_s=2, target_s=3)
    assert demo_footage("demo_source", config, 12_288).n_frames == 50
    assert demo_footage("demo_target", config, 12_288).n_frames == 90


def test_a_transfer_has_the_sources_frames_on_the_targets_canvas():
    target = Footage(9000, 1080, 1920, (512, 288))
    assert pair_footage(MINUTE, target) == Footage(1800, 1920, 1080, (512, 288))


@pytest.mark.parametrize("step", STEPS)
def test_every_step_asks_for_more_time_for_a_longer_video_and_for_about_the_memory(step):
    short, long = (
        step_needs(step, replace(MINUTE, n_frames=n), settings_of("8gb"), "8gb", 4)
        for n in (1800, 180_000)
    )
    assert 10 <= short.minutes <= long.minutes
    assert 1000 <= short.mem_mb <= long.mem_mb < 2 * short.mem_mb + 4000
    if step != "evaluate_target":
        assert short.minutes < long.minutes


@pytest.mark.parametrize("preset", PRESETS)
def test_every_training_asks_for_what_its_state_takes_and_more_time_for_more_steps(preset):
    settings = settings_of(preset)
    for stage in settings.training.stages:
        asked = training_needs(stage, MINUTE, settings, preset, 4)
        assert asked.minutes >= 10
        config = replace(getattr(settings.training, stage), steps=10_000_000, epochs=None)
        longer = replace(settings, training=replace(settings.training, **{stage: config}))
        more = training_needs(stage, MINUTE, longer, preset, 4)
        assert more.minutes > asked.minutes
        assert more.mem_mb == asked.mem_mb
        if stage != "face" and preset != "cpu":
            assert asked.mem_mb > 2 * 3700  # a resume point of 3.7 GB, held twice


def test_hours_for_a_gpu_are_those_of_its_table_with_the_margin():
    # docs/gpu.md: 8gb, ten minutes of video, RTX 3060: 29.9 h for all stages, with VGG19.
    settings = with_vgg19(settings_of("8gb"))
    ten_minutes = Footage(18_000, 1024, 512, (256, 512))
    stages = settings.training.stages
    asked = [training_needs(one, ten_minutes, settings, "8gb", 4) for one in stages]
    assert sum(one.minutes for one in asked) / 60 / 3 == pytest.approx(29.9, rel=0.15)


def test_several_gpus_share_the_time_and_add_up_the_memory():
    one = settings_of("80gb")
    four = settings_of("80gb", runtime={"gpus_per_training": 4})
    hour = replace(MINUTE, n_frames=108_000)
    alone = training_needs("temporal", hour, one, "80gb", 4)
    together = training_needs("temporal", hour, four, "80gb", 4)
    assert together.minutes < alone.minutes
    assert together.mem_mb > alone.mem_mb


def test_a_cpu_is_expected_where_one_is_named_and_a_gpu_where_the_preset_is_for_one():
    on_gpu = settings_of("8gb")
    on_cpu = settings_of("8gb", runtime={"device": "cpu"})
    slow, fast = (training_needs("body", MINUTE, one, "8gb", 4).minutes for one in (on_cpu, on_gpu))
    assert slow > 20 * fast


def test_default_stages_have_a_formula():
    for stage in TrainingConfig().stages:
        assert step_flops(stage, settings_of("cpu"), (96, 128)) > 0
