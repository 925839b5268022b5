"""Two videos in, one video out: the demo through every stage, with the real pose networks."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from checkout import plan, snakemake

import edn_core
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.video import decode, encode, probe

pytestmark = pytest.mark.workflow

TINY = ("--configfile", "config/test.yaml")
PAIR = "demo_source_to_demo_target"
AFTER_TRAINING = {
    "train_stage": 3,
    "evaluate_target": 1,
    "synthesize_frames": 1,
    "assemble_video": 1,
    "compare_video": 1,
    "demo": 1,
}
AFTER_MOVING = dict.fromkeys(
    "normalize_pose render_transfer_labels synthesize_frames assemble_video compare_video "
    "plot_normalization demo".split(),
    1,
)


def touch(*paths: Path) -> None:
    """Set the time of files to now, later than any result's."""
    for path in paths:
        os.utime(path)


def test_the_result_has_the_sources_length_rate_and_sound_and_the_targets_size(finished_demo):
    source = probe(finished_demo / "results/demo/demo_source.mp4")
    result = probe(finished_demo / f"results/transfer/{PAIR}.mp4")
    assert (result.n_frames, result.fps) == (source.n_frames, source.fps) == (25, 25)
    assert result.has_sound
    with av.open(str(finished_demo / f"results/transfer/{PAIR}.mp4")) as container:
        (sound,) = container.streams.audio
        assert abs(float(sound.duration * sound.time_base) - 1.0) < 0.1
    target = probe(finished_demo / "results/demo/demo_target.mp4")
    assert (result.width, result.height) == (target.width, target.height) == (480, 640)


def test_where_the_room_was_bare_the_result_shows_it(finished_demo):
    results = finished_demo / "results"
    filmed, made = (
        next(decode(path, probe(path).timeline())).astype(int)
        for path in (results / "demo/demo_target.mp4", results / f"transfer/{PAIR}.mp4")
    )
    apart = np.abs(filmed - made)
    assert np.median(apart[:100]) <= 3  # above the dancer's head


def test_everything_to_look_at_is_there(finished_demo):
    results = finished_demo / "results"
    n_frames = {"demo_source": 25, "demo_target": 60}
    for video, expected in n_frames.items():
        assert probe(results / "videos" / video / "preview.mp4").n_frames == expected
    comparison = probe(results / "transfer" / PAIR / "comparison.mp4")
    assert (comparison.n_frames, comparison.has_sound) == (25, True)
    for picture in [
        results / "transfer" / PAIR / "normalization.png",
        results / "evaluation" / "demo_target" / "comparison.png",
    ]:
        assert cv2.imread(str(picture)).std() > 0


def test_each_stage_is_measured_beside_two_baselines(finished_demo):
    folder = finished_demo / "results/evaluation/demo_target"
    table = json.loads((folder / "table.json").read_text())
    assert table["n_frames"] == 12  # the last fifth of 60
    assert [row["name"] for row in table["rows"]] == [
        *("nearest_pose", "mean_frame", "body", "temporal", "face", "truth")
    ]


def test_the_summary_names_what_there_is_and_how_good_it_is(finished_demo):
    command = [sys.executable, "-m", "edn_core.summary", "demo_source", "demo_target"]
    output = subprocess.run(
        command, cwd=finished_demo, check=True, capture_output=True, text=True
    ).stdout
    assert output.startswith(f"results/transfer/{PAIR}.mp4 ")
    starts = ("nearest pose", "mean frame", "body", "+ temporal", "+ face")
    for line, start in zip(output.splitlines()[-5:], starts, strict=True):
        assert line.startswith(start), output


def test_a_second_run_says_that_nothing_is_to_be_done(finished_demo):
    ran = snakemake(finished_demo, *TINY, "--", "demo")
    assert ran.status == 0
    assert "Nothing to be done" in ran.output


def test_touching_files_without_changing_them_makes_nothing_again(finished_demo):
    touch(*(finished_demo / "results/videos").rglob("*.h5"))
    touch(*(finished_demo / "results/demo").glob("*.mp4"))
    assert plan(finished_demo, *TINY, "--", "demo") == {}


def test_checking_the_workflow_out_again_or_editing_a_comment_makes_nothing_again(finished_demo):
    with open(finished_demo / "workflow/scripts/train_stage.py", "a") as script:
        script.write("# A comment.\n")
    with open(finished_demo / "edn_core/training/body.py", "a") as module:
        module.write("# Another one.\n")
    for name in ("workflow", "edn_core", "config", "envs"):
        touch(*(path for path in (finished_demo / name).rglob("*") if path.is_file()))
    assert plan(finished_demo, *TINY, "--", "demo") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "training: {temporal: {learning_rate: 0.0003}}",
            AFTER_TRAINING | {"train_stage": 2},
        ),
        ("network: {generator_channels: 8}", AFTER_TRAINING),
        (
            "network: {face_generator_channels: 8}",
            AFTER_TRAINING | {"train_stage": 1},
        ),
        (
            "labels: {thickness: 1.5}",
            AFTER_TRAINING | {"render_labels": 1, "render_transfer_labels": 1},
        ),
        (
            "canvas: {pixels: 8192}",
            AFTER_TRAINING
            | dict.fromkeys(
                ["plan_window", "cut_window", "render_labels", "render_transfer_labels"], 1
            ),
        ),
        ("assembly: {background: '#102030'}", {"assemble_video": 1, "compare_video": 1, "demo": 1}),
        ("normalization: {horizontal: keep}", AFTER_MOVING),
        (
            "videos: {demo_source: {dancer: centre}}",
            AFTER_MOVING
            | dict.fromkeys(["estimate_pose", "smooth_pose", "measure_video", "preview_video"], 1),
        ),
        ("runtime: {checkpoint_every_s: 1.0, log_every_s: 1.0}", {}),
    ],
    ids=[
        "temporal",
        "network",
        "face network",
        "label style",
        "size of the window",
        "another background",
        "normalization",
        "one video's dancer",
        "runtime",
    ],
)
def test_a_changed_setting_reruns_its_stage_and_what_follows(finished_demo, text, expected):
    (finished_demo / "changed.yaml").write_text(text)
    assert plan(finished_demo, *TINY, "changed.yaml", "--", "demo") == expected


