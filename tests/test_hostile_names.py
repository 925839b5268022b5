"""Names of videos, wherever from: none leaves its folder, reaches a shell or a terminal."""

import os
from fractions import Fraction

import numpy as np
import pytest
from checkout import make_checkout, snakemake_here

from edn_core.intake import MAX_NAME, Intake, check_name, find_videos
from edn_core.mark import check_mark
from edn_core.video import encode, probe

HOSTILE = [
    "$(touch marker)",
    "a; touch marker",
    "a\ntouch marker",
    "\x1b[2J",
    "..",
    "../../marker",
    "a\\b",
    "~root",
    "{0.__class__}",
    "а-dance",  # a Cyrillic letter that looks like a Latin one
    "dance\u202e4pm",  # the rest is written from right to left
    "dan\u0301ce",
    "١٢",  # digits to Python's str.isdigit and to \\d
    "a" * 100_000,
]
# Whatever a setting or a target says, a dry run and a run end in one line or in an error.
SETTINGS = [
    "videos: {'../../marker': {}}",
    "transfers: [{source: '; touch marker', target: me}]",
    "videos_folder: '$(touch marker)'",
    "pose: {backend: openpose_files, openpose_files: '`touch marker`/{video}'}",
    'assembly: {mark: "a\\nb"}',
    "training: {vgg19: '; touch marker'}",
]
TARGETS = [
    "results/videos/../../marker/frames.zip",
    "results/transfer/me_to_$(touch marker).mp4",
    "results/models/'/body/generator.safetensors",
]


def black(n_frames: int):
    return iter([np.zeros((64, 64, 3), np.uint8)] * n_frames)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_is_refused_on_one_line_that_a_terminal_can_show(tmp_path, name):
    for check in (
        lambda: check_name(name, f"videos/{name}.mp4"),
        lambda: Intake(tmp_path, {"dance": "videos/dance.mp4"}, {}).check_asked([name]),
    ):
        with pytest.raises(ValueError) as raised:
            check()
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 2000
    if "/" not in name and name[0] != "." and len(name) < 200:
        (tmp_path / f"{name}.mp4").touch()
        assert not find_videos(tmp_path).videos


def test_two_of_the_longest_names_fit_into_one_file_name():
    name = "a" * MAX_NAME
    check_name(name, "")
    assert len(f".{name}_to_{name}.4194304.partial.mp4") <= 255


def test_a_link_to_a_video_is_that_video_and_one_to_nothing_is_told(tmp_path):
    encode(tmp_path / "elsewhere" / "me.mp4", black(3), Fraction(25))
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "dance.mp4").symlink_to(tmp_path / "elsewhere" / "me.mp4")
    (videos / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    os.mkfifo(videos / "pipe.mp4")
    found = find_videos(videos).videos
    assert probe(found["dance"]).n_frames == 3
    for name in ("gone", "pipe"):
        with pytest.raises(ValueError, match=rf"{name}\.mp4: no such video"):
            probe(found[name])


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    ],
    ids=["FFmpeg's list", "HLS"],
)
def test_a_video_that_is_a_list_of_other_files_reads_none(tmp_path, text):
    encode(tmp_path / "secret.mp4", black(3), Fraction(25))
    for suffix in (".mp4", ".ts"):
        (tmp_path / f"dance{suffix}").write_text(text)
        with pytest.raises(ValueError, match="not a readable video"):
            probe(tmp_path / f"dance{suffix}")


@pytest.mark.parametrize("mark", ["a\nb", "\x1b[2J", "\ud800", "\0"])
def test_a_mark_that_is_no_text_to_draw_is_refused(mark):
    with pytest.raises(ValueError) as raised:
        check_mark(mark)
    assert str(raised.value).isprintable()


@pytest.mark.workflow
def test_hostile_settings_and_targets_end_with_an_error_and_do_nothing(tmp_path):
    folder = make_checkout(tmp_path / "run")
    encode(folder / "videos" / "me.mp4", black(3), Fraction(25))
    for settings in SETTINGS:
        (folder / "config" / "config.yaml").write_text(f"preset: cpu\n{settings}\n")
        ran = snakemake_here(folder, "--", "results/videos/me/keypoints.raw.h5")
        (line,) = ran.errors
        assert ran.status != 0 and line.isprintable() and "Traceback" not in ran.output
    (folder / "config" / "config.yaml").write_text("preset: cpu\n")
    for target in TARGETS:
        ran = snakemake_here(folder, "--", target)
        assert ran.status != 0 and "Traceback" not in ran.output
    assert not [*tmp_path.rglob("marker*")]
    assert not (folder / "results" / "videos").exists()
