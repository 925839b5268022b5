"""Which videos there are, and which names will not do."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edn_core.intake import NAME, Intake, check_name, check_place, find_videos, videos_of_transfer

LETTERS = st.lists(st.sampled_from(["a", "_", "to", "_to", "-", "9"]), min_size=1, max_size=6).map(
    "".join
)


def folder_of(tmp_path, *names: str):
    for name in names:
        (tmp_path / name).write_bytes(b"video")
    return tmp_path


def test_videos_are_found_by_the_name_of_their_file(tmp_path):
    folder = folder_of(tmp_path, "me.Mov", "DANCE.MP4", "b.webm", "c.mkv")
    found = find_videos(folder).videos
    assert list(found) == ["DANCE", "b", "c", "me"]
    assert found["me"] == str(folder / "me.Mov")


def test_other_files_and_hidden_ones_are_no_videos(tmp_path):
    assert find_videos(tmp_path / "nowhere").videos == {}
    folder = folder_of(tmp_path, "notes.txt", ".a.1234.partial.mp4", ".hidden name.mp4", "README")
    assert (find_videos(folder).videos, find_videos(folder).passed_over) == ({}, {})


@pytest.mark.parametrize("second", ["dance.mov", "dance.MP4"])
def test_two_videos_of_one_name_are_refused_when_asked_for_and_both_are_named(tmp_path, second):
    found = find_videos(folder_of(tmp_path, "me.mp4", "dance.mp4", second))
    found.check_asked(["me"])
    with pytest.raises(ValueError, match="two videos of one name; rename") as caught:
        found.check_asked(["dance"])
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
    (reason,) = find_videos(folder_of(tmp_path, "demo_source.mp4")).passed_over.values()
    assert "demo_source.mp4: the name 'demo_source' is the demo's own" in reason


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


def test_a_video_that_is_not_there_is_named_with_the_nearest(tmp_path):
    (tmp_path / "song.ogg").write_bytes(b"no video")
    some = Intake(tmp_path, {"dance": "videos/dance.mp4", "me": "videos/me.mov"}, {})
    some.check_asked(["dance", "me", "demo_source"])
    for intake, name, says in (
        (some, "danse", r"no video named 'danse' in .*/ .*'dance'\?.*danse.mp4"),
        (some, "zzz", r"'zzz' in .*/ \(found: dance, me\)"),
        (some, "song", r"song\.ogg: not a readable video"),
        (Intake(tmp_path, {}, {}), "zzz", r"\(found: none\)"),
        (some, "a b", "a video's name may hold letters"),
    ):
        with pytest.raises(ValueError, match=says):
            intake.check_asked([name])


def test_a_target_that_no_rule_knows_is_told_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PWD", "/link")  # as a shell that came through a link
    name = "WhatsApp Video 2024-01-05 at 10.11.12"
    found = find_videos(folder_of(tmp_path, f"{name}.mp4", "a_to_b.mp4"))
    better = "rename it, to 'WhatsApp_Video_2024-01-05_at_10_11_12' for one"
    relative = "from this folder: `snakemake results/videos/me/a.h5`"
    for path, says in {
        f"{Path.cwd()}/results/videos/me/a.h5": relative,
        "/link/results/videos/me/a.h5": relative,
        f"results/transfer/{name}_to_me.mp4": better,
        f"results/transfer/me_to_{name}.mp4": better,
        f"results/videos/{name}/a.h5": better,
        "results/transfer/a_to_b_to_me.mp4": "rename it, to 'a-to-b' for one",
    }.items():
        assert re.fullmatch(found.wrong_targets(), path)
        assert found.why_wrong(path).endswith(says)
    for right in ("results/transfer/me_to_you.mp4", "/data/results/a.mp4"):
        assert not re.fullmatch(found.wrong_targets(), right)


def test_a_place_in_which_snakemake_cannot_work_is_refused():
    check_place('/home/me/My Videos/it\'s here & $HOME "now"')
    with pytest.raises(
        ValueError, match="/a{b: Snakemake cannot work where a path has a {; rename"
    ):
        check_place("/a{b")
    with pytest.raises(ValueError, match="cannot work with conda where a path has a '; rename"):
        check_place("/it's", with_conda=True)
