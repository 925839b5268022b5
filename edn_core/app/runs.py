"""The runs that the page starts: one at a time, each a Snakemake in a session of its own.

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
from typing import IO, Any

import psutil
import yaml

from edn_core.errors import Refused, explain
from edn_core.store import read_json, write_beside, write_json

FOLDER = Path("results/app")
LOG, STATUS, SETTINGS = FOLDER / "run.log", FOLDER / "status", FOLDER / "run.yaml"
MOST_KEPT, MOST_LINES = 50, 5
# The shell outlives Ctrl-C to its session, and tells how Snakemake ended also where nobody waits.
_WRAPPER = f'trap : INT TERM; "$@" > {LOG} 2>&1; echo $? > {STATUS}'


@dataclass
class Run:
    """A check or a film of one pair of videos."""

    kind: str  # check or film
    source: str
    target: str
    state: str = "queued"  # then running, stopping, and in the end done, stopped or failed
    pid: int = 0  # of the session that it leads
    started: float = 0.0  # s since 1970
    said: list[str] = field(default_factory=list)  # what was wrong, as on the terminal

    @property
    def pair(self) -> tuple[str, str, str]:
        """What it makes."""
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

    def __init__(self, cores: str) -> None:
        self._cores, self._lock, self._path = cores, threading.Lock(), FOLDER / "runs.json"
        found = read_json(self._path)["runs"] if self._path.is_file() else []
        self.all = [Run(**one) for one in found]

    def last(self, kind: str, source: str, target: str) -> Run | None:
        """The newest run of this kind and pair."""
        same = [one for one in self.all if one.pair == (kind, source, target)]
        return same[-1] if same else None

    def add(self, kind: str, source: str, target: str, anew: bool = False) -> None:
        """Queue a run, unless the same waits already or, if it is not asked for anew, works."""
        with self._lock:
            last = self.last(kind, source, target)
            if last is None or not last.is_alive or (anew and last.is_working):
                kept = [
                    one for one in self.all if one.is_alive or one.pair != (kind, source, target)
                ]
                self.all = [*kept[-MOST_KEPT:], Run(kind, source, target)]
                self._keep()

    def stop(self, kind: str, source: str, target: str) -> None:
        """Take a run out of the queue, or send it Ctrl-C: a training saves its state and ends."""
        with self._lock:
            for run in self.all:
                if run.is_alive and run.pair == (kind, source, target):
                    number = signal.SIGTERM if run.state == "stopping" else signal.SIGINT
                    for pid in _session(run):
                        with contextlib.suppress(OSError):
                            os.kill(pid, number)
                    run.state = "stopping" if run.is_working else "stopped"
            self._keep()

    def tick(self, configure: Callable[[Run], tuple[dict[str, Any], list[str]]]) -> None:
        """Notice what has ended and start what waits.

        ``configure`` gives a run's settings, over the user's file, and what it is asked for.
        """
        with self._lock:
            for run in [one for one in self.all if one.is_working and not _session(one)]:
                run.state, run.said = _how_it_ended(run)
                self._keep()
            waiting = [one for one in self.all if one.state == "queued"]
            if waiting and not any(one.is_working for one in self.all):
                try:
                    self._start(waiting[0], *configure(waiting[0]))
                except (ValueError, OSError) as error:
                    waiting[0].state, waiting[0].said = "failed", [f"edn: error: {explain(error)}"]
                self._keep()

    def _start(self, run: Run, settings: dict[str, Any], wanted: list[str]) -> None:
        with write_beside(SETTINGS) as partial:
            partial.write_text(yaml.safe_dump(settings, sort_keys=False))
        snakemake = [sys.executable, "-m", "snakemake"]
        if any(Path(".snakemake/locks").glob("*")) and not _is_snakemake_here():
            # Left behind by one that was killed, or by a machine that was switched off.
            subprocess.run([*snakemake, "--unlock"], capture_output=True, check=False)
        STATUS.unlink(missing_ok=True)
        options = ["--cores", self._cores, "--configfile", str(SETTINGS), "--", *wanted]
        command = ["sh", "-c", _WRAPPER, "sh", *snakemake, *options]
        run.started, run.state = time.time(), "running"
        run.pid = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True).pid

    def _keep(self) -> None:
        write_json(self._path, {"runs": [asdict(run) for run in self.all]})


def _session(run: Run) -> list[int]:
    """The processes of a run that are there still."""
    if not run.pid:
        return []
    with contextlib.suppress(ChildProcessError):  # of a server before this one
        os.waitpid(run.pid, os.WNOHANG)
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == run.pid:
                process = psutil.Process(pid)
                # A number is given again: one that is older than the run is somebody else.
                if process.create_time() > run.started - 2 and process.status() != "zombie":
                    found.append(pid)
    return found


def _is_snakemake_here() -> bool:
    found = (one.info for one in psutil.process_iter(["cmdline", "cwd"]))
    here = [one["cmdline"] or [] for one in found if one["cwd"] == os.getcwd()]
    return any("snakemake" in " ".join(command) for command in here)


def _how_it_ended(run: Run) -> tuple[str, list[str]]:
    status = STATUS.read_text().strip() if STATUS.is_file() else "killed"
    if status == "0" or run.state == "stopping":
        return "done" if status == "0" else "stopped", []
    if status == "killed":
        return "failed", ["the run was killed, or the machine switched off; go on where it was"]
    lines = [line for line in LOG.read_text(errors="replace").splitlines() if line.strip()]
    ours = [line for line in dict.fromkeys(lines) if line.startswith("edn: error: ")]
    return "failed", ours[:MOST_LINES] or lines[-2:]


def hold_alone() -> IO[str]:
    """Hold this folder for one page, until the stream is closed; Refused where another does."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stream = open(FOLDER / "lock", "w")  # noqa: SIM115 held until the end
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found, remedy = "another page is at work in this folder", "use that one, or stop it first"
        raise Refused(FOLDER, found, "", remedy) from None
    for left in FOLDER.glob("upload.*"):  # of a page that was killed
        left.unlink(missing_ok=True)
    return stream
