"""One fault: a job is disturbed, then the same job runs again, and everything is as undisturbed."""

import re
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import psutil
from children import UNDISTURBED, Ended, Nothing, run_job
from jobs import Job
from room import Room


@dataclass(frozen=True)
class Fault:
    """What a job meets.

    Attributes:
        kind: its line of the table.
        job: the job.
        detail: where in the job, for people.
        inside: what it meets in its own process.
        meanwhile: what it meets from outside, given its process.
        around: the state of its disk while it runs.
        says: pattern of the one line it has to end with; none: it is killed and can say nothing.
        may_die: it may also end without a line, as one without memory does.
    """

    kind: str
    job: Job
    detail: str
    inside: Nothing = UNDISTURBED
    meanwhile: Callable[[BaseProcess], None] | None = None
    around: AbstractContextManager = field(default_factory=nullcontext)
    says: str = ""
    may_die: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        kind: of the fault, its line of the table.
        job: that met it.
        was_hit: whether the job met it before its end.
        message: the line it ended with.
        wrong: what should not be.
        detail: where in the job.
    """

    kind: str
    job: Job
    was_hit: bool
    message: str
    wrong: list[str]
    detail: str = ""


def disturb(room: Room, fault: Fault) -> Outcome:
    """Let a job meet a fault in a room, run it again, and compare with the undisturbed run."""
    room.empty(fault.job)
    wrong: list[str] = []
    try:
        with fault.around:
            ended = run_job(room.folder, fault.job, fault.inside, fault.meanwhile)
        if ended.status != 0:
            wrong += _judge(room, fault, ended)
        again = run_job(room.folder, fault.job)
        if again.status != 0:
            wrong.append(f"the same command failed: {' '.join(again.output.split())[-300:]}")
        wrong += room.wrong()
    except TimeoutError as error:
        return Outcome(fault.kind, fault.job, True, "", [str(error)], fault.detail)
    finally:
        if wrong:
            room.restore()
    message = ended.errors[-1] if ended.errors else ""
    return Outcome(fault.kind, fault.job, ended.status != 0, message, wrong, fault.detail)


def _judge(room: Room, fault: Fault, ended: Ended) -> list[str]:
    """What is wrong with how a disturbed job ended."""
    wrong = [f"after the fault: {one}" for one in room.wrong_outputs(fault.job)]
    if not fault.says:
        return wrong
    text = " ".join(ended.output.split())[-400:]
    if "Traceback" in ended.output:
        wrong.append(f"a traceback on the terminal: {text}")
    if fault.may_die and not ended.errors:
        return wrong
    if len(ended.errors) != 1 or not re.search(fault.says, ended.errors[0]):
        wrong.append(f"expected one line like {fault.says!r}: {text}")
    if left := room.partial_files():
        wrong.append(f"half-written: {', '.join(left)}")
    return wrong


@dataclass
class Disk(AbstractContextManager):
    """The room's disk, full or read-only while the job runs."""

    room: Room
    free: int | None = None

    def __enter__(self) -> None:
        """Full after so many bytes; read-only without a number."""
        if self.free is None:
            self.room.set_read_only(True)
        else:
            self.room.leave(self.free)

    def __exit__(self, *_: object) -> None:
        """Somebody made room."""
        if self.free is None:
            self.room.set_read_only(False)
        else:
            self.room.leave(None)


def send(number: signal.Signals, after_s: float) -> Callable[[BaseProcess], None]:
    """A signal, some time after the job was started."""

    def meanwhile(process: BaseProcess) -> None:
        process.join(after_s)
        if process.is_alive() and process.pid is not None:
            psutil.Process(process.pid).send_signal(number)

    return meanwhile


def kill_a_worker(number: int, after_s: float) -> Callable[[BaseProcess], None]:
    """SIGKILL for the n-th loader process of a training (from 0), some time after its start."""

    def meanwhile(process: BaseProcess) -> None:
        trainer, end = psutil.Process(process.pid), time.monotonic() + 60
        while process.is_alive() and time.monotonic() < end:
            try:
                workers = trainer.children()
            except psutil.NoSuchProcess:
                return
            if len(workers) > number:
                time.sleep(after_s)
                if workers[number].is_running():
                    workers[number].kill()
                return
            time.sleep(0.005)

    return meanwhile
