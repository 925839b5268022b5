"""What is planned, and what is refused before anything runs."""

import re
from pathlib import Path

import pytest
from checkout import dry_run, make_checkout, plan, snakemake_here

from edn_core.config import PRESETS
from edn_core.store import read_json

pytestmark = pytest.mark.workflow

DEMO = ("--configfile", "config/demo.yaml", "--")
BOTH = ["film_demo", "estimate_pose", "smooth_pose"]
TO_CUT = dict.fromkeys([*BOTH, "measure_video", "find_matte", "plan_window", "cut_window"], 1)
TO_TRAIN = {**TO_CUT, "render_labels": 1, "train_stage": 3}
TO_EVALUATE = {
    **TO_TRAIN,
    "build_room": 1,
    **dict.fromkeys(["evaluate_truth", "evaluate_target"], 1),
}
TO_SYNTHESIZE = ["normalize_pose", "render_transfer_labels", "synthesize_frames"]
TO_TRANSFER = {
    **TO_TRAIN,
    **dict.fromkeys([*BOTH, "measure_video", "preview_video"], 2),
    **dict.fromkeys(TO_SYNTHESIZE, 1),
    **dict.fromkeys(["build_room", "assemble_video", "compare_video", "plot_normalization"], 1),
}
PLANS = {
    "frames": TO_CUT,
    "poses": dict.fromkeys([*BOTH, "preview_video"], 2),
    "statistics": dict.fromkeys([*BOTH, "measure_video"], 2),
    "preflight": dict.fromkeys([*BOTH, "measure_video", "preflight_video"], 2)
    | dict.fromkeys(["find_matte", "build_room", "plan_window"], 1)
    | {"normalize_pose": 1, "preflight_pair": 1},
    "labels": dict.fromkeys([*BOTH, "measure_video", "plan_window", "render_labels"], 1),
    "body": TO_TRAIN | {"train_stage": 1},
    "temporal": TO_TRAIN | {"train_stage": 2},
    "face": TO_TRAIN,
    "evaluation": TO_EVALUATE
    | {name: TO_TRANSFER[name] for name in [*BOTH, "measure_video", *TO_SYNTHESIZE]}
    | {"evaluate_transfer": 1},
    "forensics": TO_TRAIN
    | {name: TO_TRANSFER[name] for name in [*BOTH, "measure_video", *TO_SYNTHESIZE]}
    | {"build_room": 1, "synthesize_own_dance": 1, "train_detector": 1},
    "transfer": TO_TRANSFER,
    "all": TO_TRANSFER,
    "demo": TO_TRANSFER | TO_EVALUATE | dict.fromkeys([*BOTH, "measure_video"], 2),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, pose_models) -> Path:
    """A checkout without videos; nothing is written into it but plans."""
    return make_checkout(tmp_path_factory.mktemp("plan"), pose_models)


def folder_with_videos(folder: Path, *names: str) -> Path:
    """A checkout with empty files for videos, which is all that a plan needs."""
    make_checkout(folder)
    (folder / "videos").mkdir()
    for name in names:
        (folder / "videos" / name).touch()
    return folder


