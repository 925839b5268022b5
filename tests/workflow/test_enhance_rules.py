"""The workflow with four stages: body and temporal at half the window, then enhance, then face."""

import shutil
from pathlib import Path

import pytest
from checkout import make_checkout, plan, snakemake

from edn_core.checkpoint import load_generator
from edn_core.frames import FrameReader

pytestmark = pytest.mark.workflow

FOUR = "training: {stages: [body, temporal, enhance, face], enhance: {steps: 6, validations: 2}}\n"
TEST = ("--configfile", "config/test.yaml")
ENHANCED = (*TEST, "config/four.yaml")
STAGES = ("body", "temporal", "enhance", "face")
RESULT = "results/transfer/demo_source_to_demo_target.mp4"
MODELS = "results/models/demo_target"


@pytest.fixture(scope="module")
def enhanced_demo(finished_demo, tmp_path_factory) -> Path:
    """A copy of the finished demo, gone on with in four stages."""
    folder = tmp_path_factory.mktemp("enhanced") / "demo"
    shutil.copytree(finished_demo, folder, symlinks=True)
    (folder / "config" / "four.yaml").write_text(FOUR)
    ran = snakemake(folder, *ENHANCED, "--", RESULT, f"{MODELS}/face/generator.safetensors")
    assert ran.status == 0, ran.output
    (folder / "output.txt").write_text(ran.output)
    return folder


def test_adding_enhance_trains_body_anew_and_without_it_nothing_changes(finished_demo, tmp_path):
    assert plan(finished_demo, *TEST, "--", RESULT) == {}
    four = tmp_path / "four.yaml"
    four.write_text(FOUR)
    jobs = plan(finished_demo, *TEST, str(four), "--", RESULT)
    assert jobs["train_stage"] == 4
    assert jobs["synthesize_frames"] == jobs["assemble_video"] == 1
    assert not {"estimate_pose", "render_labels", "cut_window", "build_room"} & set(jobs)
    # What only the enhancer reads concerns nobody who has none.
    more = tmp_path / "more.yaml"
    more.write_text("network: {enhancer_residual_blocks: 1}\ntraining: {fix_coarse: 0.5}\n")
    assert plan(finished_demo, *TEST, str(more), "--", RESULT) == {}


def test_each_stage_leaves_the_generator_it_should(enhanced_demo):
    found = {
        name: load_generator(enhanced_demo / MODELS / name / "generator.safetensors")
        for name in STAGES
    }
    architectures = [found[name].architecture for name in STAGES]
    assert architectures == ["halved", "halved", "enhancer", "enhancer"]
    size = FrameReader(enhanced_demo / "results/videos/demo_target/frames.zip").info.size
    assert {(one.height, one.width) for one in found.values()} == {size}
    assert FrameReader(enhanced_demo / RESULT.replace(".mp4", "/frames.zip")).info.size == size
    assert "tensors carried over" in (enhanced_demo / "output.txt").read_text()


def test_what_only_the_enhancer_reads_trains_the_coarse_stages_no_more(enhanced_demo, tmp_path):
    assert plan(enhanced_demo, *ENHANCED, "--", RESULT) == {}
    for text in ("network: {enhancer_residual_blocks: 1}", "training: {fix_coarse: 0.5}"):
        (tmp_path / "more.yaml").write_text(f"{text}\n")
        jobs = plan(enhanced_demo, *ENHANCED, str(tmp_path / "more.yaml"), "--", RESULT)
        assert jobs["train_stage"] == 2, text


def test_a_halved_generator_is_measured_like_any_other(enhanced_demo):
    metrics = "results/evaluation/demo_target/temporal/metrics.json"
    ran = snakemake(enhanced_demo, *ENHANCED, "--", metrics)
    assert ran.status == 0, ran.output
    assert (enhanced_demo / metrics).is_file()


def settings(folder: Path, text: str) -> Path:
    """A checkout whose config.yaml holds these lines."""
    make_checkout(folder)
    (folder / "config" / "config.yaml").write_text(f"preset: cpu\n{text}")
    return folder


def test_the_plain_name_plans_what_leads_to_it(tmp_path):
    jobs = plan(settings(tmp_path, FOUR), "--configfile", "config/demo.yaml", "--", "enhance")
    assert (jobs["train_stage"], jobs["enhance"]) == (3, 1)


def test_the_plain_name_is_refused_where_there_is_no_such_stage(tmp_path):
    ran = snakemake(
        settings(tmp_path, ""), "-n", "--configfile", "config/demo.yaml", "--", "enhance"
    )
    assert ran.status != 0
    (line,) = ran.errors
    assert "stage 'enhance' is not among training.stages (body, temporal, face); set" in line


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            "generator_channels: 25",
            "network.generator_channels is 25, expected an even number: the",
        ),
        ("downsamplings: 5", "network.downsamplings is 5, expected at most 4: windows are"),
    ],
)
def test_networks_that_cannot_be_enhanced_are_refused_before_any_job(tmp_path, network, message):
    folder = settings(tmp_path, f"{FOUR}network: {{{network}}}\n")
    ran = snakemake(folder, "--dry-run", "face")
    assert ran.status != 0
    (line,) = ran.errors
    assert line.startswith(f"edn: error: config.yaml: {message}")
