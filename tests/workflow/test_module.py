"""The workflow as a module of another one, in another folder and behind a prefix."""

from pathlib import Path

import pytest
import yaml
from checkout import REPOSITORY, dry_run, make_checkout, plan, snakemake

pytestmark = pytest.mark.workflow

PARENT = """
configfile: "mine.yaml"


module edn:
    snakefile:
        "{snakefile}"
    config:
        config["edn"]
    prefix:
        "edn"


use rule * from edn as edn_*


rule mine:
    input:
        "edn/results/demo/demo_target.mp4",
    output:
        "mine.txt",
    shell:
        "ls -l {{input}} > {{output}}"
"""


def make_parent(folder: Path, settings: dict, snakefile: str = "Snakefile") -> Path:
    """A workflow of somebody else's beside a checkout of this one."""
    checkout = make_checkout(folder / "edn-checkout")
    parent = folder / "parent"
    parent.mkdir()
    (parent / "Snakefile").write_text(PARENT.format(snakefile=checkout / snakefile))
    (parent / "mine.yaml").write_text(yaml.safe_dump({"edn": settings, "other": 1}))
    return parent


def test_a_module_writes_everything_behind_its_prefix(tmp_path):
    settings = yaml.safe_load((REPOSITORY / "config/test.yaml").read_text())
    parent = make_parent(tmp_path, settings, "workflow/Snakefile")
    ran = snakemake(parent, "mine")
    assert ran.status == 0, ran.output
    there = {path.name for path in parent.iterdir()}
    assert there == {"Snakefile", "mine.yaml", "mine.txt", "edn", ".snakemake"}
    assert {path.name for path in (parent / "edn").iterdir()} == {"logs", "results"}
    assert "edn/results/demo/demo_target.mp4" in (parent / "mine.txt").read_text()
    # Its checkout stays as it is.
    assert not (tmp_path / "edn-checkout/results").exists()
    assert "Nothing to be done" in dry_run(parent, "mine").output


def test_a_module_plans_transfers_from_its_own_videos_folder(tmp_path):
    parent = make_parent(tmp_path, {"preset": "cpu"})
    (parent / "edn/videos").mkdir(parents=True)
    for name in ("dance.mp4", "me.mov"):
        (parent / "edn/videos" / name).touch()
    ran = dry_run(parent, "edn/results/transfer/dance_to_me.mp4")
    jobs = ran.jobs
    assert (jobs["edn_estimate_pose"], jobs["edn_train_stage"]) == (2, 3)
    assert "input: edn/videos/dance.mp4" in ran.output
    fetched = "output: edn/resources/models/"
    assert fetched in ran.output
    missing = dry_run(parent, "edn/results/transfer/danse_to_me.mp4")
    (line,) = missing.errors
    found = "no video named 'danse' in edn/videos/ (did you mean 'dance'?)"
    assert line.startswith(f"edn: error: {found}")


def test_an_absolute_videos_folder_gets_no_prefix(tmp_path):
    videos = tmp_path / "films"
    videos.mkdir()
    for name in ("dance.mp4", "me.mov"):
        (videos / name).touch()
    parent = make_parent(tmp_path, {"preset": "cpu", "videos_folder": str(videos)})
    ran = dry_run(parent, "edn/results/transfer/dance_to_me.mp4")
    assert f"input: {videos}/dance.mp4" in ran.output, ran.output


def test_a_module_wants_its_preset_named(tmp_path):
    parent = make_parent(tmp_path, {"transfers": []})
    (line,) = dry_run(parent, "mine").errors
    assert "preset is 'auto'" in line
    assert not (parent / "edn").exists()
    assert not (parent / "results").exists()


def test_the_catalogs_snakefile_plans_what_the_usual_one_plans(tmp_path):
    folder = make_checkout(tmp_path)
    demo = ("--configfile", "config/demo.yaml", "--", "demo")
    usual = plan(folder, *demo)
    assert plan(folder, "--snakefile", "workflow/Snakefile", *demo) == usual
    assert usual["train_stage"] == 3
