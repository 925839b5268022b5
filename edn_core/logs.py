"""What a stage says while it works: a log file, short lines on the terminal, progress bars.

Whatever nobody caught ends here: `log_to` for the jobs, `errors_in_one_line` for the commands.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TypeVar

from tqdm import tqdm

from edn_core.errors import ToldToStop, explain

Item = TypeVar("Item")

LOGGER = logging.getLogger("edn")
_FILE_ONLY = logging.getLogger("edn.file")
SECONDS_BETWEEN_LINES = 10.0


def log_to(path: str | Path) -> None:
    """Send this process's log to a file, and in short to the terminal.

    An uncaught exception then leaves one readable line on the terminal and its traceback in the
    file, and the process ends with status 1. So does SIGTERM, but for the traceback, after what was
    half-written has been removed.

    Args:
        path: the log file.
    """
    path = Path(path)
    logging.raiseExceptions = False  # a full disk costs lines of the log, and no traceback each
    with errors_in_one_line():
        path.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(path, mode="w")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter("edn: %(message)s"))
    LOGGER.setLevel(logging.INFO)
    LOGGER.handlers = [to_file, to_terminal]
    _FILE_ONLY.handlers = [to_file]
    LOGGER.propagate = _FILE_ONLY.propagate = False

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        line = explain(error)
        # Nobody looks for the place in the code where a stop met the program.
        is_fault = not isinstance(error, ToldToStop | KeyboardInterrupt)
        _FILE_ONLY.error(line, exc_info=(kind, error, trace) if is_fault else None)
        print(f"edn: error: {line} (details: {path})", file=sys.stderr)

    sys.excepthook = report
    # A library's thread, such as TensorBoard's writer: what depends on it says so on the terminal.
    threading.excepthook = lambda told: _FILE_ONLY.error(
        "a thread has ended",
        exc_info=(told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback),
    )
    _heed_signals()


def _heed_signals() -> None:
    """Let SIGTERM and Ctrl-C raise once, so that what was begun is cleared up."""
    own_pid = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would stop the clearing up
        if os.getpid() != own_pid:  # a process that was forked from it has nothing to clear up
            os._exit(128 + number)
        raise ToldToStop("SIGTERM") if number == signal.SIGTERM else KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, stop)


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the program in one line and status 1 where a file or a setting is no good.

    For commands, which have no log: any other error is a fault of ours, and its traceback is shown.
    Ctrl-C ends them without a word, with status 130 as shells have it.
    """
    try:
        yield
    except (ValueError, OSError, MemoryError) as error:
        sys.exit(f"edn: error: {explain(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


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
    tqdm.monitor_interval = 0  # its thread only refreshes bars that stand still
    logger = _FILE_ONLY if sys.stderr.isatty() else LOGGER
    expected = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    # A disabled bar (no terminal) counts nothing, so lines are made from tqdm's own formatter.
    bar = tqdm(items, what, total, initial=before, disable=None, dynamic_ncols=True)
    start = last = time.monotonic()
    for done, item in enumerate(bar, start=before + 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or done == expected:
            last = now
            seconds = now - start
            logger.info(tqdm.format_meter(done, expected or 0, seconds, 100, what, initial=before))
