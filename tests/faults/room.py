"""A finished demo on a disk of its own, in which jobs are disturbed one after the other."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
from checkout import REPOSITORY
from jobs import Job, differences, tree

PAGE = 4096
ROOMY = 1 << 30
TEMPORARY = "edn-faults-"
"""Names of temporary folders begin so; the number of the run's process and a dash follow."""


def take_away_disks(folder: Path) -> None:
    """Unmount what a run that was killed left mounted there."""
    while folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


def sweep() -> None:
    """Remove the temporary folders of killed runs, and their disks."""
    for left in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*-*"):
        process = left.name.removeprefix(TEMPORARY).partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            take_away_disks(left / "room")
            shutil.rmtree(left, ignore_errors=True)


class Room:
    """A copy of the reference; every fault leaves it as it was, or it is copied anew.

    With root rights it lies on a tmpfs, which can be full or read-only.
    """

    def __init__(self, reference: Path, folder: Path) -> None:
        """Copy the reference into a folder."""
        self.reference, self.folder = reference, folder
        self.expected = tree(reference)
        take_away_disks(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.has_disk = os.geteuid() == 0 and self._mount()
        self.restore()

    def _mount(self) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def close(self) -> None:
        """Give the disk back."""
        if self.has_disk:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def restore(self) -> None:
        """Copy everything anew."""
        for one in self.folder.iterdir():
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
        left_out = shutil.ignore_patterns("models", "tensorboard", "source-cache")
        for name in ("results", "logs", ".snakemake", "config", "workflow", "profiles", "envs"):
            folder = self.reference / name
            shutil.copytree(
                folder, self.folder / name, ignore=left_out if name != "results" else None
            )
        shutil.copytree(REPOSITORY / "edn_core", self.folder / "edn_core")
        for path in (self.reference / "Snakefile", *self.reference.glob("*.yaml")):
            shutil.copy2(path, self.folder / path.name)
        (self.folder / "resources").mkdir()
        (self.folder / "resources/models").symlink_to(self.reference / "resources/models")

    def empty(self, job: Job) -> None:
        """Take away what a job made."""
        if job.is_training:
            shutil.rmtree(self.folder / job.folder)
        for path in job.outputs:
            (self.folder / path).unlink(missing_ok=True)

    def wrong(self) -> list[str]:
        """In what the room differs from the undisturbed run."""
        return differences(tree(self.folder), self.expected)

    def wrong_outputs(self, job: Job) -> list[str]:
        """Finished files of a job that are not what the undisturbed run made."""
        return [
            found
            for found in self.wrong()
            if found.startswith(job.outputs) and not found.endswith("missing")
        ]

    def partial_files(self) -> list[str]:
        """Files that somebody began and left."""
        return [str(path) for path in (self.folder / "results").rglob(".*.partial*")]

    def free(self) -> int:
        """Bytes left on the disk."""
        found = os.statvfs(self.folder)
        return found.f_bfree * found.f_frsize

    def leave(self, size: int | None) -> None:
        """Leave so many bytes on the disk; None: plenty."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._remount(f"size={ROOMY if size is None else used + size}")

    def set_read_only(self, is_read_only: bool) -> None:
        """Let nobody write, or everybody again."""
        self._remount("ro" if is_read_only else "rw")

    def _remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)
