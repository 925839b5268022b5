"""The jobs of a finished demo, each run again in a process of its own, on a disk of their own."""

import hashlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from checkout import REPOSITORY, make_checkout, snakemake

from edn_core.pose.models import fetch_models

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# The process that forks the jobs has an interpreter of its own.
os.environ["PYTHONPATH"] = os.pathsep.join(
    str(Path(__file__).resolve().parents[n]) for n in range(3)
)
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    "torch torch.utils.tensorboard cv2 h5py av scipy.ndimage skimage.metrics matplotlib.pyplot "
    "snakemake.script edn_core.training edn_core.evaluate edn_core.forensics edn_core.report "
    "edn_core.preflight edn_core.pictures edn_core.synthesize edn_core.film jobs".split()
)
PREAMBLE_ENDS = "######## snakemake preamble end #########\n"
# A training saves its state and writes a row at every step: every fault meets a half-finished one.
RUNTIME = "runtime: {checkpoint_every_s: 0.001, log_every_s: 0.001}"
SETTINGS = ("--configfile", "config/test.yaml", "faults.yaml")
TARGETS = ("demo", "preflight", "forensics", "evaluation")
# What differs from run to run by nature: times, and TensorBoard's files of them.
VOLATILE = {"benchmarks", "tensorboard", "lock"}
LONGEST_S = 300.0
ROOMY = 1 << 30


@dataclass(frozen=True)
class Job:
    """One job of the workflow: its rule, name, kept script, files read and written (relative)."""

    rule: str
    name: str
    script: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its first output stands."""
        return str(Path(self.outputs[0]).parent)


@dataclass(frozen=True)
class Ended:
    """How a job ended: exit status (below 0 the signal that killed it) and what it printed."""

    status: int
    output: str

    @property
    def errors(self) -> list[str]:
        """Our own lines."""
        return [line for line in self.output.splitlines() if line.startswith("edn: error: ")]


def make_reference(folder: Path) -> Path:
    """Run the demo undisturbed and keep what Snakemake ran for each job."""
    models = REPOSITORY / "resources" / "models"
    fetch_models(models)
    make_checkout(folder, models)
    (folder / "faults.yaml").write_text(RUNTIME)
    ran = snakemake(folder, "--skip-script-cleanup", *SETTINGS, "--", *TARGETS)
    if ran.status != 0:
        raise RuntimeError(f"the undisturbed run failed:\n{ran.output}")
    return folder


def find_jobs(folder: Path) -> list[Job]:
    """The jobs that ran in a checkout, by name."""
    jobs = []
    for path in (folder / ".snakemake/scripts").glob("*.py"):
        names, _ = _read_script(path)
        told = names["snakemake"]
        name = " ".join([told.rule, *dict(told.wildcards.items()).values()])
        files = tuple(map(str, told.input)), tuple(map(str, told.output))
        jobs.append(Job(told.rule, name, str(path.relative_to(folder)), *files))
    return sorted(jobs, key=lambda job: job.name)


def _read_script(path: Path) -> tuple[dict[str, Any], str]:
    """What a kept script finds when it starts, and the rule's own lines."""
    preamble, own = path.read_text().split(PREAMBLE_ENDS)
    names: dict[str, Any] = {"__file__": str(path), "__name__": "__main__"}
    before = list(sys.path)
    exec(compile(preamble, str(path), "exec"), names)
    sys.path[:] = before
    return names, own


def run_job(
    folder: Path, job: Job, meanwhile: Callable[[BaseProcess], None] | None = None
) -> Ended:
    """Run a job in a checkout, let it meet something, and wait for it."""
    output = folder.parent / f"{folder.name}.output.txt"
    child = FORKED.Process(target=_child, args=(str(folder), job.script, str(output)))
    child.start()
    if meanwhile is not None:
        meanwhile(child)
    child.join(LONGEST_S)
    if child.is_alive():
        child.kill()
        raise TimeoutError(f"{job.name}: still running after {LONGEST_S} s:\n{output.read_text()}")
    assert child.exitcode is not None
    return Ended(child.exitcode, output.read_text(errors="replace"))


def _child(folder: str, script: str, output: str) -> None:
    os.chdir(folder)
    multiprocessing.set_start_method("fork", force=True)  # as where nobody chose another
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names, own = _read_script(Path(script))
    try:
        exec(compile(own, script, "exec"), names)
    except SystemExit:
        raise
    except BaseException:  # as the interpreter does with what nobody caught
        sys.excepthook(*sys.exc_info())
        sys.exit(1)


def tree(folder: Path) -> dict[str, str]:
    """What a run left: path below ``results`` -> SHA-256, without what differs by nature."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or set(inside.parts) & VOLATILE:
            continue
        content = path.read_bytes()
        if path.name == "metrics.jsonl":
            content = re.sub(rb', "(seconds_per_step|memory/process_mb)": [^,}]*', b"", content)
        found[str(inside)] = hashlib.sha256(content).hexdigest()
    return found


class Room:
    """A copy of the reference; every fault leaves it as it was, or it is copied anew.

    With root rights it lies on a tmpfs, which can be full or read-only.
    """

    def __init__(self, reference: Path, folder: Path) -> None:
        self.reference, self.folder = reference, folder
        self.jobs = find_jobs(reference)
        self.expected = tree(reference)
        folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(folder)]
        done = subprocess.run(mount, capture_output=True, check=False) if not os.geteuid() else None
        self.has_disk = done is not None and done.returncode == 0
        self.restore()

    def close(self) -> None:
        """Give the disk back."""
        if self.has_disk:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def restore(self) -> None:
        """Copy everything anew."""
        for one in self.folder.iterdir():
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
        for source in self.reference.iterdir():
            name = source.name
            if name == "resources":
                continue
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, self.folder / name)
        if not (self.folder / "faults.yaml").exists():
            (self.folder / "faults.yaml").write_text("runtime: {}")
        (self.folder / "resources").symlink_to(self.reference / "resources")

    def empty(self, job: Job) -> None:
        """Take away what a job made."""
        if job.rule == "train_stage":
            shutil.rmtree(self.folder / job.folder)
        for path in job.outputs:
            (self.folder / path).unlink(missing_ok=True)

    def wrong(self) -> list[str]:
        """In what the room differs from the undisturbed run."""
        found, every = tree(self.folder), self.expected
        missing, added = every.keys() - found.keys(), found.keys() - every.keys()
        changed = {path for path in every.keys() & found.keys() if found[path] != every[path]}
        faults = (missing, "is missing"), (added, "is left over"), (changed, "differs")
        return [f"{path} {how}" for paths, how in faults for path in sorted(paths)]

    @contextmanager
    def disk(self, free: int | None) -> Iterator[None]:
        """Full after so many bytes; read-only without a number."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._remount("ro" if free is None else f"size={used + free}")
        try:
            yield
        finally:
            self._remount("rw" if free is None else f"size={ROOMY}")

    def _remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)


def send(number: signal.Signals, after_s: float) -> Callable[[BaseProcess], None]:
    """A signal, some time after the job was started."""

    def meanwhile(process: BaseProcess) -> None:
        process.join(after_s)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, number)

    return meanwhile


def seconds_of(room: Room, job: Job) -> float:
    """How long a job takes undisturbed; it has to make what Snakemake's own run of it made."""
    room.empty(job)
    start = time.monotonic()
    ended = run_job(room.folder, job)
    if ended.status != 0 or room.wrong():
        raise RuntimeError(f"{job.name}, undisturbed: {room.wrong()} {ended.output[-2000:]}")
    return time.monotonic() - start