def settings(folder: Path, text: str) -> Path:
    """A checkout whose config.yaml holds these lines."""
    make_checkout(folder)
    (folder / "config" / "config.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("target", PLANS)
def test_a_named_target_plans_what_leads_to_it_and_nothing_else(checkout, target):
    assert plan(checkout, *DEMO, target) == PLANS[target] | {target: 1}


def test_the_bare_command_plans_the_configured_transfers(checkout):
    assert plan(checkout, "--configfile", "config/demo.yaml") == TO_TRANSFER | {"all": 1}


def test_the_tests_own_settings_plan_every_target(checkout):
    jobs = plan(checkout, "--configfile", "config/test.yaml", "--", *PLANS)
    assert set(PLANS) < set(jobs)
    assert jobs["film_demo"] == jobs["estimate_pose"] == 2


def test_without_settings_the_plain_targets_serve_every_video_there_is(tmp_path):
    jobs = plan(folder_with_videos(tmp_path, "dance.mp4", "me.MOV"), *PLANS)
    assert jobs["estimate_pose"] == 4  # and the demo's two
    assert jobs["cut_window"] == 3  # each may be a target; of the demo one is
    assert jobs["train_stage"] == 9
    assert jobs["assemble_video"] == 1  # the demo's: no transfer is configured


def test_a_transfer_of_own_videos_needs_no_settings(tmp_path):
    folder = folder_with_videos(tmp_path, "dance.mp4", "me.MOV")
    jobs = plan(folder, "results/transfer/dance_to_me.mp4")
    assert (jobs["estimate_pose"], jobs["train_stage"], jobs["assemble_video"]) == (2, 3, 1)
    assert jobs["find_matte"] == jobs["cut_window"] == 1  # the source gives its keypoints alone


def test_the_bare_command_says_what_to_put_where(tmp_path):
    ran = snakemake_here(make_checkout(tmp_path))
    assert ran.status == 0
    assert "edn: nothing to do yet: videos/ holds no videos." in ran.output
    assert "`snakemake results/transfer/dance_to_me.mp4`" in ran.output


def test_a_transparent_film_is_asked_for_by_a_suffix_that_can_be_so(tmp_path):
    folder = folder_with_videos(tmp_path, "dance.mp4", "me.mp4")
    (folder / "config/config.yaml").write_text(
        "preset: cpu\nassembly: {background: transparent}\n"
        "transfers: [{source: dance, target: me}]\n"
    )
    assert "results/transfer/dance_to_me.webm" in dry_run(folder).output
    refused = dry_run(folder, "results/transfer/dance_to_me.mp4")
    assert refused.errors == [
        "edn: error: assembly.background is transparent, which an mp4 cannot be; ask for "
        "`results/transfer/dance_to_me.webm`, or `dance_to_me.mov`"
    ]
    # The room's shadow falls on nothing as well.
    jobs = plan(folder, "results/transfer/dance_to_me.mov")
    assert jobs["assemble_video"] == 1 and jobs["build_room"] == 1
    (folder / "config/config.yaml").write_text("preset: cpu\nbackground: paint\n")
    assert "build_room" not in plan(folder, "results/transfer/dance_to_me.mov")


def test_the_preflight_waits_for_the_room_of_a_target_that_is_shown_and_for_no_other(tmp_path):
    folder = folder_with_videos(tmp_path, "dance.mp4", "me.mp4")
    assert "find_matte" not in plan(folder, "results/videos/dance/preflight.png")
    pair = "results/transfer/dance_to_me/preflight.png"
    jobs = plan(folder, pair)
    assert (jobs["estimate_pose"], jobs["find_matte"], jobs["build_room"]) == (2, 1, 1)
    (folder / "config/config.yaml").write_text("preset: cpu\nassembly: {background: transparent}\n")
    assert "find_matte" not in plan(folder, pair)


def test_a_matrix_processes_each_video_once(tmp_path):
    sources, targets = [f"source{i}" for i in range(6)], [f"target{i}" for i in range(4)]
    folder = folder_with_videos(tmp_path, *(f"{name}.mp4" for name in sources + targets))
    pairs = [f"  - {{source: {s}, target: {t}}}\n" for s in sources for t in targets]
    (folder / "config" / "config.yaml").write_text("preset: cpu\ntransfers:\n" + "".join(pairs))
    jobs = plan(folder, "--quiet", "rules")
    per_video = ("estimate_pose", "smooth_pose", "measure_video", "preview_video")
    assert [jobs[rule] for rule in per_video] == [10] * 4
    assert jobs["cut_window"] == jobs["find_matte"] == jobs["build_room"] == 4
    assert jobs["train_stage"] == 3 * 4
    assert jobs["assemble_video"] == jobs["synthesize_frames"] == 6 * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "training: {body: {learning_rat: 0.1}}",
            "config.yaml: training.body has no key 'learning_rat'; did you mean 'learning_rate'?",
        ),
        (
            "background: paint\nassembly: {background: '#00ff00'}",
            "config.yaml: assembly.background is '#00ff00', which needs background: room: with "
            "paint there is no outline to cut the dancer out by",
        ),
        (
            "labels: {style: dots}",
            "config.yaml: labels.style is 'dots'; known: edn, limb_index",
        ),
        (
            "training: {vgg19: none.pth}",
            "config.yaml: training.vgg19 is 'none.pth', and there is no such file; put "
            "torchvision's "
            "vgg19-dcbb9e9d.pth there, or leave it out (L1 stands in for it)",
        ),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(tmp_path, text, message):
    ran = dry_run(settings(tmp_path, text), "demo")
    assert ran.status != 0
    assert ran.errors == [f"edn: error: {message}"]
    assert "Traceback" not in ran.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pose: {backend: openpose}",
            "pose.openpose.body: is not set; .*body_pose_model.pth .*huggingface.co/.*"
            "non-commercial.*pose.openpose.body_sha256 pins the file",
        ),
        (
            "pose: {backend: openpose, openpose: {body: some.pth, body_sha256: abc}}",
            "some.pth: has SHA-256 e3b0c442[0-9a-f]*, expected abc.*openpose.body_sha256.*download",
        ),
        (
            "pose: {backend: openpose_files, openpose_files: 'found/{video}'}",
            "found/demo_source: nothing there; .*correct pose.openpose_files",
        ),
    ],
)
def test_a_backend_without_its_files_is_refused_before_any_job(tmp_path, text, message):
    folder = settings(tmp_path, f"preset: cpu\n{text}\n")
    (folder / "some.pth").touch()
    ran = snakemake_here(folder, "results/videos/demo_source/preview.mp4")
    assert ran.status != 0
    (line,) = ran.errors
    assert re.fullmatch(f"edn: error: {message}.*", line)
    assert "Traceback" not in ran.output
    assert not (folder / "results/demo").exists()


