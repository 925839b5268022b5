"""The detector and the marks of a finished video, through Snakemake in the smallest sizes."""

import json

import cv2
import pytest
from checkout import dry_run, plan, snakemake

from edn_core.forensics import load_detector
from edn_core.frames import FrameReader
from edn_core.provenance import COMPOSITE, SYNTHETIC, read_provenance
from edn_core.store import file_sha256

pytestmark = pytest.mark.workflow

TINY = ("--configfile", "config/test.yaml")
PAIR = "demo_source_to_demo_target"


def test_the_detector_is_trained_and_measured_on_the_one_subject_there_is(finished_demo):
    ran = snakemake(finished_demo, *TINY, "--", "forensics")
    assert ran.status == 0, ran.output
    folder = finished_demo / "results/forensics"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["protocol"] == "same subject"
    assert load_detector(folder / "detector.safetensors").trained_on == ("demo_target",)
    assert cv2.imread(str(folder / "examples.png")) is not None
    own = FrameReader(folder / "demo_target/frames.zip")
    assert len(own) == 12  # the last fifth of 60
    assert plan(finished_demo, *TINY, "--", "forensics") == {}


def test_finished_videos_name_the_model_that_made_them(finished_demo):
    model = file_sha256(finished_demo / "results/models/demo_target/face/generator.safetensors")
    for name, source_type in ((f"{PAIR}.mp4", SYNTHETIC), (f"{PAIR}/comparison.mp4", COMPOSITE)):
        found = read_provenance(finished_demo / "results/transfer" / name)
        assert found is not None
        assert (found.model_sha256, found.source_type) == (model, source_type)
        assert (found.source, found.target) == ("demo_source", "demo_target")


def test_another_mark_assembles_the_videos_anew_and_nothing_else(finished_demo, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("assembly: {mark: AI}\n")
    planned = plan(finished_demo, *TINY, str(own), "--", "demo")
    assert planned == {"assemble_video": 1, "compare_video": 1, "demo": 1}


def test_a_subject_that_is_no_video_is_refused_in_one_line(finished_demo, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("forensics: {train: [nobody]}\n")
    ran = dry_run(finished_demo, *TINY, str(own), "--", "forensics")
    assert ran.status != 0
    assert len(ran.errors) == 1 and "nobody" in ran.errors[0]
