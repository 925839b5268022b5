"""A million bad settings, names and files: is each read, or refused in one line?

python tests/fuzz/run.py                      # all, about a quarter of an hour; prints the table
python tests/fuzz/run.py --write              # and puts it into docs/reliability.md
python tests/fuzz/run.py --only JSON --scale 0.01
python tests/fuzz/run.py --only "OpenCV's YAML" --case FILE   # one case again, with its traceback
"""

import argparse
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(HERE.parent)]
from engine import SECONDS, Record, Target, run_cases  # noqa: E402

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by `make fuzz` -->", "<!-- end -->"
MOST_CRASHES = 20


@dataclass(frozen=True)
class Done:
    """What came of a target."""

    name: str
    cases: int
    seconds: float
    faults: list[str]


GUIDED = [f"edn_core.{name}" for name in ("config", "intake", "pose")]
MODULES = ("text_targets", "json_targets", "file_targets")


def targets() -> dict[str, Callable[[], Target]]:
    """Every target by name; made when it is run."""
    return {k: make for name in MODULES for k, make in import_module(name).TARGETS.items()}


def find_target(name: str) -> Callable[[], Target]:
    """One target, without importing what those of later modules need."""
    found = (import_module(one).TARGETS for one in MODULES)
    return next(some[name] for some in found if name in some)


def run_target(name: str, scale: float, seed: int, folder: Path) -> Done:
    """Run a target in processes of its own, the next where the last one crashed."""
    kept = folder / "done.json"
    if kept.is_file():
        return Done(**json.loads(kept.read_text()))
    began, first, crashes = time.monotonic(), 0, []
    # What a run that was stopped left of this target is made again, from its first case.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    record = Record(folder)
    for _ in range(MOST_CRASHES):
        how = run_child(name, first, seed, scale, folder, record)
        if not how:
            break
        first, case = record.current()
        (folder / f"crash-{first}").write_bytes(case)
        crashes.append(f"{how}, case {folder / f'crash-{first}'}")
    cases, _ = record.current()
    found = folder / "faults.jsonl"
    lines = found.read_text().splitlines() if found.is_file() else []
    faults = {one["what"]: one["case"] for one in map(json.loads, lines)}
    told = [f"{what}, case {case}" for what, case in faults.items()]
    done = Done(name, cases, time.monotonic() - began, told + crashes)
    kept.write_text(json.dumps(asdict(done)))
    return done


def run_child(name: str, first: int, seed: int, scale: float, folder: Path, record: Record) -> str:
    """Run a process to its end; how it was stopped by a case, "" if it was not."""
    # What is not guided runs three times as fast where nothing counts the lines it reached.
    options = ["--guided"] * find_target(name)().is_guided
    options += ["--from", str(first), "--seed", str(seed), "--scale", str(scale)]
    with open(folder / "stderr", "ab") as stream:
        process = psutil.Popen(
            [sys.executable, str(HERE / "run.py"), "--child", name, *options, "--folder", folder],
            stdout=stream,
            stderr=stream,
        )
    at, spent = -1, 0.0
    while True:
        try:
            ended = process.wait(timeout=1)
        except psutil.TimeoutExpired:
            # A native library that does not come back cannot be interrupted from within.
            used = sum(process.cpu_times()[:2])
            if record.current()[0] != at:
                at, spent = record.current()[0], used
            elif at > first and used - spent > 3 * SECONDS:
                process.kill()
                process.wait()
                return "does not come back"
            continue
        if ended == 0:
            return ""
        return signal.Signals(-ended).name if ended < 0 else f"status {ended}"


def child(name: str, first: int, seed: int, scale: float, folder: Path, is_guided: bool) -> None:
    """Run a target's cases in this process."""
    if is_guided:
        import atheris

        with atheris.instrument_imports(include=GUIDED):
            import_module(MODULES[0])
    target = find_target(name)()
    run_cases(name, first, max(1, round(target.cases * scale)), seed, folder, target)


def table(done: list[Done]) -> str:
    """The table of the docs."""
    lines = ["| target | cases | seconds | found |", "|---|---:|---:|---|"]
    for one in done:
        lines.append(f"| {one.name} | {one.cases:,} | {one.seconds:.0f} | {len(one.faults)} |")
    cases, seconds = sum(one.cases for one in done), sum(one.seconds for one in done)
    found = sum(len(one.faults) for one in done)
    lines.append(f"| **all** | **{cases:,}** | **{seconds:.0f}** | **{found}** |")
    return "\n".join(lines)


def write_table(text: str) -> None:
    """Put the table into its place in the docs."""
    page = PAGE.read_text()
    place = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not place.search(page):
        sys.exit(f"{PAGE}: has no line {BEGIN}")
    PAGE.write_text(place.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page))


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="targets whose name holds this")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the cases (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="the table, into docs/reliability.md")
    parser.add_argument("--case", type=Path, help="read this one case and let its error out")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--guided", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--from", dest="first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder",
        type=Path,
        help="where cases that found something are kept; one that is there is gone on with",
    )
    given = parser.parse_args()
    if given.child:
        child(given.child, given.first, given.seed, given.scale, given.folder, given.guided)
        return
    chosen = [name for name in targets() if given.only in name]
    if given.case:
        print(repr(targets()[chosen[0]]().read(given.case.read_bytes()))[:1000])
        return
    folder = given.folder or Path(tempfile.mkdtemp(prefix="edn-fuzz-"))
    folder.mkdir(exist_ok=True, parents=True)
    done = []
    for name in chosen:
        one = run_target(name, given.scale, given.seed, folder / re.sub(r"\W+", "-", name))
        print(f"{one.name}: {one.cases:,} cases, {one.seconds:.0f} s", flush=True)
        for fault in one.faults:
            print(f"    {fault}", flush=True)
        done.append(one)
    print(f"\n{table(done)}")
    if given.write:
        write_table(table(done))
    sys.exit(1 if any(one.faults for one in done) else 0)


if __name__ == "__main__":
    main()
