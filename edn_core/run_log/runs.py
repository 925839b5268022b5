"""Runs there were, and their logs as one."""

import os
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname

from edn_core.run_log.lines import RUNS, Line, read_lines

SECONDS_OF_SILENCE = 300.0
"""A process on another machine that wrote nothing for so long is taken for dead."""


def list_runs(folder: Path = RUNS) -> list[str]:
    """Names of all runs, the latest last: they begin with the time the run began."""
    try:
        return sorted({path.name.removesuffix(".jsonl") for path in folder.iterdir()})
    except OSError:
        return []


def latest_run(folder: Path = RUNS) -> str | None:
    """Name of the latest run; None where there was none."""
    runs = list_runs(folder)
    return runs[-1] if runs else None


def job_files(run: str, folder: Path = RUNS) -> list[Path]:
    """Files of a run's jobs whose lines are not yet in the run's own file."""
    return sorted((folder / run).glob("*.jsonl"))


def read_run(run: str, folder: Path = RUNS) -> list[Line]:
    """All lines of a run in order of time; of one file, in the file's order where clocks jumped."""
    files = [folder / f"{run}.jsonl", *job_files(run, folder)]
    lines = []
    for path in files:
        latest = ""
        for line in read_lines(path):
            latest = max(latest, str(line["time"]))
            lines.append((latest, line))
    return [line for _, line in sorted(lines, key=lambda one: one[0])]


def age(line: Line) -> float:
    """Seconds since a line was written, by this machine's clock; infinite where it has no time."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(line["time"])).total_seconds()
    except (ValueError, TypeError):
        return float("inf")


def is_alive(last: Line) -> bool:
    """Whether the process that wrote a line still runs.

    On this machine by its number, if it began before the line; on others by the line's age.
    """
    import psutil  # here, so that benchmarks.gpu runs where there is little besides torch

    if last.get("host") != gethostname():
        return age(last) < SECONDS_OF_SILENCE
    try:
        process = psutil.Process(int(last["pid"]))
        began = process.create_time()
        written = datetime.fromisoformat(last["time"]).timestamp()
        return began <= written + 2 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, KeyError, TypeError):
        return False


def new_run() -> str:
    """A name for a run that begins now."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
