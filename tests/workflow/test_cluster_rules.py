"""What is sent to a cluster: every job says what it needs, under both profiles."""

import re
from pathlib import Path

import pytest
from checkout import dry_run, make_checkout

pytestmark = pytest.mark.workflow

EVERYTHING = ("demo", "preflight", "forensics", "evaluation", "report")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, pose_models) -> Path:
    """A checkout with the tests' settings, in which nothing is made."""
    return make_checkout(tmp_path_factory.mktemp("cluster_rules"), pose_models)


def resources(output: str) -> dict[str, list[str]]:
    """Rule -> the line of resources of each of its jobs, of those that are sent anywhere."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=(?:local)?rule )", output):
        rule = re.match(r"rule (\w+):", block)
        line = re.search(r"resources: (.*)", block)
        if rule:
            found.setdefault(rule[1], []).append(line[1] if line else "")
    return found


@pytest.mark.parametrize("profile", ["slurm", "generic"])
def test_every_job_that_is_sent_anywhere_asks_for_memory_and_time(checkout, profile):
    executor = {"slurm": "slurm", "generic": "cluster_generic"}[profile]
    pytest.importorskip(f"snakemake_executor_plugin_{executor}")
    arguments = ("--workflow-profile", profile, "--configfile", "config/test.yaml", "--")
    ran = dry_run(checkout, *arguments, *EVERYTHING)
    assert ran.status == 0, ran.output
    lines = resources(ran.output)
    for name in EVERYTHING:  # which only name files, and are done at once on the login node
        lines.pop(name, None)
    assert len(lines) > 20
    for rule, jobs in lines.items():
        for line in jobs:
            assert re.search(r"\bmem_mb=\d+", line), (rule, line)
            assert re.search(r"\bruntime=\d+", line), (rule, line)
    with_gpu = {rule for rule, jobs in lines.items() if all("gpu=1" in line for line in jobs)}
    assert {"train_stage", "synthesize_frames", "evaluate_target", "train_detector"} <= with_gpu
    assert not {"estimate_pose", "find_matte", "cut_window"} & with_gpu


def test_a_video_nobody_can_read_is_planned_and_refused_only_when_it_is_read(tmp_path):
    folder = make_checkout(tmp_path)
    (folder / "videos").mkdir()
    (folder / "videos" / "noise.mp4").write_bytes(bytes(range(256)) * 100)
    (folder / "videos" / "empty.mp4").touch()
    ran = dry_run(folder, "results/transfer/noise_to_empty.mp4")
    assert ran.status == 0, ran.output
    (planned,) = {line.split("gpu")[0] for line in resources(ran.output)["estimate_pose"]}
    assert "runtime=" in planned
