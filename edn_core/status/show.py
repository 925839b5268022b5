"""How a run stands, as lines of at most 100 columns."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from edn_core.run_log.runs import age
from edn_core.status.jobs import Job, Run
from edn_core.status.plan import PlannedFile

WIDTH = 100
MOST_LISTED = 12
_SAYS = {
    "running": "at work",
    "interrupted": "interrupted; the same command goes on",
    "lost": "killed; `snakemake --unlock`, then the same command",
}


def duration(seconds: float) -> str:
    """Seconds in words, in two units at most."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def show_run(run: Run) -> list[str]:
    """Lines about a run."""
    first, counts = run.first, run.counts
    begun = str(first.get("time", ""))[:16].replace("T", " ")
    since = f", {duration(age(first))} ago" if first else ""
    says = _SAYS.get(run.state, run.state)
    lines = [f"run of {begun} UTC on {first.get('host', '?')}{since}: {says}"]
    targets = first.get("targets") or []
    if targets:
        more = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
        lines.append(f"for {targets[0]}{more}")
    told = [f"{counts['done']} of {len(run.jobs)} jobs done"]
    told += [
        f"{counts[state]} {state}"
        for state in ("running", "queued", "lost", "stopped", "failed", "left")
        if counts[state]
    ]
    lines += ["", ", ".join(told)]
    for state in ("running", "lost", "stopped", "queued"):
        jobs = [job for job in run.jobs if job.state == state]
        lines += _table(state, [_row(job) for job in jobs])
    lines += _failed([job for job in run.jobs if job.state == "failed"])
    lines += _left([job for job in run.jobs if job.state == "left"])
    if run.state != "done":
        lines += ["", *_total(run)]
    return [line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..." for line in lines]


def _row(job: Job) -> tuple[str, str]:
    """A job and how far it is."""
    told = []
    if job.done is not None:
        told.append(f"{job.done:,} of {job.total:,}" if job.total else f"{job.done:,}")
        if job.total:
            told.append(f"{job.done / job.total:.0%}")
    if job.state == "running":
        if job.per_second:
            rate = job.per_second
            told.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if job.done is None:
            told.append(f"for {duration(age(job.started))}")
        if job.left_s is not None:
            told.append(f"{duration(job.left_s)} left")
        silent = age(job.last)
        if silent > 60:
            told.append(f"silent for {duration(silent)}")
    elif job.state == "lost":
        told.append("its process is gone; it goes on with the same command")
    return job.name, ", ".join(told)


def _table(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    width = min(44, max(len(name) for name, _ in rows))
    shown = [f"  {name:{width}}  {told}".rstrip() for name, told in rows[:MOST_LISTED]]
    more = [f"  and {len(rows) - MOST_LISTED} more"] if len(rows) > MOST_LISTED else []
    return ["", title, *shown, *more]


def _failed(jobs: Sequence[Job]) -> list[str]:
    if not jobs:
        return []
    lines = ["", "failed"]
    for job in jobs[:MOST_LISTED]:
        said = job.message or "its process was killed, or could not start"
        lines.append(f"  {job.name}")
        lines += textwrap.wrap(
            said, WIDTH, initial_indent="    ", subsequent_indent="    ", max_lines=4
        )
        if job.log:
            lines.append(f"    log: {job.log}")
    if len(jobs) > MOST_LISTED:
        lines.append(f"  and {len(jobs) - MOST_LISTED} more")
    return lines


def _left(jobs: Sequence[Job]) -> list[str]:
    rows = [
        (job.name, f"about {duration(job.left_s)}" if job.left_s is not None else "")
        for job in jobs
    ]
    if len(rows) <= MOST_LISTED:
        return _table("left", rows)
    return _table("left", _by_rule(job.rule for job in jobs))


def _by_rule(rules: Iterable[str]) -> list[tuple[str, str]]:
    return [(rule, f"{count:,}") for rule, count in Counter(rules).items()]


def _total(run: Run) -> list[str]:
    known = f"about {duration(run.left_s)} left if one job runs at a time"
    if not run.unknown:
        return [known]
    names = f"not known yet for {', '.join(run.unknown)}"
    return [*([known] if run.left_s else []), *textwrap.wrap(names, WIDTH)]


def show_files(files: Sequence[PlannedFile], run: Run | None) -> list[str]:
    """Lines about files that were asked for, and what runs of them.

    Args:
        files: Snakemake's plan.
        run: the latest one, whose running jobs are named; None: there was none.
    """
    if not files:
        return ["nothing is asked for: name a file, such as results/transfer/dance_to_me.mp4"]
    left = [one for one in files if not one.is_done]
    lines = [f"{len(files) - len(left)} of {len(files)} files are there and up to date"]
    paths = {one.path for one in left}
    running = [job for job in run.jobs if job.state == "running"] if run else []
    at_work = [job for job in running if job.output in paths]
    lines += _table("running", [_row(job) for job in at_work])
    busy = {job.output for job in at_work}
    waiting = [one for one in left if one.path not in busy]
    if len(waiting) <= 2 * MOST_LISTED:
        lines += ["", "left", *(f"  {one.path}" for one in waiting)] if waiting else []
    else:
        lines += _table("left", _by_rule(one.rule for one in waiting))
    return [line if len(line) <= WIDTH else f"...{line[-WIDTH + 3 :]}" for line in lines]
