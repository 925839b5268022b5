"""The disks on which faults are made: what a killed run leaves goes with the next one."""

import os
import subprocess
from pathlib import Path

import pytest
from room import TEMPORARY, sweep

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def mounted(folder: Path) -> Path:
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr}")
    return folder


@needs_root
def test_the_folder_and_the_disk_of_a_killed_run_go_and_those_of_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = mounted(tmp_path / f"{TEMPORARY}{dead.pid}-abc" / "room")
    mine = mounted(tmp_path / f"{TEMPORARY}{os.getpid()}-abc" / "room")
    try:
        sweep()
        assert not left.parent.exists()
        assert mine.is_mount()
    finally:
        for folder in (left, mine):
            if folder.is_mount():
                subprocess.run(["umount", str(folder)], check=True)
