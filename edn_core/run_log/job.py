"""A job's part of the log."""

import atexit
import json
import logging
import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edn_core.run_log.lines import RUNS, append, stamp
from edn_core.run_log.runs import latest_run

RUN_VARIABLE = "EDN_RUN"
"""Name of the run, for the jobs that Snakemake starts."""
_JOB_VARIABLE = "EDN_JOB"

# By name: what raises them is imported later than this.
_REASONS = {
    "StoppedEarly": "stopped early",
    "OutOfMemory": "out of memory",
    "MemoryError": "out of memory",
    "KeyboardInterrupt": "interrupted",
    "ToldToStop": "interrupted",
}


class JobLog(logging.Handler):
    """Writes what a job logs into its file of the run.

    A record with ``fields`` (a dict with ``event``) is that event, any other a message.
    """

    def __init__(self, path: Path, rule: str, wildcards: Mapping[str, str]) -> None:
        super().__init__()
        self._path, self._rule, self._wildcards = path, rule, dict(wildcards)
        self._start = time.monotonic()
        self._is_ended = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        fields: dict[str, Any] = getattr(record, "fields", {"event": "message"})
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        if record.exc_info and record.exc_info[0] is not None and "event" in fields:
            message = f"{record.exc_info[0].__name__}: {record.exc_info[1]}"
        self.write(**{"message": message, "level": record.levelname} | fields)

    def write(self, event: str, message: str = "", level: str = "INFO", **fields: Any) -> None:
        """Write one event."""
        append(self._path, stamp(event, message, level, self._rule, self._wildcards) | fields)

    def end(self, error: BaseException | None = None) -> None:
        """Say how the job ended, once."""
        if self._is_ended:
            return
        self._is_ended = True
        self.write(
            "job_ended",
            " ".join(str(error).split()) if error is not None else "",
            "INFO" if error is None else "ERROR",
            reason=reason_of(error),
            seconds=round(time.monotonic() - self._start, 3),
            peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        )


def reason_of(error: BaseException | None) -> str:
    """Why a job ended, in a word or two: done, or what kind of error it was."""
    if error is None:
        return "done"
    for kind in type(error).__mro__:
        if kind.__name__ in _REASONS:
            return _REASONS[kind.__name__]
    return "error" if isinstance(error, ValueError) else "fault"


def begin_job(log: Path, rule: str, wildcards: Mapping[str, str]) -> JobLog | None:
    """Begin a job's part of the log of the run that it belongs to.

    Args:
        log: the job's log file, ``logs/...``, which names the part.
        rule: the job's.
        wildcards: the job's.

    Returns:
        What writes it; None where no run is known.
    """
    run = os.environ.get(RUN_VARIABLE) or latest_run()
    if run is None or Path(run).name != run:
        return None
    inside = log.parts[1:] if log.parts[:1] == ("logs",) else (log.name,)
    path = Path.cwd() / RUNS / run / ".".join([*inside[:-1], f"{Path(inside[-1]).stem}.jsonl"])
    job = JobLog(path, rule, wildcards)
    # For the processes that this one starts to train together.
    os.environ[_JOB_VARIABLE] = json.dumps([str(path), rule, dict(wildcards)])
    job.write("job_started", log=str(log))
    atexit.register(job.end)
    return job


def join_job() -> JobLog | None:
    """Go on with the part of the log that the process which started this one began."""
    try:
        path, rule, wildcards = json.loads(os.environ.get(_JOB_VARIABLE, ""))
        return JobLog(Path(path), rule, wildcards)
    except (ValueError, TypeError):
        return None