def test_a_run_writes_the_preset_down_and_the_next_one_reads_it(tmp_path):
    folder = make_checkout(tmp_path)
    dry_run(folder, "frames")
    assert not (folder / "results").exists()  # a dry one writes nothing
    assert snakemake_here(folder, "frames").status == 0
    kept = folder / "results" / "preset.yaml"
    assert kept.read_text().splitlines()[-1] in {f"preset: {name}" for name in PRESETS}
    kept.write_text("preset: cpu\nbecause: I say so\n")
    assert "edn: preset cpu (I say so;" in snakemake_here(folder, "frames").output
    assert kept.read_text() == "preset: cpu\nbecause: I say so\n"


def test_weights_are_fetched_when_a_run_that_wants_them_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("edn_core.weights.PUBLISHED", "http://127.0.0.1:9")  # nobody listens there
    gone = "evaluation: {alexnet: 'http://127.0.0.1:9/alexnet-owt-7be5be79.pth'}"
    folder = settings(tmp_path, f"preset: cpu\ntraining: {{vgg19: auto}}\n{gone}\n")
    target = "results/evaluation/demo_target/table.json"
    assert dry_run(folder, "--", target).status == 0 and not (folder / "results").exists()
    ran = snakemake_here(folder, "--", target)
    assert "training.vgg19: auto came to nothing, as the network was away (L1" in ran.output
    assert read_json(folder / "results" / "weights.json") == {"vgg19": False}
    (line,) = ran.errors
    assert "alexnet-owt-7be5be79.pth: could not be fetched" in line
    assert not (folder / "results/demo").exists()  # before any job


def test_a_named_preset_wins_over_the_one_written_down(tmp_path):
    folder = make_checkout(tmp_path)
    (folder / "results").mkdir()
    (folder / "results" / "preset.yaml").write_text("preset: huge\n")
    refused = dry_run(folder, "frames")
    assert refused.status != 0
    assert (
        "results/preset.yaml: names the preset 'huge', expected one of cpu, 8gb, " in refused.output
    )
    assert dry_run(folder, "--config", "preset=24gb", "--", "frames").status == 0


def test_auto_is_refused_where_the_jobs_go_to_other_machines(tmp_path):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    folder = make_checkout(tmp_path)
    ran = snakemake_here(folder, "--executor", "slurm", "--jobs", "1", "frames")
    assert ran.status != 0
    assert ran.errors == [
        "edn: error: preset is 'auto', but the jobs go to other machines, which may differ from "
        "this one; name one: --config preset=24gb (or preset: 24gb in config/config.yaml)"
    ]
    assert not (folder / "results").exists()


def test_the_workflow_is_lint_clean(checkout):
    ran = snakemake_here(checkout, "--lint")
    assert ran.status == 0, ran.output


def test_a_training_on_more_gpus_than_the_run_may_use_is_refused_with_the_option(tmp_path):
    folder = make_checkout(tmp_path)
    (folder / "two.yaml").write_text("preset: cpu\nruntime: {gpus_per_training: 2}\n")
    settings = ("--configfile", "two.yaml", "--")
    refused = dry_run(folder, *settings, "demo")
    assert refused.errors == [
        "edn: error: runtime.gpus_per_training is 2, but this run may use 1 (gpu=1); give "
        "`--resources gpu=2`, or set runtime.gpus_per_training to 1"
    ]
    granted = dry_run(folder, "--resources", "gpu=2", *settings, "demo")
    assert "gpu=2" in granted.output and granted.status == 0
