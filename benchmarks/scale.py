"""How large may the matrix of sources and targets get? Real dry runs over placeholder videos.

    python -m benchmarks.scale --sizes 10x2 100x10 100x100
    python -m benchmarks.scale --sizes 1000x100 --ask row           # one target's transfers only
    python -m benchmarks.scale --sizes 1000x100 --ask batch=1/100   # `--batch all=1/100`
    python -m benchmarks.scale --sizes 100x10 --finished            # everything is there already
    python -m benchmarks.scale --sizes 300x100 --settings yaml      # a configuration file in YAML
    python -m benchmarks.scale --sizes 100x10 --finished --option persistence-backend=db

Each size is a checkout of its own in a temporary folder: an empty file for every video, every pair
among ``transfers``. ``snakemake --dry-run`` runs there as a process of its own; its wall time and
its peak resident memory (as the kernel counts it for that process) are those of planning. Files are
counted from what a dry run of one transfer names for each rule, times the rule's jobs. With
``--finished`` the outputs are made (empty) and recorded by ``snakemake --touch`` first, so that the
dry run reads a record of every file, and what lies on disk is counted.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOW = ("Snakefile", "workflow", "profiles", "config", "envs", "edn_core")
KINDS = ("output", "log", "benchmark")


@dataclass(frozen=True)
class Planned:
    """One dry run: seconds, those a core worked, MiB at the peak, and rule -> number of jobs."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    jobs: dict[str, int]

    @property
    def n_jobs(self) -> int:
        """Of all rules."""
        return sum(self.jobs.values())


def main() -> None:
    """Print a line per size, then what the figures say for a thousand by a hundred."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=["10x2", "100x10", "100x100"])
    parser.add_argument("--ask", default="all", help="all, row, or batch=NUMBER/PARTS")
    parser.add_argument("--settings", choices=("json", "yaml"), default="json")
    parser.add_argument("--finished", action="store_true", help="with every result there")
    parser.add_argument("--option", nargs="*", default=[], help="more for snakemake, without --")
    options = parser.parse_args()
    per_job = files_per_job()
    print(
        "| sources × targets | asked for | jobs | planned in, s | a core worked, s "
        "| peak memory, MiB | results | logs and benchmarks | on disk |\n|" + "---|" * 9
    )
    every: list[Planned] = []
    for size in options.sizes:
        n_sources, n_targets = (int(number) for number in size.split("x"))
        with tempfile.TemporaryDirectory(prefix="edn-scale-") as folder:
            make_matrix(Path(folder), n_sources, n_targets, options.settings)
            more = [f"--{one}" for one in options.option]
            there = finish(Path(folder), more) if options.finished else "-"
            planned = plan(Path(folder), *more, *arguments(options.ask, n_sources))
        every.append(planned)
        files = {
            kind: sum(per_job[rule][kind] * n for rule, n in planned.jobs.items()) for kind in KINDS
        }
        print(
            f"| {n_sources:,} × {n_targets:,} | {options.ask} | {planned.n_jobs:,} "
            f"| {planned.seconds:.1f} | {planned.cpu_seconds:.1f} | {planned.peak_mib:,.0f} "
            f"| {files['output']:,} | {files['log'] + files['benchmark']:,} | {there} |",
            flush=True,
        )
    if len(every) > 2 and options.ask == "all" and not options.finished:
        extrapolate(every, 1000, 100)


def make_matrix(folder: Path, n_sources: int, n_targets: int, settings: str) -> None:
    """A checkout with an empty file for every video and every pair configured."""
    for name in WORKFLOW:
        if (REPOSITORY / name).is_dir():
            hidden = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, folder / name, ignore=hidden)
        else:
            shutil.copy2(REPOSITORY / name, folder / name)
    sources = [source(i) for i in range(n_sources)]
    targets = [target(i) for i in range(n_targets)]
    (folder / "videos").mkdir()
    for name in sources + targets:
        (folder / "videos" / f"{name}.mp4").touch()
    pairs = [{"source": s, "target": t} for t in targets for s in sources]
    values = {"preset": "cpu", "transfers": pairs}
    # JSON is YAML too, and Snakemake reads it with the faster of its two readers.
    dump = json.dumps if settings == "json" else yaml.safe_dump
    (folder / "config" / "config.yaml").write_text(dump(values))


def source(number: int) -> str:
    """A source's name."""
    return f"source{number:04}"


def target(number: int) -> str:
    """A target's name."""
    return f"target{number:03}"


def arguments(ask: str, n_sources: int) -> list[str]:
    """What Snakemake is asked for."""
    if ask == "all":
        return ["all"]
    if ask == "row":
        files = [f"results/transfer/{source(i)}_to_{target(0)}.mp4" for i in range(n_sources)]
        return ["--", *files]
    return ["--batch", f"all={ask.removeprefix('batch=')}", "--", "all"]


def snakemake(*arguments: str) -> list[str]:
    """A command line."""
    return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]