def test_a_targets_second_source_trains_nothing(finished_demo):
    jobs = plan(finished_demo, *TINY, "--", "results/transfer/demo_target_to_demo_target.mp4")
    made = {"normalize_pose", "render_transfer_labels", "synthesize_frames", "assemble_video"}
    assert set(jobs) == made


def test_the_revision_of_a_stage_reruns_it_and_what_follows(finished_demo, monkeypatch):
    monkeypatch.setitem(edn_core.REVISIONS, "training", 1000)
    assert plan(finished_demo, *TINY, "--", "demo") == AFTER_TRAINING


def test_a_rule_can_be_run_again_by_name_and_a_run_can_end_at_one(finished_demo):
    again = ("--forcerun", "train_stage")
    assert plan(finished_demo, *TINY, *again, "--", "demo") == AFTER_TRAINING
    assert plan(finished_demo, *TINY, *again, "--", "face") == {"train_stage": 3, "face": 1}
    # Not `--until train_stage`: Snakemake stops after the first job of a rule it shall run until,
    # and here that rule comes three times in a row.
    until = ("--until", "results/models/demo_target/temporal/generator.safetensors")
    assert plan(finished_demo, *TINY, *again, *until, "--", "demo") == {"train_stage": 2}
    until = ("--until", "smooth_pose")
    jobs = plan(finished_demo, *TINY, "--forcerun", "estimate_pose", *until, "--", "demo")
    assert jobs == {"estimate_pose": 2, "smooth_pose": 2}


def landscape(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The dancer somewhat smaller in the middle of a wide grey picture."""
    for frame in frames:
        small = cv2.resize(frame, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        side = (800 - small.shape[1]) // 2
        yield cv2.copyMakeBorder(
            small, 14, 14, side, 800 - small.shape[1] - side, cv2.BORDER_CONSTANT, value=(90,) * 3
        )


def write_mov(path: Path, frames: Iterator[np.ndarray], fps: Fraction) -> None:
    """A QuickTime film with Motion JPEG, as older cameras wrote it; no sound."""
    with av.open(str(path), "w", format="mov") as container:
        first = next(frames)
        stream = container.add_stream("mjpeg", rate=fps)
        stream.pix_fmt, (stream.height, stream.width) = "yuvj420p", first.shape[:2]
        for frame in chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def test_own_videos_of_other_sizes_endings_and_rates_are_made_ready(finished_demo):
    demo, videos = finished_demo / "results/demo", finished_demo / "videos"
    videos.mkdir()
    frames = {
        name: islice(decode(demo / name, probe(demo / name).timeline()), 12)
        for name in ("demo_source.mp4", "demo_target.mp4")
    }
    encode(videos / "Dance.mp4", landscape(frames["demo_source.mp4"]), Fraction(24000, 1001))
    (videos / "Dance.mp4").rename(videos / "Dance.MP4")
    write_mov(videos / "me.mov", frames["demo_target.mp4"], Fraction(15))

    asked = [f"results/videos/{name}" for name in ("Dance/labels.zip", "me/keypoints.h5")]
    ran = snakemake(finished_demo, *TINY, "--", *asked)
    assert ran.status == 0, ran.output
    dance = FrameReader(finished_demo / asked[0])
    assert (len(dance), dance.info.fps) == (12, Fraction(24000, 1001))
    assert (dance.info.video_width, dance.info.video_height) == (800, 448)
    assert max(dance[i].max() for i in range(12)) > 100
    me = read_keypoints(finished_demo / asked[1])
    assert (len(me), me.fps) == (12, 15)
    assert (me.score["body"] > 0).any(axis=1).all()

    jobs = plan(finished_demo, *TINY, "--", "results/transfer/Dance_to_me.mp4")
    assert (jobs["train_stage"], jobs["normalize_pose"], jobs["assemble_video"]) == (3, 1, 1)
    assert "estimate_pose" not in jobs


def test_painting_the_whole_picture_runs_to_its_end(finished_demo, tmp_path):
    painted = Path(shutil.copytree(finished_demo, tmp_path / "painted", symlinks=True))
    (painted / "paint.yaml").write_text("background: paint\ntraining: {stages: [body]}\n")
    asked = f"results/transfer/{PAIR}.mp4", "results/evaluation/demo_target/table.json"
    ran = snakemake(painted, *TINY, "paint.yaml", "--", *asked)
    assert ran.status == 0, ran.output
    made = FrameReader(painted / f"results/transfer/{PAIR}/frames.zip").info
    assert (made.channels, made.figure_px) == (3, 0)
    assert probe(painted / asked[0]).height == 640
