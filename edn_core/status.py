"""How far the jobs are, by their own logs: ``python -m edn_core.status [folder]``.

A job logs to ``logs/NAME.log`` and, where it succeeds, Snakemake then writes how long it took to
``results/benchmarks/NAME.tsv``.
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from edn_core.errors import Refused
from edn_core.logs import errors_in_one_line

DONE, RUNS, STOPPED = "done", "runs, or was killed", "stopped"
BENCHMARKS = "results/benchmarks"
MOST_LISTED = 12
TAIL = 65_536  # bytes of a log that are read, from its end


@dataclass(frozen=True)
class Job:
    """What the log of a job says."""

    name: str  # of its log, below ``logs/``, without ending
    state: str  # DONE, RUNS or STOPPED (by an error, or told to)
    said: str  # its last line: progress with rate and time left, or what was wrong
    silent_s: float  # seconds since that line


def read_jobs(folder: str | Path = ".", since: float = 0.0) -> list[Job]:
    """All jobs that left a log below ``logs`` of a folder, the one that spoke last at the end.

    Of those only that spoke after a time, in seconds since 1970.
    """
    logs = Path(folder) / "logs"
    paths = [path for path in logs.rglob("*.log") if path.stat().st_mtime >= since]
    jobs = [_read_job(path, logs) for path in paths]
    return sorted(jobs, key=lambda job: -job.silent_s)


def _read_job(path: Path, logs: Path) -> Job:
    name = path.relative_to(logs).with_suffix("")
    written = path.stat().st_mtime
    # The processes of a training log as body.1; the log of a film names its container.
    names = name.with_suffix(".tsv"), name.with_name(f"{name.name}.tsv")
    benchmarks = [logs.parent / BENCHMARKS / one for one in names]
    # Date, time, level, message; lines of a traceback begin otherwise.
    with open(path, "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL))
        text = stream.read().decode(errors="replace")
    rows = [row.split(" ", 3) for row in text.splitlines()]
    said = [row for row in rows if len(row) == 4 and row[2] in ("INFO", "WARNING", "ERROR")]
    state = RUNS
    if said and said[-1][2] == "ERROR":
        state = STOPPED
    elif any(one.is_file() and one.stat().st_mtime >= written - 1 for one in benchmarks):
        state = DONE
    return Job(str(name), state, said[-1][3] if said else "", time.time() - written)


def last_words(since: float, folder: str | Path = ".") -> list[str]:
    """What each job that was stopped since a time (s of the epoch) said last, with its log.

    Of those that were killed, which did not say so, where no other was stopped.
    """
    jobs = read_jobs(folder, since - 1)
    stopped = [job for job in jobs if job.state == STOPPED]
    return [
        f"{job.said if stopped else 'ended without a reason; was it killed?'} "
        f"(details: logs/{job.name}.log)"
        for job in stopped or jobs
        if job.state != DONE
    ]


def describe_jobs(jobs: list[Job]) -> str:
    """Lines for people: how many are done, then each that is not."""
    done = [job for job in jobs if job.state == DONE]
    lines = [f"{len(done)} of {len(jobs)} jobs that began are done; the last:"]
    lines += [f"  {job.name}" for job in done[-3:]]
    for state in (RUNS, STOPPED):
        some = [job for job in jobs if job.state == state]
        lines += [f"{state}:"] if some else []
        for job in some[-MOST_LISTED:]:
            lines.append(f"  {job.name}, {job.silent_s:.0f} s ago: {job.said or 'nothing yet'}")
    return "\n".join([*lines, "what is still to be done: `snakemake --dry-run --quiet`"])


def is_snakemake_here() -> bool:
    """Whether a Snakemake works in the current folder, whoever started it."""
    found = (one.info for one in psutil.process_iter(["cmdline", "cwd"]))
    here = [one["cmdline"] or [] for one in found if one["cwd"] == os.getcwd()]
    return any("snakemake" in " ".join(command) for command in here)


def main() -> None:
    """Print how far the jobs of a folder are."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.status", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", default=".", help="with logs and results (%(default)s)"
    )
    folder = parser.parse_args().folder
    with errors_in_one_line():
        jobs = read_jobs(folder)
        if not jobs:
            raise Refused(Path(folder) / "logs", "no job left a log", "", "run snakemake there")
        print(describe_jobs(jobs))


if __name__ == "__main__":
    main()
