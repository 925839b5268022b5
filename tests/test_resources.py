"""What a cluster is asked for: in proportion to the video, and with nothing to look at."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edn_core.config import PRESETS, VideoConfig, read_config
from edn_core.resources import KINDS, Footage, measure_footage, needs, stage_minutes
from edn_core.video import encode

MINUTE = Footage(1800, 2.0, 0.13)


@pytest.fixture
def video(tmp_path):
    """Two seconds at 10 frames a second, 64 x 48."""
    frames = (np.full((48, 64, 3), number, np.uint8) for number in range(20))
    encode(tmp_path / "video.mp4", frames, Fraction(10))
    return tmp_path / "video.mp4"


def test_a_video_is_measured_by_its_header_and_its_settings(video):
    assert measure_footage(video, VideoConfig(), 4000) == Footage(20, 64 * 48 / 1e6, 0.004)
    assert measure_footage(video, VideoConfig(start_s=0.5, stop_s=1.5), 4000).n_frames == 10


@pytest.mark.parametrize("content", [None, b"", b"no video at all", "cut off"])
def test_what_cannot_be_looked_into_is_guessed_and_refused_by_nobody(content, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    if content is not None:
        broken.write_bytes(video.read_bytes()[:100] if content == "cut off" else content)
    ten_minutes_of_full_hd = Footage(18_000, 1920 * 1080 / 1e6, 0.131_072)
    assert measure_footage(broken, VideoConfig(), 131_072) == ten_minutes_of_full_hd


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_video_is_given_more_time_and_a_larger_one_more_memory(kind):
    settings = read_config({}, "8gb")
    short = needs(kind, MINUTE, settings, "8gb")
    long = needs(kind, replace(MINUTE, n_frames=360_000), settings, "8gb")
    assert 10 <= short[1] < long[1]
    assert 1000 <= short[0] <= long[0] < short[0] + 6000
    large = needs(kind, replace(MINUTE, video_mp=40.0, window_mp=10.0), settings, "8gb")
    assert large[0] > short[0] or kind == "keypoints"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_training_asks_for_what_its_state_takes_and_time_in_proportion_to_its_steps(preset):
    settings = read_config({}, preset)
    for stage in settings.training.stages:
        config = replace(getattr(settings.training, stage), steps=1_000_000, epochs=None)
        once = replace(settings, training=replace(settings.training, **{stage: config}))
        config = replace(config, steps=2_000_000)
        twice = replace(settings, training=replace(settings.training, **{stage: config}))
        (mb, minutes), (_, more) = (needs(stage, MINUTE, one, preset) for one in (once, twice))
        assert more == pytest.approx(2 * minutes, abs=15)
        if preset != "cpu":
            assert mb > 2 * 3700  # a resume point of 3.7 GB, held twice


def test_minutes_are_shared_as_the_stages_steps_would_cost_and_asked_of_the_cluster():
    stages = {name: {"steps": 100} for name in ("body", "temporal", "face")}
    settings = read_config({"training": stages | {"minutes": 1800}}, "8gb")
    shares = {name: stage_minutes(name, MINUTE, settings) for name in stages}
    assert shares == {"body": 500, "temporal": 900, "face": 400}  # as STEP_FLOP: 5, 9, 4
    assert needs("body", MINUTE, settings, "8gb")[1] == 5 + 3 * 500
    assert stage_minutes("body", MINUTE, read_config({}, "8gb")) is None


def test_hours_for_a_gpu_are_near_those_of_its_table_with_the_margin():
    # docs/speed.md: 8gb, ten minutes of video, RTX 3060: 29.9 h for all stages, with VGG19.
    settings = read_config({}, "8gb")
    ten_minutes = replace(MINUTE, n_frames=18_000, window_mp=settings.canvas.pixels / 1e6)
    minutes = [needs(one, ten_minutes, settings, "8gb")[1] for one in settings.training.stages]
    assert sum(minutes) / 60 / 3 == pytest.approx(29.9, rel=0.3)


def test_several_gpus_share_the_time_and_add_up_the_memory():
    hour = replace(MINUTE, n_frames=108_000)
    alone, together = (
        needs("temporal", hour, read_config({"runtime": {"gpus_per_training": n}}, "80gb"), "80gb")
        for n in (1, 4)
    )
    assert together[1] < alone[1] / 2
    assert together[0] > alone[0]


def test_a_cpu_is_expected_where_one_is_named_and_a_gpu_where_the_preset_is_for_one():
    on_gpu, on_cpu = (
        read_config({"runtime": {"device": device}}, "8gb") for device in ("auto", "cpu")
    )
    slow, fast = (needs("body", MINUTE, one, "8gb")[1] for one in (on_cpu, on_gpu))
    assert slow > 20 * fast
