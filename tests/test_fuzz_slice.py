"""A slice of `make fuzz`: the first cases of every target, always the same ones."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "fuzz"))
from run import TooSlow, fault, make_case
from targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_spoiled_cases_are_read_or_refused_in_one_line(name):
    target = TARGETS[name]
    for number in range(150 if target.cases > 1000 else 10):
        case = make_case(name, target, number)
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
