"""A job in a process of its own that imports nothing: forked off one that has everything."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from jobs import Job, read_preamble

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
HERE = Path(__file__).resolve().parent
# The process that forks has an interpreter of its own, and passes over what it cannot import.
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (HERE, HERE.parent, HERE.parents[1])))
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    "torch torch.utils.tensorboard cv2 h5py av scipy.ndimage skimage.metrics matplotlib.pyplot "
    "snakemake.script edn_core.training edn_core.evaluate edn_core.forensics edn_core.report "
    "edn_core.preflight edn_core.pictures edn_core.pose.mediapipe edn_core.synthesize "
    "edn_core.demo jobs injected".split()
)
LONGEST_S = 300.0


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        status: exit status; below 0 the signal that killed it.
        output: what it printed.
        seconds: how long it ran.
    """

    status: int
    output: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        """Our own lines."""
        return [line for line in self.output.splitlines() if line.startswith("edn: error: ")]


@dataclass(frozen=True)
class Nothing:
    """An undisturbed job; what the faults that a job meets from inside are made of."""

    def before_script(self) -> None:
        """In the job's process, before anything of the job."""

    def before_work(self, names: dict) -> None:
        """In the job's process, when its ``snakemake`` object is there."""


UNDISTURBED = Nothing()


def warm_up() -> None:
    """Start the process that forks and let it import everything, so that no job waits for it."""
    child = CONTEXT.Process(target=int)
    child.start()
    child.join()


def run_job(
    folder: Path,
    job: Job,
    fault: Nothing = UNDISTURBED,
    meanwhile: Callable[[BaseProcess], None] | None = None,
) -> Ended:
    """Run a job in a checkout and wait for it.

    Args:
        folder: the checkout.
        job: which.
        fault: what it meets from inside.
        meanwhile: called with its process; what it meets from outside.
    """
    output = folder.parent / f"{folder.name}.output.txt"
    child = CONTEXT.Process(target=_child, args=(str(folder), job, fault, str(output)))
    start = time.monotonic()
    child.start()
    if meanwhile is not None:
        meanwhile(child)
    child.join(LONGEST_S)
    seconds = time.monotonic() - start
    if child.is_alive():
        child.kill()
        child.join()
        raise TimeoutError(f"{job.name}: still running after {LONGEST_S} s:\n{output.read_text()}")
    status = child.exitcode
    assert status is not None
    return Ended(status, output.read_text(errors="replace"), seconds)


def _child(folder: str, job: Job, fault: Nothing, output: str) -> None:
    os.chdir(folder)
    multiprocessing.set_start_method("fork", force=True)  # as where nobody chose another
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    path = Path(job.script)
    _, preamble, own = read_preamble(path)
    names = {"__file__": str(path), "__name__": "__main__"}
    try:
        exec(compile(preamble, str(path), "exec"), names)
        fault.before_work(names)
        fault.before_script()
        exec(compile(own, str(path), "exec"), names)
    except SystemExit:
        raise
    except BaseException:  # as the interpreter does with what nobody caught
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
