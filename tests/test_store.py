"""How files are put in their place."""

import os
import platform
import time

import pytest

from edn_core.errors import Refused
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


def test_a_place_that_cannot_be_written_is_refused_and_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file"), write_beside(tmp_path / "file" / "result.txt"):
        pass
    with pytest.raises(Refused, match="a folder stands in its place"), write_beside(tmp_path):
        pass


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    host = platform.node()
    left = [tmp_path / f".a.{host}.{4194304 + i}.partial.txt" for i in range(2)]  # no such process
    elsewhere = tmp_path / ".a.another-machine.17.partial.txt"
    running = tmp_path / f".a.{host}.{os.getppid()}.partial.txt"
    for path in (*left, elsewhere, running):
        path.write_text("half")
    with write_beside(tmp_path / "a.txt") as partial:
        partial.write_text("whole")
    assert set(tmp_path.iterdir()) == {tmp_path / "a.txt", elsewhere, running}
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(elsewhere, (two_days_ago, two_days_ago))
    with write_beside(tmp_path / "a.txt") as partial:
        partial.write_text("whole")
    assert set(tmp_path.iterdir()) == {tmp_path / "a.txt", running}


def test_another_schema_is_refused_with_the_command_that_remakes_the_file():
    with pytest.raises(Refused, match="schema None version None, expected schema edn-frames"):
        check_schema("a.zip", (None, None), ("edn-frames", 1))
    with pytest.raises(Refused, match=r"edn-frames version 2, expected .*`snakemake a.zip`"):
        check_schema("a.zip", ("edn-frames", 2), ("edn-frames", 1))


def test_a_good_file_of_another_kind_is_not_said_to_be_deleted():
    with pytest.raises(Refused, match="schema edn-detector version 1.*; give an edn-gen") as no:
        check_schema("a.safetensors", ("edn-detector", 1), ("edn-generator", 2))
    assert "delete" not in str(no.value)


def test_nan_is_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{broken", "[1]", "{}", '{"a": 1}', "[" * 100_000])
def test_a_file_that_is_no_sealed_json_is_refused_and_named(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(Refused, match="a.json: not readable as sealed JSON .*`snakemake"):
        read_json(path)
