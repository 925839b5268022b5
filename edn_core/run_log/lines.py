"""Lines of the log, written so that a kill at any moment tears no line but the last."""

import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from socket import gethostname
from typing import Any

SCHEMA = "edn-log"
SCHEMA_VERSION = 1
RUNS = Path("logs/runs")
"""Where the logs of runs lie, in the folder Snakemake works in."""
LATEST = Path("logs/run.jsonl")
"""A link to the log of the latest run."""
LONGEST_MESSAGE = 2000

Line = dict[str, Any]
_BEGUN: set[Path] = set()


@cache
def _host() -> str:
    return gethostname()


def stamp(
    event: str, message: str = "", level: str = "INFO", rule: str = "", wildcards: Any = None
) -> Line:
    """A line without further fields, of this moment and this process.

    Args:
        event: what happened; docs/data_contracts.md lists them.
        message: for people; cut after 2000 characters.
        level: INFO, WARNING or ERROR.
        rule: of the job, empty for Snakemake itself.
        wildcards: the job's, by name.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": event,
        "rule": rule,
        "wildcards": dict(wildcards or {}),
        "pid": os.getpid(),
        "host": _host(),
        "message": message[:LONGEST_MESSAGE],
    }


def append(path: Path, line: Line) -> None:
    """Add a line in one write; where that cannot be done, nothing happens.

    Opened anew each time: the folder may be gone since, when Snakemake ended before its job.
    """
    try:
        text = json.dumps(line, default=str, allow_nan=False, ensure_ascii=False) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path not in _BEGUN and _is_torn(path):
            text = "\n" + text  # of a process that was killed while it wrote
        _BEGUN.add(path)
        with open(path, "ab", buffering=0) as stream:
            stream.write(text.encode(errors="replace"))
    except (OSError, ValueError, TypeError):
        return


def _is_torn(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    with open(path, "rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() != b"\n"


def read_lines(path: Path) -> list[Line]:
    """The lines of a file, in order; torn ones and what is no line of a log are left out."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return []
    lines = []
    for row in text.splitlines():
        try:
            line = json.loads(row)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("event"), str) and "time" in line:
            lines.append(line)
    return lines
