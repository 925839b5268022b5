"""How the latest run stands, or what is there of files that are named.

python -m edn_core.status [--json] [--watch SECONDS] [FILE ...]
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict

from edn_core.run_log import latest_run, read_run
from edn_core.status import planned_files, show_files, show_run, understand
from edn_core.status.jobs import Run


def main() -> None:
    """Print how things stand, once or again and again."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.status",
        description="How the latest run stands; with files named, what is there of them.",
    )
    parser.add_argument("targets", nargs="*", help="files or rules, as snakemake takes them")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="again and again")
    parser.add_argument("--configfile", nargs="+", help="for named files; else the latest run's")
    parser.add_argument(
        "--log", action="store_true", help="print the whole log of the latest run, and no more"
    )
    arguments = parser.parse_args()
    if arguments.watch is not None and arguments.watch <= 0:
        parser.error(f"--watch must be above 0 s, got {arguments.watch}")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` is no error
    try:
        while True:
            lines, is_over = _look(arguments)
            if arguments.watch and sys.stdout.isatty():
                print("\033[2J\033[H", end="")
            print("\n".join(lines), flush=True)
            if not arguments.watch or is_over:
                return
            time.sleep(arguments.watch)
    except ValueError as error:
        sys.exit(f"edn: error: {error}")
    except KeyboardInterrupt:
        return


def _look(arguments: argparse.Namespace) -> tuple[list[str], bool]:
    """What to print, and whether nothing more will happen."""
    name = latest_run()
    if arguments.log:
        if name is None:
            raise ValueError("logs/runs: no run of the workflow left a log here; run snakemake")
        return [json.dumps(line, ensure_ascii=False) for line in read_run(name)], True
    run = understand(name) if name else None
    if run is not None and not arguments.targets:
        lines = [json.dumps(_as_json(run), indent=2)] if arguments.json else show_run(run)
        return lines, run.state != "running"
    configfiles = arguments.configfile or (run.first.get("configfiles", []) if run else [])
    files = planned_files(arguments.targets, configfiles)
    if arguments.json:
        content = {"files": [asdict(one) for one in files]}
        return [json.dumps(content | ({"run": _as_json(run)} if run else {}), indent=2)], False
    return show_files(files, run), all(one.is_done for one in files)


def _as_json(run: Run) -> dict[str, object]:
    hidden = ("last", "started", "sent", "said", "n_sent", "n_started")
    jobs = [
        {name: value for name, value in vars(job).items() if name not in hidden} for job in run.jobs
    ]
    return {
        "run": run.name,
        "state": run.state,
        "started": run.first.get("time"),
        "host": run.first.get("host"),
        "targets": run.first.get("targets", []),
        "counts": dict(run.counts),
        "left_s": round(run.left_s, 1),
        "unknown": run.unknown,
        "jobs": jobs,
    }


if __name__ == "__main__":
    main()
