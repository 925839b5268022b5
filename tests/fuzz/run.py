"""A million bad settings, names and keypoint files: is each read, or refused in one line?

python tests/fuzz/run.py                          # all, some minutes; prints a table
python tests/fuzz/run.py --only JSON --scale 0.01
python tests/fuzz/run.py --only "OpenCV's YAML" --case 817    # one case again, with its traceback
"""

import argparse
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *map(str, HERE.parents[:2])]
from targets import TARGETS, Target  # noqa: E402

SECONDS = 10.0
"""Of the processor; a case that takes longer is a bug."""
LONGEST_MESSAGE = 2000


class TooSlow(BaseException):
    """Raised into a case that takes too long; no reader catches it."""


def make_case(name: str, target: Target, number: int) -> bytes:
    """A case of a target; always the same one."""
    return target.spoil(random.Random(f"{name} {number}"), target.seeds)


def fault(read: Callable[[bytes], object], case: bytes) -> str | None:
    """What is wrong with how a case was read: None for a result, or a ValueError of one line."""

    def too_slow(number: int, frame: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, too_slow)
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
        signal.signal(signal.SIGPROF, before)
    return None


def _place(error: BaseException) -> str:
    """The last line of the library that took part, or else the last at all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "edn_core" in one.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="targets whose name holds this")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the cases (%(default)s)")
    parser.add_argument("--case", type=int, help="read this one case and let its error out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    n_faults = 0
    print("| target | cases | seconds | found |\n|---|---:|---:|---|")
    for name, target in TARGETS.items():
        if given.only not in name:
            continue
        if given.case is not None:
            print(repr(target.read(make_case(name, target, given.case)))[:1000])
            continue
        began, found = time.monotonic(), {}
        for number in range(max(1, round(target.cases * given.scale))):
            what = fault(target.read, make_case(name, target, number))
            if what:
                found.setdefault(what, number)
        told = "; ".join(f"{what}, case {number}" for what, number in found.items()) or "0"
        print(f"| {name} | {number + 1:,} | {time.monotonic() - began:.0f} | {told} |", flush=True)
        n_faults += len(found)
    sys.exit(1 if n_faults else 0)


if __name__ == "__main__":
    main()
