"""Which videos there are, and which names will not do."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edn_core.intake import (
    NAME,
    SUFFIXES,
    check_asked,
    check_name,
    check_times,
    find_videos,
    videos_in_target,
)

LETTERS = st.lists(st.sampled_from(["a", "_", "to", "_to", "-", "9"]), min_size=1, max_size=6).map(
    "".join
)


def folder_of(tmp_path, *names: str):
    for name in names:
        (tmp_path / name).write_bytes(b"video")
    return tmp_path


def test_videos_are_found_by_the_name_of_their_file(tmp_path):
    folder = folder_of(tmp_path, "me.mov", "dance.mp4", "b.webm", "c.mkv", "d.avi", "e.m4v")
    found = find_videos(folder)
    assert list(found) == ["b", "c", "d", "dance", "e", "me"]
    assert found["me"] == str(folder / "me.mov")


@pytest.mark.parametrize("name", ["me.MTS", "me.3gp", "me.wmv", "me.mpg"])
def test_what_cameras_and_phones_write_is_a_video_too(tmp_path, name):
    assert find_videos(folder_of(tmp_path, name)) == {"me": str(tmp_path / name)}


def test_the_ending_may_be_in_upper_case(tmp_path):
    folder = folder_of(tmp_path, "DANCE.MP4", "me.Mov")
    assert find_videos(folder) == {
        "DANCE": str(folder / "DANCE.MP4"),
        "me": str(folder / "me.Mov"),
    }


def test_other_files_and_hidden_ones_are_no_videos(tmp_path):
    folder = folder_of(tmp_path, "notes.txt", ".a.1234.partial.mp4", ".hidden name.mp4", "README")
    assert find_videos(folder) == {}


def test_a_folder_that_is_not_there_holds_none(tmp_path):
    assert find_videos(tmp_path / "videos") == {}


@pytest.mark.parametrize("second", ["dance.mov", "dance.MP4"])
def test_two_videos_of_one_name_are_refused_and_both_are_named(tmp_path, second):
    folder = folder_of(tmp_path, "dance.mp4", second)
    with pytest.raises(ValueError, match="two videos of one name; rename") as caught:
        find_videos(folder)
    assert "dance.mp4" in str(caught.value)
    assert second in str(caught.value)


@pytest.mark.parametrize(
    "name, better",
    [
        ("my dance", "my_dance"),
        ("me_to_you", "me-to-you"),
        ("tänzer", "t_nzer"),
        ("a.b", "a_b"),
        ("a/b", "a_b"),
        ("road_to", "road-to"),
        (" ", "video"),
        ("", "video"),
        ("a\n", "a"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_one_that_will(name, better):
    with pytest.raises(ValueError, match=f"rename it, to '{re.escape(better)}' for one") as caught:
        check_name(name, "videos/x.mp4")
    assert str(caught.value).startswith("videos/x.mp4: ")
    check_name(better, "")


def test_a_name_of_the_demo_is_refused(tmp_path):
    with pytest.raises(ValueError, match="demo_source.mp4: the name 'demo_source' is the demo's"):
        find_videos(folder_of(tmp_path, "demo_source.mp4"))


@pytest.mark.parametrize("name", ["dance", "A-1_b", "to", "tomato", "a_tom", "into_b", "9"])
def test_a_name_that_will_do_passes(name):
    check_name(name, "")


@given(LETTERS, LETTERS)
def test_a_transfers_path_says_which_two_videos_it_is_of(source, target):
    for name in (source, target):
        assume(re.fullmatch(NAME, name))
    path = f"results/transfer/{source}_to_{target}.mp4"
    assert videos_in_target(path) == [source, target]
    # As Snakemake reads it: one wildcard may match in one way only.
    match = re.fullmatch(rf"results/transfer/(?P<s>{NAME})_to_(?P<t>{NAME})\.mp4", path)
    assert match is not None
    assert (match["s"], match["t"]) == (source, target)


@given(LETTERS)
def test_whatever_is_proposed_instead_will_do(name):
    try:
        check_name(name, "file")
    except ValueError as error:
        proposed = re.search(r"rename it, to '(.*)' for one", str(error))
        check_name(proposed[1], "file")


def test_a_video_that_is_not_there_is_named_with_the_nearest():
    videos = {"dance": "videos/dance.mp4", "me": "videos/me.mov"}
    check_asked(["dance", "me", "demo_source"], videos, "videos")
    with pytest.raises(
        ValueError, match=r"no video named 'danse' in videos/ .*'dance'\?.*danse.mp4"
    ):
        check_asked(["me", "danse"], videos, "videos")
    with pytest.raises(ValueError, match=r"'zzz' in videos/ \(found: dance, me\)"):
        check_asked(["zzz"], videos, "videos")
    with pytest.raises(ValueError, match=r"\(found: none\)"):
        check_asked(["zzz"], {}, "videos")
    with pytest.raises(ValueError, match="a video's name may hold letters"):
        check_asked(["a b"], videos, "videos")


@pytest.mark.parametrize(
    "target, names",
    [
        ("results/transfer/a_to_b.mp4", ["a", "b"]),
        ("results/transfer/a_to_b/frames.zip", ["a", "b"]),
        ("results/transfer/a_1_to_b-2/comparison.mp4", ["a_1", "b-2"]),
        ("results/videos/a/frames.zip", ["a"]),
        ("results/models/a/body/generator.safetensors", ["a"]),
        ("results/evaluation/a/body/metrics.json", ["a"]),
        ("results/preset.yaml", []),
        ("body", []),
        ("demo", []),
    ],
)
def test_which_videos_a_target_asks_for(target, names):
    assert videos_in_target(target) == names


def test_every_ending_is_in_lower_case():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


def dated(path: Path, days: float) -> Path:
    """A file that was last changed so many days from now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() + days * 86400,) * 2)
    return path


def test_files_of_the_past_and_files_that_are_not_there_may_be_read(tmp_path):
    check_times([dated(tmp_path / "old.mp4", -366), tmp_path / "none.mp4"])
    check_times([dated(tmp_path / "a little ahead.mp4", 30 / 86400)])


@pytest.mark.parametrize("n_files", [1, 2, 9])
def test_the_command_that_is_named_brings_files_of_the_future_back(tmp_path, n_files):
    paths = [dated(tmp_path / "new ones" / f"{i}.h5", 366) for i in range(n_files)]
    with pytest.raises(ValueError, match=r"0\.h5.*: last changed on .*`(touch|find) ") as seen:
        check_times(paths)
    assert ("more" in str(seen.value)) == (n_files > 1)
    subprocess.run(str(seen.value).split("`")[1], shell=True, check=True)
    check_times(paths)


def test_many_files_of_the_future_are_sought_no_higher_than_where_they_lie(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    stranger = dated(tmp_path / "stranger.txt", 366)
    paths = [dated(Path("..") / "videos" / f"{i}.mp4", 366) for i in range(6)]
    paths += [dated(Path("results") / "videos" / "a" / "frames.zip", 366)]
    with pytest.raises(ValueError, match=r"`find \.\./videos results -newermt") as seen:
        check_times(paths)
    before = stranger.stat().st_mtime
    subprocess.run(str(seen.value).split("`")[1], shell=True, check=True)
    check_times(paths)
    assert stranger.stat().st_mtime == before
