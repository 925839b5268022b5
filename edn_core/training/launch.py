"""One training in one process or, one per GPU, in several that torchrun's agent looks after."""

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from edn_core.batch_job import another_stay, is_in_slurm
from edn_core.config import RuntimeConfig
from edn_core.device import pick_device
from edn_core.logs import LOGGER, log_to
from edn_core.out_of_memory import OutOfMemory
from edn_core.shortage import ShortOfMemory
from edn_core.training.guard import OutOfTime, StoppedEarly
from edn_core.training.job import Job, read_job, write_job
from edn_core.training.loop import train
from edn_core.training.parallel import LostProcess, team_of
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Stage

SECONDS_TO_SAVE = 600
"""Processes that were told to stop are killed after this time: a state of gigabytes takes long."""


def run_training(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    log: str | Path | None = None,
) -> None:
    """Train one stage, in as many processes as ``runtime.gpus_per_training`` says.

    A training that has used up its job's time asks Slurm, where it is there and ``runtime.requeue``
    lets it, for another stay in the queue; it is ended meanwhile, and started again by Slurm.

    With more than one, this process only watches over them: it is told to stop, and tells them;
    one that fails ends them all, and what it said is raised here.

    Args:
        stage: one of STAGES.
        files: inputs and the generator file to write.
        settings: all that changes the weights.
        runtime: device, number of processes, cadence of checkpoints and logs.
        log: the log file that the first process goes on writing.

    Raises:
        ValueError: as train; what the first process to fail said.
        RuntimeError: a process was killed, or failed for another reason.
    """
    try:
        _train_in_processes(stage, files, settings, runtime, log)
    except OutOfTime:
        if runtime.requeue == "auto" and is_in_slurm():
            LOGGER.info(f"{stage.name}: out of time, the state is saved; asks for another stay")
            refused = another_stay()
            if refused:
                LOGGER.warning(f"{stage.name}: Slurm grants no other stay ({refused})")
        raise


def _train_in_processes(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    log: str | Path | None,
) -> None:
    if runtime.gpus_per_training == 1:
        train(stage, files, settings, runtime, pick_device(runtime.device))
        return
    threads = max(1, torch.get_num_threads() // runtime.gpus_per_training)
    job = Job(stage.name, files, settings, runtime, str(log) if log else None, threads)
    with tempfile.TemporaryDirectory(prefix="edn-training-") as folder:
        write_job(Path(folder) / "job.json", job)
        _launch(Path(folder), runtime.gpus_per_training)


def _launch(folder: Path, processes: int) -> None:
    """Start the processes as ``torchrun --standalone --nproc-per-node N`` does, and wait."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=folder.name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,  # Snakemake's business
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / "elastic")),
        shutdown_timeout=SECONDS_TO_SAVE,
    )
    # A command, not a function: multiprocessing would run the script of the rule again in every
    # process, to have its __main__.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from edn_core.training.launch import work; work(sys.argv[1])"
    )
    with _quiet_agent():
        try:
            elastic_launch(config, sys.executable)("-c", program, str(folder))
        except (ChildFailedError, SignalException) as error:
            failure = _first_failure(folder, error)
            raise failure from failure.__cause__


# What a run's end is called after (`reason_of`) is not lost on the way from a process.
_KINDS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (OutOfTime, StoppedEarly, OutOfMemory, ShortOfMemory)
}


def _first_failure(folder: Path, error: Exception) -> Exception:
    """What to raise for the processes that failed: what the first of them said."""
    failures: list[dict[str, Any]] = [
        json.loads(path.read_text()) for path in folder.glob("failure-*.json")
    ]
    causes = sorted(
        (one for one in failures if one["kind"] != LostProcess.__name__),
        key=lambda one: one["time"],
    )
    if causes:
        cause = causes[0]
        failure: Exception
        if cause["kind"] in _KINDS:
            failure = _KINDS[cause["kind"]](cause["text"])
        elif cause["is_message"]:
            failure = ValueError(cause["text"])
        else:
            failure = RuntimeError(f"{cause['kind']}: {cause['text']}")
        if cause["rank"]:  # the first process has written its own into the log
            failure.__cause__ = RuntimeError(f"in process {cause['rank']}:\n{cause['trace']}")
        return failure
    ended = {
        rank: signal.Signals(-one.exitcode).name
        for rank, one in getattr(error, "failures", {}).items()
        if one.exitcode < 0
    }
    # SIGTERM is what the agent sends to those that are left.
    first = {rank: name for rank, name in ended.items() if name != "SIGTERM"} or ended
    killed = [f"process {rank} ({name})" for rank, name in first.items()]
    return RuntimeError(
        f"{', '.join(killed) or 'a process'} of the training was killed from outside; where the "
        "machine ran out of memory, lower runtime.frame_cache_mb or runtime.loader_workers. The "
        "same command goes on from the last resume point"
    )


@contextlib.contextmanager
def _quiet_agent() -> Iterator[None]:
    """Keep the agent's own reports off the terminal, and leave no signal handler of its behind."""
    agent = logging.getLogger("torch.distributed.elastic")
    silent = logging.NullHandler()
    agent.addHandler(silent)
    agent.propagate = False
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        agent.removeHandler(silent)
        agent.propagate = True
        for number, handler in before.items():
            signal.signal(number, handler)


def work(folder: str) -> None:
    """What one of several processes does; its number is in the environment (torchrun's RANK)."""
    from edn_core.training import STAGES

    job = read_job(Path(folder) / "job.json")
    rank = int(os.environ["RANK"])
    try:
        for name in ("edn", "edn.file"):
            logging.getLogger(name).handlers = [logging.NullHandler()]
        if rank == 0 and job.log:
            log_to(job.log, goes_on=True)
        torch.set_num_threads(job.threads)
        device = pick_device(job.runtime.device, may_share=False)
        with team_of(device) as team:
            train(STAGES[job.stage], job.files, job.settings, job.runtime, device, team)
    except BaseException as error:
        failure = {
            "rank": rank,
            "kind": type(error).__name__,
            "is_message": isinstance(error, ValueError),
            "text": str(error),
            "time": time.time(),
            "trace": traceback.format_exc(),
        }
        to_file = logging.getLogger("edn.file")
        if isinstance(error, StoppedEarly):
            to_file.error(str(error))
        else:
            to_file.error("stopped", exc_info=True)
        with contextlib.suppress(OSError):  # gone with the process that watched over this one
            (Path(folder) / f"failure-{rank}.json").write_text(json.dumps(failure))
        sys.stderr.flush()
        # Not through the interpreter's end, where a GPU may wait for processes that are gone.
        os._exit(1)
