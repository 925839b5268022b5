"""The part of the log that Snakemake's process writes: what is planned, sent, done and failed."""

import contextlib
import json
import logging
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from edn_core import __version__
from edn_core.run_log.job import RUN_VARIABLE
from edn_core.run_log.lines import LATEST, RUNS, SCHEMA, SCHEMA_VERSION, Line, append, stamp
from edn_core.run_log.runs import job_files, list_runs, new_run, read_run
from edn_core.store import write_beside

MOST_PLANNED = 20_000
"""Jobs of a run that are listed before it begins, at most: a line is 300 bytes."""
RUNS_KEPT = 50
_SECRET = ("key", "secret", "token", "password")


class WorkflowLog(logging.Handler):
    """Turns Snakemake's log records into lines; what it says in words only is left out."""

    def __init__(self, run: str, workflow: Any) -> None:
        super().__init__()
        self.run, self.path = run, Path.cwd() / RUNS / f"{run}.jsonl"
        self.workflow = workflow
        self.errors: list[tuple[str, str]] = []
        self.is_interrupted = self.is_ended = False
        self._jobs: dict[int, tuple[str, dict[str, str], float]] = {}
        self.start = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; of a Snakemake that names its events otherwise, nothing."""
        if self.is_ended:
            return
        with contextlib.suppress(Exception):
            for line in self._lines(record):
                append(self.path, line)

    def _lines(self, record: Any) -> Iterable[Line]:
        event = str(getattr(record, "event", None) or "")
        if event == "job_info":
            wildcards = dict(record.wildcards or {})
            self._jobs[record.jobid] = record.rule_name, wildcards, time.monotonic()
            yield stamp("job_submitted", "", "INFO", record.rule_name, wildcards) | {
                "log": " ".join(record.log or [])
            }
        elif event == "job_finished":
            rule, wildcards, since = self._jobs[record.job_id]
            seconds = round(time.monotonic() - since, 3)
            yield stamp("job_finished", "", "INFO", rule, wildcards) | {"seconds": seconds}
        elif event in ("job_error", "group_error"):
            failed = [record.__dict__] if event == "job_error" else record.job_error_info
            for one in failed:
                rule, wildcards, _ = self._jobs.get(one["jobid"], (one["rule_name"], {}, 0.0))
                log = " ".join(one["log"] or [])
                self.errors.append((rule, log))
                yield stamp("job_failed", "", "ERROR", rule, wildcards) | {"log": log}
        elif "Terminating processes on user request" in str(record.msg):
            self.is_interrupted = True
        elif record.levelno >= logging.WARNING:
            yield stamp("message", str(record.getMessage()), record.levelname)


def start_run(workflow: Any, logger: logging.Logger) -> WorkflowLog | None:
    """Begin the log of a run: how it was called, and every job that it will make.

    Args:
        workflow: Snakemake's, its jobs planned.
        logger: Snakemake's.

    Returns:
        What end_run ends; None where the log cannot be written.
    """
    log = WorkflowLog(new_run(), workflow)
    try:
        log.path.parent.mkdir(parents=True, exist_ok=True)
        log.path.touch()
        _forget_old_runs()
        _link_latest(log.run)
    except OSError as error:
        logger.warning(f"edn: no structured log of this run: {error}")
        return None
    os.environ[RUN_VARIABLE] = log.run
    jobs = _needed(workflow)
    first = stamp("run_started", f"{len(jobs)} jobs") | {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "edn_version": __version__,
        "snakemake_version": metadata.version("snakemake"),
        "python_version": sys.version.split()[0],
        "command": redacted(sys.argv[1:]),
        "configfiles": _configfiles(workflow),
        "targets": _targets(workflow),
        "jobs": len(jobs),
    }
    append(log.path, first)
    # A log nobody has asked for must not stop a run whose Snakemake is another than the pinned one.
    with contextlib.suppress(Exception):
        expected = _expected_seconds(workflow.dag.jobs)
        for job in jobs[:MOST_PLANNED]:
            line = stamp("job_planned", "", "INFO", job.rule.name, job.wildcards_dict)
            line["output"] = str(job.output[0])
            line["expected_s"] = expected.get(_kind(job))
            append(log.path, line)
    logger.addHandler(log)
    return log


def end_run(log: WorkflowLog | None, is_done: bool) -> list[str]:
    """End the log of a run, with all lines of its jobs in it.

    Args:
        log: from start_run.
        is_done: whether all jobs were done.

    Returns:
        Two lines for the terminal: where the result, or the log of what failed, is; and what next.
    """
    if log is None:
        return []
    log.is_ended = True
    reason = "done" if is_done else "interrupted" if log.is_interrupted else "failed"
    line = stamp("run_ended", "", "INFO" if is_done else "ERROR")
    append(log.path, line | {"reason": reason, "seconds": round(time.monotonic() - log.start, 3)})
    lines = read_run(log.run)
    with contextlib.suppress(OSError, ValueError):
        _merge(log.run, lines)
    if is_done:
        return _say_done(_targets(log.workflow))
    return _say_failed(log, lines)


def _say_done(targets: list[str]) -> list[str]:
    there = [path for path in targets if Path(path).is_file()]
    if not there:
        return []
    more = f" and {len(there) - 1} more" if len(there) > 1 else ""
    return [f"edn: done: {there[0]}{more}", f"edn: log of the run: {LATEST}"]


def _say_failed(log: WorkflowLog, lines: list[Line]) -> list[str]:
    if log.is_interrupted:
        return [
            f"edn: stopped by you or by the system; log of the run: {LATEST}",
            "edn: the same command goes on; `python -m edn_core.status` says what is left",
        ]
    ended = [
        one
        for one in lines
        if one["event"] == "job_ended" and one.get("reason") not in ("done", "interrupted")
    ]
    said = {one["rule"]: one["message"] for one in reversed(ended)}
    is_stopped = bool(ended) and all(one["reason"] == "stopped early" for one in ended)
    rule, path = log.errors[0] if log.errors else ("", "")
    if not rule:
        return [f"edn: failed; log of the run: {LATEST}"]
    others = f" (and {len(log.errors) - 1} more)" if len(log.errors) > 1 else ""
    what = said.get(rule) or "its process was killed, or could not start"
    return [
        f"edn: {'stopped' if is_stopped else 'failed'}: {rule}{others}: {what}",
        f"edn: log: {path or LATEST}; log of the run: {LATEST}",
    ]


def redacted(words: list[str]) -> list[str]:
    """Words of a command line without what may be secret: values of options that say so."""
    shown, hides = [], False
    for word in words:
        name, equals, _ = word.partition("=")
        is_secret = any(one in name.lower().replace("_", "-") for one in _SECRET)
        if hides and not word.startswith("-"):
            shown.append("***")
        elif is_secret and equals:
            shown.append(f"{name}=***")
        else:
            shown.append(word.replace(str(Path.home()), "~"))
        hides = is_secret and word.startswith("-") and not equals
    return shown


def _targets(workflow: Any) -> list[str]:
    """What was asked for; finished videos first, for that is what people want to see."""
    with contextlib.suppress(Exception):
        paths = {str(path) for path in workflow.dag.derived_targetfiles}
        return sorted(paths, key=lambda one: (not one.endswith(".mp4"), one.count("/"), one))
    return []


def _configfiles(workflow: Any) -> list[str]:
    with contextlib.suppress(Exception):
        return [str(path) for path in workflow.config_settings.configfiles]
    return []


def _needed(workflow: Any) -> list[Any]:
    """Jobs that the run will make, each after those it needs; what writes nothing left out."""
    with contextlib.suppress(Exception):
        needed = {job for job in workflow.dag.needrun_jobs() if job.output}
        return [job for level in workflow.dag.toposorted() for job in level if job in needed]
    return []


def _kind(job: Any) -> tuple[str, str]:
    return job.rule.name, job.wildcards_dict.get("stage", "")


def _expected_seconds(jobs: Iterable[Any]) -> dict[tuple[str, str], float]:
    """Median seconds of earlier jobs of a rule (and stage), by what their benchmarks say."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for job in jobs:
        if not job.benchmark or len(found[_kind(job)]) >= 20:
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            found[_kind(job)].append(
                float(Path(job.benchmark).read_text().splitlines()[1].split("\t")[0])
            )
    return {kind: round(statistics.median(one), 1) for kind, one in found.items() if one}


def _merge(run: str, lines: list[Line]) -> None:
    """Put the jobs' lines into the run's own file; a job that still writes begins a file anew."""
    parts = job_files(run)
    with write_beside(RUNS / f"{run}.jsonl") as partial:
        partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    for path in parts:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (RUNS / run).rmdir()


def _link_latest(run: str) -> None:
    link = LATEST.with_name(f".{LATEST.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a file system without links: the names tell the time
        link.symlink_to(Path(RUNS.name) / f"{run}.jsonl")
        os.replace(link, LATEST)


def _forget_old_runs() -> None:
    for run in list_runs()[:-RUNS_KEPT]:
        for path in [*job_files(run), RUNS / f"{run}.jsonl"]:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (RUNS / run).rmdir()
