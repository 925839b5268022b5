"""What `make demo` prints at its end."""

import pytest
from report_run import write_table

from edn_core.summary import summarize


@pytest.fixture
def results(tmp_path):
    """Results of a transfer from alice to bob; of the previews, only bob's is there."""
    folder = tmp_path / "results"
    for name in ("transfer/alice_to_bob.mp4", "videos/bob/preview.mp4"):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


@pytest.fixture
def measured(results):
    """The same with a table of two stages."""
    folder = results / "evaluation" / "bob"
    write_table(folder / "table.json")
    (folder / "table.md").touch()
    (folder / "comparison.png").touch()
    return results


def test_it_names_the_video_first_and_nothing_that_is_not_there(results):
    lines = summarize("alice", "bob", results).splitlines()
    assert lines[0].startswith(f"{results}/transfer/alice_to_bob.mp4 ")
    assert lines[0].endswith("bob dancing alice's dance, with its sound")
    assert lines[1].startswith(f"{results}/videos/bob/preview.mp4 ")
    assert lines[2] == ""
    assert lines[-1].endswith(f"run `snakemake {results}/evaluation/bob/table.md`")


def test_a_transparent_film_is_named_where_there_is_no_other(results):
    (results / "transfer/alice_to_bob.mp4").rename(results / "transfer/alice_to_bob.webm")
    (results / "videos/bob/room.png").touch()
    text = summarize("alice", "bob", results)
    assert text.startswith(f"{results}/transfer/alice_to_bob.webm ")
    assert f"{results}/videos/bob/room.png " in text


def test_the_baselines_come_first_and_the_stages_in_order_below_them(measured):
    text = summarize("alice", "bob", measured)
    assert f"{measured}/evaluation/bob/table.md " in text
    assert f"{measured}/evaluation/bob/comparison.png " in text
    lines = text.splitlines()
    assert "bob on 96 frames held out of training" in lines[-6]
    assert lines[-4].split()[:2] == ["ssim_person", "ssim_face"]
    assert "lpips" not in lines[-4]  # it was not measured
    assert [line[:12].strip() for line in lines[-3:]] == ["nearest pose", "body", "+ face"]
    assert [line[12:].split()[0] for line in lines[-3:]] == ["0.4000", "0.8758", "0.9000"]


def test_without_the_video_one_line_names_the_command_that_makes_it(tmp_path):
    path = f"{tmp_path}/transfer/alice_to_bob.mp4"
    with pytest.raises(ValueError, match=f"^{path}: not made yet; run `snakemake {path}`$"):
        summarize("alice", "bob", tmp_path)
