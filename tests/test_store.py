"""How files are put in their place."""

import os

import pytest

from edn_core.store import check_schema, read_json, write_beside, write_json


def test_a_file_stands_in_its_place_only_when_it_is_finished(tmp_path):
    path = tmp_path / "new" / "folder" / "result.txt"
    with write_beside(path) as partial:
        partial.write_text("done")
        assert not path.exists()
        assert partial.parent == path.parent
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_stood_there_before_and_nothing_else(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="half way"), write_beside(path) as partial:
        partial.write_text("half")
        raise RuntimeError("half way")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_the_first_time_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), write_beside(tmp_path / "result.txt") as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_partial_file_keeps_the_suffix_and_names_the_process(tmp_path):
    with write_beside(tmp_path / "video.mp4") as partial:
        assert partial.suffix == ".mp4"
        assert str(os.getpid()) in partial.name


def test_a_place_that_cannot_be_written_is_refused_and_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    path = tmp_path / "file" / "result.txt"
    with pytest.raises(ValueError, match="result.txt: cannot be written"), write_beside(path):
        pass


def test_another_schema_is_refused_with_the_command_that_remakes_the_file():
    with pytest.raises(ValueError, match="expected schema edn-frames version 1, found None"):
        check_schema("a.h5", (None, None), ("edn-frames", 1))
    with pytest.raises(ValueError, match=r"found edn-frames version 2; .*`snakemake a.h5`"):
        check_schema("a.h5", ("edn-frames", 2), ("edn-frames", 1))


@pytest.mark.parametrize("name", ["a" * 5000, "a\nb", "\x1b[2J", ["a" * 5000]], ids=len)
def test_whatever_a_file_calls_its_schema_the_message_is_one_short_line(name):
    with pytest.raises(ValueError, match="expected schema edn-frames") as refused:
        check_schema("a.h5", (name, name), ("edn-frames", 1))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_a_good_file_of_another_kind_is_not_said_to_be_deleted():
    with pytest.raises(ValueError, match="found edn-detector version 1; give an edn-gen") as no:
        check_schema("a.pt", ("edn-detector", 1), ("edn-generator", 2))
    assert "delete" not in str(no.value)


def test_the_same_schema_passes_whatever_sequence_holds_it():
    check_schema("a.h5", ["edn-frames", 1], ("edn-frames", 1))


def test_json_comes_back_and_the_same_content_gives_the_same_bytes(tmp_path):
    content = {"b": 1.5, "a": [1, None, "é"]}
    write_json(tmp_path / "one.json", content)
    write_json(tmp_path / "two.json", content)
    assert read_json(tmp_path / "one.json") == content
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_nan_is_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"), [("{broken", "not readable as JSON"), ("[1]", "expected a JSON object")]
)
def test_a_file_that_is_no_json_object_is_refused_and_named(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"a.json: {message}"):
        read_json(path)
