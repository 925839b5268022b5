"""No library takes more processors than a job was given, or than are free; work keeps its order."""

import os
import subprocess
import sys
import threading
import time

import pytest
from conftest import REPOSITORY

from edn_core.threads import in_order

USE = """
import os, sys
import {}
import cv2
print("torch" in sys.modules, os.environ["GOMP_SPINCOUNT"])
print(os.environ["OMP_NUM_THREADS"], cv2.getNumThreads())
"""


@pytest.mark.parametrize(("package", "asked"), [("edn_core", "3"), ("benchmarks", "")])
def test_threads_are_those_asked_for_or_free_before_torch_is_loaded(package, asked):
    ours = {"OMP_NUM_THREADS": asked, "OPENCV_FOR_THREADS_NUM": ""}
    environment = {name: one for name, one in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run(
        [sys.executable, "-c", USE.format(package)],
        cwd=REPOSITORY,
        env=environment | ours,
        capture_output=True,
        check=True,
        timeout=60,
    )
    has_torch, spins, said, opencv = done.stdout.decode().split()
    assert (has_torch, spins) == ("False", "1000")
    assert opencv == "1"
    assert said == asked if asked else 1 <= int(said) <= len(os.sched_getaffinity(0))


def test_results_come_in_order_and_little_lies_between_taking_and_giving():
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    def work(number):
        time.sleep(0.004 * (number % 3))
        return number, threading.current_thread() is threading.main_thread()

    for given, (number, is_main) in enumerate(in_order(work, items(), 3)):
        assert number == given and not is_main
        assert len(taken) - given <= 2 * 3 + 1


def test_what_one_item_raises_comes_in_its_turn():
    results = in_order(lambda number: 6 // (3 - number), range(9), 2)
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)
