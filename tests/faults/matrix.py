"""Break the demo on purpose, some hundred times, and say what came of it (`make faults`).

Each fault: a job of the demo is disturbed; then the same job runs again; then everything under
``results`` has to be, byte for byte, what an undisturbed run made. The table is printed and written
into docs/reliability.md.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

import damage  # noqa: E402
import own_videos  # noqa: E402
import snakemakes  # noqa: E402
from children import warm_up  # noqa: E402
from disturb import Outcome, disturb  # noqa: E402
from jobs import Job, find_jobs, make_reference  # noqa: E402
from plans import KINDS, Extent, faults_of, measure  # noqa: E402
from room import TEMPORARY, Room, sweep  # noqa: E402

PAGE = HERE.parents[1] / "docs/reliability.md"
MARKS = ("<!-- faults: begin -->\n", "<!-- faults: end -->\n")


def main() -> int:
    """Run what is asked for; 1 where anything was lost or different."""
    read = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = {"nargs": "*", "default": [""], "metavar": "TEXT"}
    read.add_argument("--only", **every, help="faults whose kind holds one of these")
    read.add_argument("--job", **every, help="jobs whose name holds one of these")
    read.add_argument("--seed", type=int, default=5, help="of the random points (default 5)")
    read.add_argument("--count", type=int, default=1, help="points of each kind in every job")
    read.add_argument("--folder", type=Path, help="where to work; goes on from what it holds")
    read.add_argument("--recorded", action="store_true", help="only what --folder has on record")
    asked = read.parse_args()
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}{os.getpid()}-") as scratch:
        folder = (asked.folder or Path(scratch)).resolve()
        print("the undisturbed run (two minutes, the first time in this folder)", flush=True)
        room = Room(make_reference(folder / "reference"), folder / "room")
        if not asked.recorded:
            warm_up()
        try:
            outcomes = run(room, asked, folder / f"record.{asked.seed}.{asked.count}.jsonl")
        finally:
            room.close()
    table = describe(outcomes, asked)
    print(table)
    if asked.only == asked.job == [""]:
        write_into(PAGE, table)
    return int(any(one.wrong for one in outcomes))


def run(room: Room, asked: argparse.Namespace, record: Path) -> list[Outcome]:
    """All faults of all jobs, with a line for each; those on record are not made again."""
    jobs = {job.name: job for job in find_jobs(room.reference)}
    done = {}
    for row in record.read_text().splitlines() if record.exists() else []:
        told = json.loads(row)
        done[told["key"]] = Outcome(**(told["outcome"] | {"job": jobs[told["outcome"]["job"]]}))
    outcomes, start = [], time.monotonic()
    for key, meet in faults(room, list(jobs.values()), asked):
        outcome = done.get(key)
        if outcome is None and asked.recorded:
            continue
        if outcome is None:
            outcome = meet()
            plain = vars(outcome) | {"job": outcome.job.name}
            with record.open("a") as stream:
                stream.write(json.dumps({"key": key, "outcome": plain}) + "\n")
        outcomes.append(outcome)
        verdict = "; ".join(outcome.wrong) or ("ok" if outcome.was_hit else "ended before it")
        print(
            f"{len(outcomes):4} {time.monotonic() - start:5.0f} s  {outcome.kind}: "
            f"{outcome.job.name} {outcome.detail}: {verdict}  {outcome.message}",
            flush=True,
        )
    return outcomes


def faults(
    room: Room, jobs: list[Job], asked: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Every fault that is asked for: what tells it from others, and a function that makes it."""
    chosen = [job for job in jobs if holds(job.name, asked.job)]
    extents = room.folder.parent / "extents.json"
    is_any = any(holds(kind, asked.only) for kind in KINDS)
    for job in chosen if is_any else []:  # each is measured first
        rng = random.Random(f"{asked.seed} {job.name}")
        known = json.loads(extents.read_text()) if extents.exists() else {}
        if job.name not in known and asked.recorded:
            continue
        if job.name not in known:
            known[job.name] = vars(measure(room, job))
            extents.write_text(json.dumps(known))
        for fault in faults_of(room, job, Extent(**known[job.name]), rng, asked.count):
            if holds(fault.kind, asked.only):
                yield f"{fault.kind}, {job.name}, {fault.detail}", partial(disturb, room, fault)
    for number, one in enumerate(damage.plan(jobs, random.Random(asked.seed))):
        if holds(one.kind, asked.only) and holds(one.job.name, asked.job):
            rng = random.Random(f"{asked.seed} {number}")
            meet = partial(damage.runner(one), room, one, jobs, rng)
            yield f"{one.kind}, {one.job.name}, {one.path}", meet
    for own in own_videos.plan(chosen, asked.count):
        if holds(own.kind, asked.only):
            rng = random.Random(f"{asked.seed} {own.kind} {own.number}")
            meet = partial(own_videos.run_own_video, room, own, rng)
            yield f"{own.kind}, {own.job.name}, {own.number}", meet
    for number, (kind, job) in enumerate(snakemakes.plan(room, chosen, asked.seed, asked.count)):
        if holds(kind, asked.only):
            rng = random.Random(f"{asked.seed} {number}")
            yield f"{kind}, {job.name}", partial(snakemakes.run_kind, room, kind, job, rng)


def holds(name: str, texts: list[str]) -> bool:
    """Whether a name holds one of the texts."""
    return any(text in name for text in texts)


def describe(outcomes: list[Outcome], asked: argparse.Namespace) -> str:
    """The table: a line per kind of fault."""
    kinds = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.kind].append(outcome)
    rows = [
        "| fault | stages | injected | same bytes after the same command | lost or different |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    total: Counter[str] = Counter()
    for kind, found in kinds.items():
        hit = [one for one in found if one.was_hit]
        wrong = sum(bool(one.wrong) for one in hit)
        stages = len({one.job.rule for one in hit})
        if not hit:
            continue
        total.update(injected=len(hit), wrong=wrong)
        rows.append(f"| {kind} | {stages} | {len(hit)} | {len(hit) - wrong} | {wrong} |")
    rows.append(
        f"| **all** | | **{total['injected']}** | **{total['injected'] - total['wrong']}** | "
        f"**{total['wrong']}** |"
    )
    command = f"make faults ARGS='--seed {asked.seed} --count {asked.count}'"
    missed = len(outcomes) - total["injected"]
    part = ", the part of it that is on record" if asked.recorded else ""
    late = f"{missed} more are not counted: the job had ended before their moment came"
    return "\n".join([f"`{command}`{part}; {late}.\n", *rows, ""])


def write_into(page: Path, table: str) -> None:
    """Put the table between its marks."""
    text = page.read_text()
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    page.write_text(before + MARKS[0] + table + MARKS[1] + after)


if __name__ == "__main__":
    sys.exit(main())
