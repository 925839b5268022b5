"""What a stage says while it works: a log file, short lines on the terminal, progress bars."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from edn_core.disk import disk_errors_named, explain_disk

Item = TypeVar("Item")

LOGGER = logging.getLogger("edn")
_FILE_ONLY = logging.getLogger("edn.file")
SECONDS_BETWEEN_LINES = 10.0


def log_to(path: str | Path, goes_on: bool = False) -> None:
    """Send this process's log to a file and, in short, to the terminal.

    An uncaught exception then leaves one readable line on the terminal and its traceback in the
    file, and the process ends with status 1.

    Args:
        path: the log file.
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
    LOGGER.handlers = [to_file, to_terminal]
    LOGGER.propagate = False
    _FILE_ONLY.handlers = [to_file]
    _FILE_ONLY.propagate = False

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        _FILE_ONLY.error("stopped", exc_info=(kind, error, trace))
        text = str(error)
        if not isinstance(error, ValueError):
            place = getattr(error, "filename", None) or "a file"
            text = explain_disk(error, place) or f"{kind.__name__}: {error}"
        print(f"edn: error: {' '.join(text.split())} (details: {path})", file=sys.stderr)

    sys.excepthook = report


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
