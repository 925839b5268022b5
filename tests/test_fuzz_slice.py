"""A slice of `make fuzz`: the first cases of every target, always the same ones."""

import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "fuzz"))
import file_targets
import json_targets
import text_targets
from engine import TooSlow, fault
from mutate import spoiled

SHORT = {
    name: (make, cases)
    for module, cases in ((text_targets, 150), (json_targets, 60), (file_targets, 12))
    for name, make in module.TARGETS.items()
}


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.filterwarnings("ignore")
def test_spoiled_cases_are_read_or_refused_in_one_line(name):
    make, cases = SHORT[name]
    target = make()
    for number in range(cases if target.cases > 1000 else 10):
        rng = random.Random(f"0 {name} {number}")
        case = (target.spoil or spoiled)(rng, target.seeds)
        assert fault(target.read, case) is None, (number, case[:300])


def test_a_reader_with_a_fault_would_be_found():
    def several_lines(case: bytes) -> None:
        raise ValueError("a\nb")

    def endless(case: bytes) -> None:
        raise TooSlow

    assert fault(lambda case: case, b"") is None
    assert fault(lambda case: int("x"), b"") is None
    assert fault(lambda case: {}[case], b"").startswith("KeyError at test_fuzz_slice.py:")
    assert fault(several_lines, b"").startswith("several lines")
    assert fault(endless, b"").startswith("TooSlow")
    assert fault(lambda case: bytes(2**62), b"").startswith(("MemoryError", "OverflowError"))
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
