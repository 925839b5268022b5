"""The workflow with four stages: body and temporal at half the window, then enhance, then face."""

import shutil
from pathlib import Path

import pytest
from checkout import dry_run, make_checkout, plan, snakemake

from edn_core.checkpoint import load_generator
from edn_core.frames import FrameReader

pytestmark = pytest.mark.workflow

FOUR = "training: {stages: [body, temporal, enhance, face], enhance: {steps: 6, validations: 2}}\n"
TEST = ("--configfile", "config/test.yaml")
ENHANCED = (*TEST, "config/four.yaml")
STAGES = ("body", "temporal", "enhance", "face")
RESULT = "results/transfer/demo_source_to_demo_target.mp4"
MODELS = "results/models/demo_target"
TABLE = "results/evaluation/demo_target/table.json"


@pytest.fixture(scope="module")
def enhanced_demo(finished_demo, tmp_path_factory) -> Path:
    """A copy of the finished demo, gone on with in four stages."""
    folder = tmp_path_factory.mktemp("enhanced") / "demo"
    shutil.copytree(finished_demo, folder, symlinks=True)
    (folder / "config" / "four.yaml").write_text(FOUR)
    ran = snakemake(folder, *ENHANCED, "--", RESULT, TABLE)
    assert ran.status == 0, ran.output
    (folder / "output.txt").write_text(ran.output)
    return folder


def test_adding_enhance_trains_what_comes_after_and_else_nothing_changes(finished_demo, tmp_path):
    assert plan(finished_demo, *TEST, "--", RESULT) == {}
    four = tmp_path / "four.yaml"
    four.write_text(FOUR)
    jobs = plan(finished_demo, *TEST, str(four), "--", RESULT)
    assert jobs["train_stage"] == 2  # enhance and face
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
    assert (enhanced_demo / TABLE).is_file()  # halved ones are measured like any other


def test_what_only_the_enhancer_reads_trains_the_coarse_stages_no_more(enhanced_demo, tmp_path):
    assert plan(enhanced_demo, *ENHANCED, "--", RESULT) == {}
    for text in ("network: {enhancer_residual_blocks: 1}", "training: {fix_coarse: 0.5}"):
        (tmp_path / "more.yaml").write_text(f"{text}\n")
        jobs = plan(enhanced_demo, *ENHANCED, str(tmp_path / "more.yaml"), "--", RESULT)
        assert jobs["train_stage"] == 2, text


def test_the_plain_name_plans_what_leads_to_it_where_there_is_such_a_stage(tmp_path):
    make_checkout(tmp_path)
    demo = ("--configfile", "config/demo.yaml", "--", "enhance")
    (tmp_path / "config" / "config.yaml").write_text("preset: cpu\n")
    ran = dry_run(tmp_path, *demo)
    assert ran.status != 0
    (line,) = ran.errors
    assert "stage 'enhance' is not among training.stages (body, temporal, face); set" in line
    (tmp_path / "config" / "config.yaml").write_text(f"preset: cpu\n{FOUR}")
    jobs = plan(tmp_path, *demo)
    assert (jobs["train_stage"], jobs["enhance"]) == (3, 1)
