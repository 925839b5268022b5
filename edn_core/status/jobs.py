"""The log of a run, understood: the state of every job."""

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname

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
        last: its own latest line.
        started: the line it began with.
        sent: Snakemake's latest line about it.
        said: lines of progress since it began.
        n_sent, n_started: how often Snakemake sent it, and it began.
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
    sent: Line = field(default_factory=dict, repr=False)
    said: list[Line] = field(default_factory=list, repr=False)
    n_sent: int = 0
    n_started: int = 0

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
        _settle(job, state, earlier.get(job.kind, expected.get(key)))
    result = Run(run, state, first, list(jobs.values()))
    ahead = [job for job in result.jobs if job.state not in ("done",)]
    result.left_s = sum(job.left_s or 0.0 for job in ahead)
    result.unknown = sorted({job.rule for job in ahead if job.left_s is None})
    return result


def _note(job: Job, line: Line) -> None:
    """What one line says about a job.

    Snakemake's lines and the job's own are kept apart: clocks of two machines differ by seconds.
    """
    event = line["event"]
    job.output, job.log = line.get("output") or job.output, line.get("log") or job.log
    if event in ("job_submitted", "job_finished", "job_failed"):
        job.sent = line
        job.n_sent += event == "job_submitted"
    elif event == "job_started":
        job.n_started += 1
        job.started = job.last = line
        job.said = []
    elif event in ("job_ended", "progress", "message"):
        job.last = line
        if event == "progress":
            job.said.append(line)


def _state(job: Job, run: str) -> str:
    """One of STATES."""
    sent, last = job.sent.get("event", ""), job.last.get("event", "")
    is_begun = job.n_started >= job.n_sent or job.started.get("time", "") >= job.sent.get(
        "time", ""
    )
    reason = job.last.get("reason", "") if last == "job_ended" and is_begun else ""
    if sent == "job_finished" or run == "done":  # with --touch none is sent
        return "done"
    if reason in ("stopped early", "interrupted"):
        # A batch system sends it again by itself, or Snakemake is about to.
        return "queued" if (sent, run) == ("job_submitted", "running") else "stopped"
    if sent == "job_failed" or (reason and reason != "done"):
        return "failed"
    if sent != "job_submitted":
        return "left"
    if not is_begun or not job.started:
        return "queued" if run == "running" else "left"
    if last == "job_ended":  # Snakemake will notice when it asks the batch system, or never
        return "done" if run == "running" else "left"
    if is_alive(job.last):
        return "running"
    return "lost" if run in ("running", "lost") else "stopped"


def _settle(job: Job, run: str, usual: float | None) -> None:
    """What follows for a job from its lines and the time now."""
    job.state = _state(job, run)
    job.left_s = usual
    if job.state not in ("queued", "left"):
        if job.last.get("event") == "job_ended":
            job.message = str(job.last.get("message", ""))
        seconds = job.last.get("seconds") if job.last.get("event") == "job_ended" else None
        job.seconds = seconds or job.sent.get("seconds")
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
    if first.get("host") == gethostname():
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
