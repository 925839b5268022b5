"""What a stage says while it works: a log file, short lines on the terminal, progress bars."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from types import FrameType, TracebackType
from typing import TypeVar

Item = TypeVar("Item")

LOGGER = logging.getLogger("edn")
_FILE_ONLY = logging.getLogger("edn.file")
SECONDS_BETWEEN_LINES = 10.0


class ToldToStop(BaseException):
    """SIGTERM came. Not an Exception, so that nothing takes it for a failure and works on."""


def log_to(path: str | Path, goes_on: bool = False) -> None:
    """Send this process's log to a file and, in short, to the terminal.

    An uncaught exception then leaves one readable line on the terminal and its traceback in the
    file, and the process ends with status 1. So does SIGTERM, after what was half-written has been
    removed; a training saves its state first.

    Args:
        path: the log file.
        goes_on: add to what another process of ours writes there, instead of writing it anew.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not goes_on:
        path.write_text("")
    # To its end: the processes of one training share the file.
    to_file = logging.FileHandler(path, mode="a")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter("edn: %(message)s"))
    LOGGER.setLevel(logging.INFO)
    LOGGER.handlers = [to_file, to_terminal]
    LOGGER.propagate = False
    _FILE_ONLY.handlers = [to_file]
    _FILE_ONLY.propagate = False

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        _FILE_ONLY.error("stopped", exc_info=(kind, error, trace))
        text = f"{kind.__name__}: {error}"
        if isinstance(error, ValueError):
            text = str(error)
        elif isinstance(error, ToldToStop | KeyboardInterrupt):
            name = "SIGTERM" if isinstance(error, ToldToStop) else "SIGINT"
            text = (
                f"was told to stop ({name}); what was half-written is removed, the same command "
                "makes it anew"
            )
        print(f"edn: error: {' '.join(text.split())} (details: {path})", file=sys.stderr)

    sys.excepthook = report
    if threading.current_thread() is threading.main_thread():
        _heed_sigterm()


def _heed_sigterm() -> None:
    own_pid = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would stop the clearing up
        if os.getpid() != own_pid:  # a process that was forked from it has nothing to clear up
            os._exit(128 + number)
        raise ToldToStop

    signal.signal(signal.SIGTERM, stop)


def progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Pass the items through while showing how far they are, the rate and the time left.

    On a terminal this is a moving bar; in the log file, and where the output is no terminal, one
    line every ten seconds.

    Args:
        items: what is worked through.
        what: a word or two in front of the bar.
        total: number of items where ``items`` has no length.

    Yields:
        The items, unchanged.
    """
    from tqdm import tqdm  # here, so that benchmarks.gpu runs where there is little besides torch

    is_terminal = sys.stderr.isatty()
    bar = tqdm(items, desc=what, total=total, file=sys.stderr, disable=None, dynamic_ncols=True)
    # A disabled bar (no terminal) counts nothing, so lines are made from tqdm's own formatter.
    start = last = time.monotonic()
    expected = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    for done, item in enumerate(bar, start=1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or done == expected:
            last = now
            line = tqdm.format_meter(done, expected or 0, now - start, prefix=what, ncols=100)
            (_FILE_ONLY if is_terminal else LOGGER).info(line)
