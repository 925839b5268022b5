"""What a stage says while it works: a log file, short lines on the terminal, progress bars."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from types import FrameType, TracebackType
from typing import TypeVar

from edn_core.disk import disk_errors_named, explain_disk, keep_for_later
from edn_core.run_log.job import begin_job, join_job, reason_of
from edn_core.shortage import explain_memory

Item = TypeVar("Item")

LOGGER = logging.getLogger("edn")
_FILE_ONLY = logging.getLogger("edn.file")
SECONDS_BETWEEN_LINES = 10.0


class ToldToStop(BaseException):
    """SIGTERM came. Not an Exception, so that nothing takes it for a failure and works on."""


def log_to(
    path: str | Path,
    rule: str = "",
    wildcards: Mapping[str, str] | None = None,
    goes_on: bool = False,
) -> None:
    """Send this process's log to a file, in short to the terminal, and to the log of the run.

    An uncaught exception then leaves one readable line on the terminal and its traceback in the
    file, and the process ends with status 1. So does SIGTERM, but for the traceback, after what was
    half-written has been removed; a training saves its state first.

    Args:
        path: the log file.
        rule: whose job this is; without one the log of the run learns nothing of it.
        wildcards: the job's.
        goes_on: add to what another process of ours writes there, instead of writing it anew.
    """
    path = Path(path)
    logging.raiseExceptions = False  # a full disk costs lines of the log, and no traceback each
    try:
        with disk_errors_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not goes_on:
                path.write_text("")
            # To its end: the processes of one training share the file.
            to_file = logging.FileHandler(path, mode="a")
    except ValueError as error:
        sys.exit(f"edn: error: {error}")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter("edn: %(message)s"))
    LOGGER.setLevel(logging.INFO)
    to_run = (
        join_job() if goes_on else begin_job(path, rule, dict(wildcards or {})) if rule else None
    )
    of_run = [to_run] if to_run else []
    LOGGER.handlers = [to_file, to_terminal, *of_run]
    LOGGER.propagate = False
    _FILE_ONLY.handlers = [to_file, *of_run]
    _FILE_ONLY.propagate = False

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if to_run:
            to_run.end(error)
            _FILE_ONLY.removeHandler(to_run)
        if isinstance(error, ValueError):
            text = str(error)
        elif isinstance(error, ToldToStop | KeyboardInterrupt):
            name = "SIGTERM" if isinstance(error, ToldToStop) else "SIGINT"
            text = (
                f"was told to stop ({name}); what was half-written is removed, the same command "
                "makes it anew"
            )
        else:
            place = getattr(error, "filename", None) or "a file"
            told = explain_memory(error) or explain_disk(error, place)
            text = told or f"{kind.__name__}: {error}"
        if reason_of(error) in ("stopped early", "interrupted"):  # nothing to look for in a trace
            _FILE_ONLY.error(text)
        else:
            _FILE_ONLY.error("stopped", exc_info=(kind, error, trace))
        print(f"edn: error: {' '.join(text.split())} (details: {path})", file=sys.stderr)

    sys.excepthook = report
    if threading.current_thread() is threading.main_thread():
        _heed_signals()


def _heed_signals() -> None:
    own_pid = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would stop the clearing up
        if os.getpid() != own_pid:  # a process that was forked from it has nothing to clear up
            os._exit(128 + number)
        error = ToldToStop() if number == signal.SIGTERM else KeyboardInterrupt()
        if not keep_for_later(error, frame):
            raise error

    def again(dropped: "sys.UnraisableHookArgs") -> None:
        """Send the signal once more, a moment later, where Python dropped what it had raised.

        It does so in __del__ and in callbacks of weak references; the program would go on as if
        nobody had stopped it.
        """
        error = dropped.exc_value
        if not isinstance(error, ToldToStop | KeyboardInterrupt):
            sys.__unraisablehook__(dropped)
            return
        number = signal.SIGTERM if isinstance(error, ToldToStop) else signal.SIGINT
        signal.signal(number, stop)
        sender = threading.Timer(0.05, os.kill, (os.getpid(), number))
        sender.daemon = True
        sender.start()

    sys.unraisablehook = again
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)


def progress(
    items: Iterable[Item], what: str, total: int | None = None, before: int = 0
) -> Iterator[Item]:
    """Pass the items through while showing how far they are, the rate and the time left.

    On a terminal this is a moving bar; in the log file, and where the output is no terminal, one
    line every ten seconds.

    Args:
        items: what is worked through.
        what: a word or two in front of the bar.
        total: number of items where ``items`` has no length; with those done before.
        before: items that were done before, by an interrupted run.

    Yields:
        The items, unchanged.
    """
    from tqdm import tqdm  # here, so that benchmarks.gpu runs where there is little besides torch

    # Its thread only refreshes bars that stand still, and warns where memory is too short for it.
    tqdm.monitor_interval = 0

    is_terminal = sys.stderr.isatty()
    bar = tqdm(
        items,
        desc=what,
        total=total,
        initial=before,
        file=sys.stderr,
        disable=None,
        dynamic_ncols=True,
    )
    # A disabled bar (no terminal) counts nothing, so lines are made from tqdm's own formatter.
    start = last = time.monotonic()
    expected = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    for done, item in enumerate(bar, start=before + 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or done == expected:
            last = now
            line = tqdm.format_meter(
                done, expected or 0, now - start, prefix=what, ncols=100, initial=before
            )
            fields = {
                "event": "progress",
                "message": f"{what}: {done} of {expected or 'unknown'}",
                "what": what,
                "done": done,
                "total": expected,
                "seconds": round(now - start, 3),
                "per_second": round((done - before) / max(now - start, 1e-9), 4),
            }
            (_FILE_ONLY if is_terminal else LOGGER).info(line, extra={"fields": fields})