def plan(folder: Path, *asked: str) -> Planned:
    """Plan without running anything, in a process of its own, and see what it took."""
    output = folder / "plan.txt"
    start = time.monotonic()
    with open(output, "w") as file:
        process = subprocess.Popen(
            [*snakemake("--dry-run", "--quiet", "rules", *asked)],
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)  # of this one child, as getrusage is not
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text()
    if process.returncode:
        sys.exit(f"edn: error: the dry run ended with {process.returncode}:\n{text[-2000:]}")
    worked = usage.ru_utime + usage.ru_stime
    return Planned(seconds, worked, usage.ru_maxrss / 1024, job_table(text))


def job_table(text: str) -> dict[str, int]:
    """Rule -> number of jobs, from the table a dry run prints."""
    if "Job stats:" not in text:
        return {}
    table = text.split("Job stats:")[1].split("\n\n")[0].strip().splitlines()[2:]
    return {rule: int(count) for rule, count in map(str.split, table) if rule != "total"}


def named_files(folder: Path, *asked: str) -> list[tuple[str, str, list[str]]]:
    """Rule, kind and paths, of every job that a dry run names."""
    ran = subprocess.run(
        [*snakemake("--dry-run", *asked)], cwd=folder, capture_output=True, text=True, check=True
    )
    found, rule = [], ""
    for line in (ran.stdout + ran.stderr).splitlines():
        if start := re.match(r"(?:local)?rule (\w+):$", line):
            rule = start[1]
        elif file := re.match(rf"    ({'|'.join(KINDS)}): (.+)", line):
            paths = file[2].removesuffix(" (check log file(s) for error details)")
            found.append((rule, file[1], paths.split(", ")))
    return found


def files_per_job() -> dict[str, Counter[str]]:
    """Rule -> how many outputs, logs and benchmarks one of its jobs writes."""
    with tempfile.TemporaryDirectory(prefix="edn-scale-") as folder:
        make_matrix(Path(folder), 1, 1, "json")
        # One job for each rule is enough, and of several the files are as many.
        named = {(rule, kind): paths for rule, kind, paths in named_files(Path(folder))}
    counts: dict[str, Counter[str]] = {"all": Counter()}
    for (rule, kind), paths in named.items():
        counts.setdefault(rule, Counter())[kind] = len(paths)
    return counts


def finish(folder: Path, more: list[str]) -> str:
    """Make every result, empty, have Snakemake record them, and count what lies on disk."""
    for _, kind, paths in named_files(folder):
        for path in map(folder.joinpath, paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "output":
                path.touch()
    start = time.monotonic()
    touch = snakemake("--touch", "--forceall", "--quiet", "all", *more)
    subprocess.run([*touch], cwd=folder, check=True, capture_output=True)
    seconds = time.monotonic() - start
    records = [path for path in (folder / ".snakemake/metadata").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in records)
    inodes = sum(1 for top in ("results", ".snakemake") for _ in (folder / top).rglob("*"))
    return (
        f"{inodes:,} inodes, {len(records):,} of them records of "
        f"{size / max(1, len(records)):.0f} bytes; written in {seconds:.0f} s"
    )


def extrapolate(every: list[Planned], n_sources: int, n_targets: int) -> None:
    """Straight lines through the measured plans, and what they say of a larger one."""
    jobs = np.array([one.n_jobs for one in every], float)
    # Jobs of a matrix: so many for a pair, for a source, for a target, and the rest once.
    print(f"\nStraight lines through these {len(every)}:")
    for name, values in (
        ("a core works, s", [one.cpu_seconds for one in every]),
        ("peak memory, MiB", [one.peak_mib for one in every]),
    ):
        slope, start = np.polyfit(jobs, np.array(values), 1)
        worst = np.abs(np.polyval([slope, start], jobs) - values).max()
        print(f"  {name}: {start:.1f} + {1000 * slope:.3f} per 1,000 jobs (off by {worst:.1f})")
        with tempfile.TemporaryDirectory(prefix="edn-scale-") as folder:
            make_matrix(Path(folder), 2, 1, "json")
            two = plan(Path(folder), "all").jobs
        total = sum(_jobs_of(rule, two, n_sources, n_targets) for rule in two)
        print(
            f"  so for {n_sources:,} × {n_targets:,}, {total:,} jobs: {start + slope * total:,.0f}"
        )


def _jobs_of(rule: str, of_two_sources: dict[str, int], n_sources: int, n_targets: int) -> int:
    """Jobs of a rule in a large matrix, from those of two sources and one target."""
    n = of_two_sources[rule]
    if rule in ("all", "fetch_pose_models"):
        return n
    if n == 2:
        return n_sources * n_targets  # once for a transfer
    if rule == "train_stage":
        return n * n_targets
    return n_sources + n_targets if n == 3 else n_targets  # for every video, or every target


if __name__ == "__main__":
    main()
