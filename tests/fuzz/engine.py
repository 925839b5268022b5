"""One target in one process: cases made from a seed, run within bounds, what is wrong written down.

A crash of a native library ends this process; what it was reading lies in a mapped file, so that
run.py can say which case it was and have the rest run in another process.
"""

import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutate import spoiled

SECONDS = 10.0
"""Of the processor; a case that takes longer is a bug."""
MEMORY = 2**30
"""Bytes a case may take beyond what the program had before, else it is a bug."""
LONGEST_MESSAGE = 2000
_HEADER = struct.Struct("<QQ")  # number of the case, its length
_ROOM = 2**20


@dataclass(frozen=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        read: what a case is given to; may raise ValueError with one line, and nothing else.
        seeds: good cases, to be spoiled.
        cases: how many a whole run makes.
        is_guided: new cases are chosen by which lines of the library earlier ones reached
            (atheris); else each is spoiled from a seed by itself.
        spoil: makes another case of good ones; None: mutate.spoiled.
    """

    read: Callable[[bytes], object]
    seeds: list[bytes]
    cases: int
    is_guided: bool = False
    spoil: Callable[[random.Random, list[bytes]], bytes] | None = None


class TooSlow(BaseException):
    """Raised into a case that takes too long; no reader catches it."""


def fault(read: Callable[[bytes], object], case: bytes) -> str | None:
    """What is wrong with how a case was read: None for a result, or a ValueError of one line."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        read(case)
    except ValueError as error:
        text = str(error)
        if "\n" in text or "\r" in text:
            return f"several lines at {_place(error)}"
        return None if 0 < len(text) <= LONGEST_MESSAGE else f"{len(text)} letters {_place(error)}"
    except (Exception, TooSlow) as error:
        return f"{type(error).__name__} at {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def _place(error: BaseException) -> str:
    """The last line of the library that took part, or else the last at all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "edn_core" in one.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


class Record:
    """The case that runs now, in a file that outlives a crash, and the faults found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "current"
        if not path.exists():
            path.write_bytes(bytes(_HEADER.size + _ROOM))
        with open(path, "r+b") as stream:
            self._map = mmap.mmap(stream.fileno(), 0)
        self.seen: set[str] = set()

    def begin(self, number: int, case: bytes) -> None:
        kept = case[:_ROOM]
        self._map[: _HEADER.size + len(kept)] = _HEADER.pack(number, len(kept)) + kept

    def current(self) -> tuple[int, bytes]:
        number, length = _HEADER.unpack_from(self._map)
        return number, bytes(self._map[_HEADER.size : _HEADER.size + length])

    def add(self, what: str, number: int, case: bytes) -> None:
        """Write a fault down, once for each kind."""
        if what in self.seen:
            return
        self.seen.add(what)
        path = self.folder / f"case-{number}"
        path.write_bytes(case)
        with open(self.folder / "faults.jsonl", "a") as stream:
            stream.write(json.dumps({"what": what, "case": str(path)}) + "\n")


def run_cases(name: str, first: int, last: int, seed: int, folder: Path, target: Target) -> None:
    """Run the cases of a target from a number on, in this process."""
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(1000)
    record = Record(folder)

    def too_slow(number: int, frame: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, too_slow)
    _limit_memory()
    if target.is_guided:
        _run_guided(target, record, first, last, seed)
        return
    spoil = target.spoil or spoiled
    for number in range(first, last):
        case = spoil(random.Random(f"{seed} {name} {number}"), target.seeds)
        record.begin(number + 1, case)
        what = fault(target.read, case)
        if what:
            record.add(what, number, case)


def _run_guided(target: Target, record: Record, first: int, last: int, seed: int) -> None:
    import atheris

    corpus = record.folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, case in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(case)
    count = first

    def one(case: bytes) -> None:
        nonlocal count
        count += 1
        record.begin(count, case)
        what = fault(target.read, case)
        if what:
            record.add(what, count, case)

    options = ["-timeout=0", "-rss_limit_mb=0", "-verbosity=0", "-max_len=4096", "-len_control=20"]
    runs = [f"-runs={last - first}", f"-seed={seed + first + 1}"]
    atheris.Setup([sys.argv[0], *options, *runs, str(corpus)], one)
    atheris.Fuzz()


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
