"""Names of videos, wherever from: none leaves its folder, reaches a shell or a terminal."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from checkout import make_checkout, snakemake

from edn_core.intake import MAX_NAME, check_asked, check_name, find_videos
from edn_core.mark import check_mark
from edn_core.video import encode, probe

HOSTILE = [
    "$(touch marker)",
    "`touch marker`",
    "a; touch marker",
    "a && touch marker",
    "a|touch marker",
    "a > marker",
    "'; touch marker; '",
    '"; touch marker; "',
    "a\ntouch marker",
    "a\r",
    "\x1b[2J",
    "a\tb",
    "..",
    "../../marker",
    "..%2fmarker",
    "/marker",
    "a/b",
    "a\\b",
    "~",
    "~root",
    "{target}",
    "{0.__class__}",
    "%s",
    "*",
    "a=b",
    "аdance",  # a Cyrillic letter that looks like a Latin one
    "dance\u202e4pm",  # the rest is written from right to left
    "dance\u200b",  # a space of no width
    "ｄａｎｃｅ",
    "dan\u0301ce",
    "١٢",  # digits to Python's str.isdigit and to \\d
    "a" * (MAX_NAME + 1),
    "a" * 100_000,
]
RUNNING = HOSTILE[:-1]  # longer than a command line takes


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_is_refused_on_one_line_that_a_terminal_can_show(name):
    for check in (
        lambda: check_name(name, f"videos/{name}.mp4"),
        lambda: check_asked([name], {"dance": "videos/dance.mp4"}, "videos"),
    ):
        with pytest.raises(ValueError) as raised:
            check()
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 2000


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_a_file_of_a_hostile_name_is_refused(tmp_path, name):
    try:
        (tmp_path / f"{name}.mp4").touch()
    except (OSError, ValueError):
        pytest.skip("no file can have this name")
    if "/" in name or name[0] == ".":
        pytest.skip("a file in another folder, or a hidden one, which is passed over")
    with pytest.raises(ValueError) as raised:
        find_videos(tmp_path)
    assert str(raised.value).isprintable()


def test_two_of_the_longest_names_fit_into_one_file_name():
    name = "a" * MAX_NAME
    check_name(name, "")
    assert len(f".{name}_to_{name}.4194304.partial.mp4") <= 255


def test_a_leading_dash_stays_in_a_path_and_is_no_option(tmp_path):
    (tmp_path / "-rf.mp4").touch()
    assert find_videos(tmp_path) == {"-rf": str(tmp_path / "-rf.mp4")}
    # Never at the beginning of an argument.
    assert find_videos(os.path.relpath(tmp_path))["-rf"].endswith("/-rf.mp4")


def test_a_link_to_a_video_is_that_video_and_one_to_nothing_is_told(tmp_path):
    images = iter([np.zeros((64, 64, 3), np.uint8)] * 3)
    encode(tmp_path / "elsewhere" / "me.mp4", images, Fraction(25))
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "dance.mp4").symlink_to(tmp_path / "elsewhere" / "me.mp4")
    (videos / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (videos / "loop.mp4").symlink_to(videos / "loop.mp4")
    (videos / "device.mp4").symlink_to("/dev/zero")
    os.mkfifo(videos / "pipe.mp4")
    found = find_videos(videos)
    assert probe(found["dance"]).n_frames == 3
    for name in ("gone", "loop", "device", "pipe"):
        with pytest.raises(ValueError, match=rf"{name}\.mp4: no such video"):
            probe(found[name])


LISTS = {
    "FFmpeg's list of files": "ffconcat version 1.0\nfile secret.mp4\n",
    "the same, with its length": "ffconcat version 1.0\nfile secret.mp4\nduration 5\n",
    "the same, whole paths": "ffconcat version 1.0\nfile '{folder}/secret.mp4'\n",
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    "HLS from the network": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_video_that_is_a_list_of_other_files_reads_none(tmp_path, kind):
    secret = tmp_path / "secret.mp4"
    encode(secret, iter([np.zeros((64, 64, 3), np.uint8)] * 3), Fraction(25))
    for suffix in (".mp4", ".mkv", ".ts"):
        path = tmp_path / f"dance{suffix}"
        path.write_text(LISTS[kind].format(folder=tmp_path))
        with pytest.raises(ValueError, match="not a readable video"):
            probe(path)


@pytest.mark.parametrize("mark", ["a\nb", "\x1b[2J", "\u202e", "\ud800", "\0"])
def test_a_mark_that_is_no_text_to_draw_is_refused(mark):
    with pytest.raises(ValueError) as raised:
        check_mark(mark)
    assert str(raised.value).isprintable()


# Whole runs


def is_untouched(folder: Path) -> bool:
    """Whether no file called marker lies anywhere near."""
    return not [*folder.parent.rglob("marker*")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    folder = make_checkout(tmp_path_factory.mktemp("names") / "run")
    (folder / "videos").mkdir()
    encode(folder / "videos" / "me.mp4", iter([np.zeros((64, 64, 3), np.uint8)] * 3), Fraction(25))
    return folder


@pytest.mark.workflow
@pytest.mark.parametrize(
    "settings",
    [
        "videos: {'$(touch marker)': {start_s: 1.0}}",
        "videos: {'../../marker': {}}",
        "videos: {1: {}}",
        "transfers: [{source: '; touch marker', target: me}]",
        "transfers: [{source: ../../marker, target: me}]",
        "videos_folder: '$(touch marker)'",
        "pose: {backend: openpose_files, openpose_files: '`touch marker`/{video}'}",
        "pose: {backend: '../../marker'}",
        "labels: {style: '$(touch marker)'}",
        'assembly: {mark: "a\\nb"}',
        "training: {vgg19: '; touch marker'}",
    ],
)
def test_a_hostile_setting_ends_in_one_line_and_does_nothing(checkout, settings):
    (checkout / "config" / "config.yaml").write_text(f"preset: cpu\n{settings}\n")
    ran = snakemake(checkout, "--dry-run", "--", "results/videos/me/keypoints.raw.h5")
    assert ran.status != 0
    assert "Traceback" not in ran.output
    (line,) = ran.errors
    assert line.isprintable()
    assert is_untouched(checkout)


@pytest.mark.workflow
@pytest.mark.parametrize(
    "target",
    [
        "results/videos/$(touch marker)/frames.zip",
        "results/videos/../../marker/frames.zip",
        "results/transfer/me_to_;touch marker;.mp4",
        "results/transfer/me_to_`touch marker`.mp4",
        "results/models/'/body/generator.safetensors",
    ],
)
def test_a_hostile_target_ends_with_an_error_and_does_nothing(checkout, target):
    (checkout / "config" / "config.yaml").write_text("preset: cpu\n")
    ran = snakemake(checkout, "--", target)
    assert ran.status != 0
    assert "Traceback" not in ran.output
    assert is_untouched(checkout)
    assert not (checkout / "results" / "videos").exists()
