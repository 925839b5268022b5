"""The log of a run, understood: the state of every job."""

import json
import socket
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edn_core.run_log import RUNS, is_alive, list_runs, read_run
from edn_core.run_log.lines import Line
from edn_core.run_log.runs import SECONDS_OF_SILENCE, age

STATES = ("running", "queued", "lost", "failed", "stopped", "left", "done")
"""``lost``: its process is gone without a word; ``stopped``: told to, it goes on when asked."""
RUNS_LOOKED_AT = 10

Kind = tuple[str, str]


@dataclass
class Job:
    """One job of a run.

    Attributes:
        rule: its name.
        wildcards: by name.
        state: one of STATES.
        output: the first file it makes.
        log: its log file.
        message: what it said when it failed.
        what: it is doing, where it says how far it is.
        done: steps or frames done.
        total: of so many; None where unknown.
        per_second: of them.
        left_s: seconds it will still take, by its own rate or by earlier jobs; None where unknown.
        seconds: that it took.
        last: its latest line.
        started: the line it began with.
        said: lines of progress since it began.
    """

    rule: str
    wildcards: dict[str, str]
    state: str = "left"
    output: str = ""
    log: str = ""
    message: str = ""
    what: str = ""
    done: int | None = None
    total: int | None = None
    per_second: float | None = None
    left_s: float | None = None
    seconds: float | None = None
    last: Line = field(default_factory=dict, repr=False)
    started: Line = field(default_factory=dict, repr=False)
    said: list[Line] = field(default_factory=list, repr=False)

    @property
    def kind(self) -> Kind:
        """What jobs that take about as long have in common."""
        return self.rule, self.wildcards.get("stage", "")

    @property
    def name(self) -> str:
        """The rule and the wildcards' values."""
        return " ".join([self.rule, *self.wildcards.values()])


@dataclass
class Run:
    """A run of the workflow.

    Attributes:
        name: of its log.
        state: running, done, failed, interrupted, or lost: killed without a word.
        first: the line it began with.
        jobs: all of them, in the order they were planned.
        left_s: seconds for all that is left, one job after the other.
        unknown: rules among what is left of which nobody knows how long they take.
    """

    name: str
    state: str
    first: Line
    jobs: list[Job]
    left_s: float = 0.0
    unknown: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """Jobs by state."""
        return Counter(job.state for job in self.jobs)


def understand(run: str, folder: Path = RUNS) -> Run:
    """The state of a run and of every job in it, by its log.

    Args:
        run: name of the run.
        folder: where the logs lie.
    """
    lines = read_run(run, folder)
    first = next((line for line in lines if line["event"] == "run_started"), {})
    jobs: dict[str, Job] = {}
    expected: dict[str, float | None] = {}
    ended = ""
    for line in lines:
        if line["event"] == "run_ended":
            ended = str(line.get("reason", "done"))
        if not line.get("rule"):
            continue
        key = json.dumps([line["rule"], line["wildcards"]])
        is_planned = line["event"] == "job_planned"
        if is_planned:
            expected[key] = line.get("expected_s")
        if is_planned or key in jobs or len(expected) == 0:
            job = jobs.setdefault(key, Job(line["rule"], line["wildcards"]))
            _note(job, line)
    earlier = durations(folder)
    state = ended or ("running" if _runs(first, lines) else "lost")
    for key, job in jobs.items():
        _settle(job, bool(ended), state, earlier, expected.get(key))
    result = Run(run, state, first, list(jobs.values()))
    ahead = [job for job in result.jobs if job.state not in ("done",)]
    result.left_s = sum(job.left_s or 0.0 for job in ahead)
    result.unknown = sorted({job.rule for job in ahead if job.left_s is None})
    return result


def _note(job: Job, line: Line) -> None:
    """What one line says about a job."""
    event = line["event"]
    job.output, job.log = line.get("output") or job.output, line.get("log") or job.log
    if event in ("job_submitted", "job_started"):
        job.state = "queued" if event == "job_submitted" else "running"
        job.message, job.said, job.done, job.total = "", [], None, None
        job.started = job.last = line
    elif event == "job_finished":
        job.state, job.seconds = "done", job.seconds or line.get("seconds")
    elif event == "job_failed":
        job.state = "failed" if job.state != "stopped" else "stopped"
    elif event == "job_ended":
        job.last, reason = line, line.get("reason", "")
        job.message = str(line.get("message", ""))
        if reason == "done":
            job.seconds = line.get("seconds")
        else:
            job.state = "stopped" if reason in ("stopped early", "interrupted") else "failed"
    elif event in ("progress", "message"):
        job.last = line
        if event == "progress":
            job.said.append(line)


def _settle(
    job: Job, is_over: bool, run: str, earlier: dict[Kind, float], expected: float | None
) -> None:
    """What follows for a job from the time now."""
    if job.state == "running" and job.last["event"] != "job_ended" and not is_alive(job.last):
        job.state = "lost"
    if job.state == "queued" and run != "running":
        job.state = "left"
    if is_over and job.state == "lost":
        job.state = "stopped"
    usual = earlier.get(job.kind, expected)
    job.left_s = usual
    if job.said:
        last = job.said[-1]
        job.what, job.done, job.total = last["what"], last["done"], last["total"]
    if job.state == "done":
        job.left_s = 0.0
    elif job.state == "running" and job.said and job.total:
        job.per_second = _rate(job.said)
        if job.per_second:
            rest = (job.total - (job.done or 0)) / job.per_second
            job.left_s = max(0.0, rest - age(job.said[-1]))
    elif job.state == "running" and usual is not None:
        left = usual - age(job.started)
        job.left_s = left if left > 0 else None  # longer than usual already


def _rate(said: Sequence[Line]) -> float:
    """Items per second over the last lines of the same thing."""
    same = [line for line in said if line["what"] == said[-1]["what"]][-6:]
    first, last = same[0], same[-1]
    seconds = last["seconds"] - first["seconds"]
    if seconds <= 0 or last["done"] <= first["done"]:
        return float(last.get("per_second") or 0.0)
    return float((last["done"] - first["done"]) / seconds)


def _runs(first: Line, lines: Sequence[Line]) -> bool:
    """Whether the Snakemake of a log that does not end is at work."""
    if not first:
        return False
    if first.get("host") == socket.gethostname():
        return is_alive(first)
    return min((age(line) for line in lines[-50:]), default=age(first)) < SECONDS_OF_SILENCE


def durations(folder: Path = RUNS) -> dict[Kind, float]:
    """Median seconds of finished jobs of a rule (and stage) over the latest runs."""
    found: dict[Kind, list[float]] = defaultdict(list)
    for run in list_runs(folder)[-RUNS_LOOKED_AT:]:
        for line in _ended(read_run(run, folder)):
            kind = line["rule"], str(line["wildcards"].get("stage", ""))
            found[kind].append(float(line["seconds"]))
    return {kind: statistics.median(seconds) for kind, seconds in found.items()}


def _ended(lines: Iterable[Line]) -> list[Line]:
    return [one for one in lines if one["event"] == "job_ended" and one.get("reason") == "done"]
