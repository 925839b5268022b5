"""Copies of hot files on a node's own disk; /dev/shm stands for it, being another file system."""

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import pytest
from conftest import REPOSITORY
from tiny import train_tiny

from edn_core import scratch
from edn_core.config import RuntimeConfig
from edn_core.scratch import find_scratch, on_scratch

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def node():
    """A folder on another file system than the tests' own."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        pytest.skip("no /dev/shm to write to, the second file system of this test")
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def files(tmp_path, node) -> list[Path]:
    if tmp_path.stat().st_dev == node.stat().st_dev:
        pytest.skip("temporary files lie in /dev/shm themselves")
    paths = [tmp_path / "frames.zip", tmp_path / "labels.zip"]
    for path in paths:
        path.write_text(f"what {path.name} holds")
    return paths


def left_on(node: Path) -> list[Path]:
    return [path for path in node.rglob("*") if path.is_file()]


def test_without_a_folder_the_files_themselves_are_read(tmp_path):
    with on_scratch([tmp_path / "frames.zip"], None) as (path,):
        assert path == tmp_path / "frames.zip"


def test_copies_hold_the_same_lie_elsewhere_and_are_gone_afterwards(files, node):
    with on_scratch(files, node) as copies:
        for path, copy in zip(files, copies, strict=True):
            assert copy.read_bytes() == path.read_bytes()
            assert copy.is_relative_to(node)
            assert copy.name.endswith(path.name)
    assert left_on(node) == []
    assert all(path.exists() for path in files)


def test_the_copies_go_too_when_the_work_fails(files, node):
    with pytest.raises(KeyError), on_scratch(files, node):
        raise KeyError
    assert left_on(node) == []


def test_two_share_a_copy_and_the_last_removes_it(files, node):
    with on_scratch(files, node) as first:
        written = first[0].stat().st_mtime_ns
        with on_scratch(files, node) as second:
            assert second == first
        assert first[0].stat().st_mtime_ns == written
        assert first[0].exists()
    assert left_on(node) == []


def test_a_file_written_anew_is_copied_anew(files, node):
    with on_scratch(files, node) as before:
        files[0].write_text("another content")
        with on_scratch(files, node) as after:
            assert after[0] != before[0]
            assert after[0].read_text() == "another content"
            assert after[1] == before[1]
    assert left_on(node) == []


def test_without_room_a_warning_says_so_and_the_files_themselves_are_read(
    files, node, log, monkeypatch
):
    monkeypatch.setattr(scratch, "ROOM_KEPT", 2**60)  # no disk has as much
    with on_scratch(files, node) as paths:
        assert paths == files
    (line,) = log().splitlines()
    assert "0 MB are needed, " in line
    assert line.endswith(" MB are free); they are read where they lie")
    assert left_on(node) == []


def test_an_error_that_comes_later_has_nothing_to_do_with_the_room(files, node, monkeypatch):
    monkeypatch.setattr(scratch, "ROOM_KEPT", 2**60)
    with pytest.raises(RuntimeError) as failed, on_scratch(files, node):
        raise RuntimeError("cuDNN broke")
    assert failed.value.__context__ is None


def test_a_stop_while_it_waits_for_anothers_copy_stays_a_stop(files, node, monkeypatch):
    class Stop(BaseException):
        pass

    def stopped(copy: Path, kind: int) -> IO[str]:
        if kind == fcntl.LOCK_EX:
            raise Stop
        return lock_of(copy, kind)

    lock_of = scratch._lock_of
    monkeypatch.setattr(scratch, "_lock_of", stopped)
    with pytest.raises(Stop), on_scratch(files, node):
        pytest.fail("went on")


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(files, node, log):
    (node / f"edn-scratch-{os.getuid()}").write_text("a file in the way")
    with on_scratch(files, node) as paths:
        assert paths == files
    assert "they are read where they lie" in log()


def test_what_killed_processes_left_is_removed_and_a_copy_in_use_is_not(files, node):
    program = (
        "import os, sys; from pathlib import Path\n"
        "from edn_core.scratch import on_scratch\n"
        "with on_scratch([Path(one) for one in sys.argv[2:]], Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, node, *files],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert killed.returncode == -9
    left = {path.name for path in left_on(node)}
    assert len(left) == 4  # two copies and their locks
    (node / f"edn-scratch-{os.getuid()}" / ".half.4194305.partial.h5").write_text("half")
    with on_scratch(files[:1], node) as (first,):
        assert first.name in left  # it is whole: used again
        assert {path.name for path in left_on(node)} == {first.name, f"{first.name}.lock"}
        with on_scratch(files[1:], node):
            assert first.exists()
    assert left_on(node) == []


def test_errors_are_about_the_files_and_not_their_copies(files, node):
    with pytest.raises(ValueError, match=str(files[0])), on_scratch(files, node) as copies:
        raise ValueError(f"{copies[0]}: damaged")


# Where it is


def test_auto_takes_the_first_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_TMPDIR", raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)
    assert find_scratch("auto") is None
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert find_scratch("auto") == tmp_path
    monkeypatch.setenv("SLURM_TMPDIR", str(tmp_path / "missing"))
    assert find_scratch("auto") == tmp_path
    (tmp_path / "missing").mkdir()
    assert find_scratch("auto") == tmp_path / "missing"


def test_auto_takes_no_folder_in_memory(node, monkeypatch):
    monkeypatch.delenv("SLURM_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(node))
    assert find_scratch("auto") is None
    assert find_scratch("$TMPDIR") == node  # who says so means it


def test_a_named_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"runtime.scratch is '/nowhere/\$HOME'.*is no folder"):
        find_scratch("/nowhere/$HOME")


def test_a_training_that_reads_copies_ends_in_the_same_bytes_and_writes_none_there(
    tiny_target, tiny_body, tmp_path, node, log
):
    runtime = RuntimeConfig(device="cpu", frame_cache_mb=0, loader_workers=1, scratch=str(node))
    model = train_tiny(tiny_target, tmp_path / "generator.safetensors", runtime=runtime)
    assert model.read_bytes() == tiny_body.read_bytes()
    assert "frames.zip, labels.zip: read from copies in" in log()
    assert left_on(node) == []
