"""What the tests of the zoo share."""

import contextlib
import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """Take the priority back that SVT-AV1 gives to all threads of a process of root's: real time,
    before everything else on the machine."""
    yield
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))
