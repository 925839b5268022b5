"""The runs that the page starts: one at a time, each in a session of processes of its own.

What is known of them stands in ``results/app/runs.json``, so that a page that is closed or a server
that is started anew finds them again.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from edn_core.errors import explain
from edn_core.status import is_snakemake_here
from edn_core.store import read_json, write_json

FOLDER = Path("results/app")
LOG, STATUS, KNOWN = FOLDER / "run.log", FOLDER / "status", FOLDER / "runs.json"
MOST_LINES = 5
KINDS = "check", "film", "dance"
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
# The shell outlives Ctrl-C to its session, and tells how the run ended also where nobody waits.
# Both hold the status, which is locked while one of them is there.
_WRAPPER = f'trap : INT TERM; exec 3>&1; "$@" > {LOG} 2>&1; echo $?'
_KILLED = "the run was killed, or the machine switched off; go on where it was"


@dataclass
class Run:
    """Something that is made of one pair of videos."""

    kind: str  # of KINDS
    source: str
    target: str
    state: str = "queued"  # then running, stopping, and in the end done, stopped or failed
    pid: int = 0  # of the session that it leads
    started: float = 0.0  # s since 1970
    said: list[str] = field(default_factory=list)  # what was wrong, as on the terminal

    @property
    def makes(self) -> tuple[str, str, str]:
        """What it makes: kind, source, target."""
        return self.kind, self.source, self.target

    @property
    def is_working(self) -> bool:
        """Whether it was started and has not ended."""
        return self.state in ("running", "stopping")

    @property
    def is_alive(self) -> bool:
        """Whether it waits or works."""
        return self.is_working or self.state == "queued"


class Runs:
    """All runs, the newest last; every change is written down at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.all = [Run(**one) for one in read_json(KNOWN)["runs"]] if KNOWN.is_file() else []

    def last(self, *makes: str) -> Run | None:
        """The newest run that makes this."""
        return next((one for one in reversed(self.all) if one.makes == makes), None)

    def add(self, run: Run) -> None:
        """Queue a run, unless the same one waits already."""
        with self._lock:
            last = self.last(*run.makes)
            if last is None or last.state != "queued":
                kept = [one for one in self.all if one.is_alive or one.makes != run.makes]
                self.all = [*kept, run]
                self._keep()

    def stop(self, *makes: str) -> None:
        """Take a run out of the queue, or send it Ctrl-C: a training saves its state and ends."""
        with self._lock:
            for run in [one for one in self.all if one.makes == makes and one.is_alive]:
                if run.is_working:
                    number = signal.SIGTERM if run.state == "stopping" else signal.SIGINT
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(run.pid, number)
                run.state = "stopping" if run.is_working else "stopped"
            self._keep()

    def tick(self, command_of: Callable[[Run], list[str]]) -> None:
        """Notice what has ended and start what waits, by its command."""
        with self._lock:
            status = hold(STATUS)
            if status is None:  # the shell of a run holds it
                return
            with status:
                ended = [one for one in self.all if one.is_working]
                coming = [one for one in self.all if one.state == "queued"][:1]
                for run in ended:
                    _end(run)
                for run in coming:
                    try:
                        _start(run, command_of(run), status)
                    except (ValueError, OSError) as error:
                        run.state, run.said = "failed", [f"edn: error: {explain(error)}"]
                if ended or coming:
                    self._keep()

    def _keep(self) -> None:
        write_json(KNOWN, {"runs": [asdict(run) for run in self.all]})


def _start(run: Run, command: list[str], status: IO[str]) -> None:
    """Give a command its session, whose shell writes the status in the end."""
    LOG.write_text("")
    status.truncate(0)
    run.started, run.state = time.time(), "running"
    run.pid = subprocess.Popen(
        ["sh", "-c", _WRAPPER, "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=status,
        start_new_session=True,
    ).pid


def _end(run: Run) -> None:
    """Note how a run has ended, by the status of its shell and its log."""
    status = STATUS.read_text().strip()
    log = LOG.read_text(errors="replace") if LOG.is_file() else ""
    lines = [line for line in log.splitlines() if line.strip()]
    ours = [line for line in dict.fromkeys(lines) if line.startswith("edn: error: ")]
    ended = "stopped" if run.state == "stopping" else "failed"
    run.state = "done" if status == "0" else ended
    if run.state == "failed":
        run.said = (ours[:MOST_LINES] or lines[-2:]) if status else [_KILLED]
    is_killed = not status or int(status) > 128  # by a signal: it has left its lock behind
    if is_killed and run.kind != "dance" and not is_snakemake_here():
        subprocess.run([*SNAKEMAKE, "--unlock"], capture_output=True, check=False)


def hold(path: Path) -> IO[str] | None:
    """Lock a file, open to append, until all who have it so have closed it; None if others do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = open(path, "a")  # noqa: SIM115 held until the end
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return stream
    stream.close()
    return None
