"""Which videos there are, and which names will not do."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edn_core.intake import (
    NAME,
    check_asked,
    check_name,
    find_videos,
    videos_of_transfer,
)

LETTERS = st.lists(st.sampled_from(["a", "_", "to", "_to", "-", "9"]), min_size=1, max_size=6).map(
    "".join
)


def folder_of(tmp_path, *names: str):
    for name in names:
        (tmp_path / name).write_bytes(b"video")
    return tmp_path


def test_videos_are_found_by_the_name_of_their_file(tmp_path):
    folder = folder_of(tmp_path, "me.Mov", "DANCE.MP4", "b.webm", "c.mkv", "you.3gp")
    found = find_videos(folder)
    assert list(found) == ["DANCE", "b", "c", "me", "you"]
    assert found["me"] == str(folder / "me.Mov")


def test_other_files_and_hidden_ones_are_no_videos(tmp_path):
    assert find_videos(tmp_path / "nowhere") == {}
    folder = folder_of(tmp_path, "notes.txt", ".a.1234.partial.mp4", ".hidden name.mp4", "README")
    assert find_videos(folder) == {}


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
        ("a/b", "a_b"),
        ("a\n", "a"),
        ("road_to", "road-to"),
        ("", "video"),
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


@given(LETTERS, LETTERS)
def test_a_transfers_path_says_which_two_videos_it_is_of(source, target):
    for name in (source, target):
        assume(re.fullmatch(NAME, name))
    path = f"results/transfer/{source}_to_{target}.mp4"
    # As Snakemake reads it, too: one wildcard may match in one way only.
    assert videos_of_transfer(path) == (source, target)
    assert videos_of_transfer(path.replace(".mp4", "/frames.zip")) == (source, target)


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
