"""When a training has to save its state, so that this is done before its job ends."""

import math
import time

from edn_core.batch_job import ask_slurm, seconds_left_by_hand, seconds_left_on_slurm
from edn_core.config import RuntimeConfig

SAFETY = 2.0
"""A shared file system may be this many times slower the next time."""
GUESSED_BYTES_PER_S = 50e6  # until a state was written and timed


class Allowance:
    """The time a training has, in one stay in the queue.

    All is counted on the monotonic clock from the time at which the end became known, so that a
    clock that is set meanwhile changes nothing. Before it says that time is over it asks the
    scheduler once more: the limit may have been raised.

    Attributes:
        is_over: it has said so.
    """

    def __init__(self, runtime: RuntimeConfig) -> None:
        """Learn when the job ends.

        Args:
            runtime: ``time_limit_s`` counts from now on; ``stop_margin_s``.

        Raises:
            ValueError: EDN_JOB_END is no number.
        """
        self._begin = self._asked = time.monotonic()
        self._least_s = runtime.stop_margin_s
        fixed = [runtime.time_limit_s, seconds_left_by_hand()]
        known = [seconds for seconds in fixed if seconds is not None]
        self._fixed_end = self._begin + min(known, default=math.inf)
        self._slurm_end = self._begin + _or_never(seconds_left_on_slurm())
        self._saving_s = self._slowest_s = 0.0
        self._has_saved = self._is_timing = self.is_over = False

    @property
    def margin_s(self) -> float:
        """How long before the end to stop: to save, and for the slowest step there was."""
        return max(self._least_s, SAFETY * self._saving_s + self._slowest_s)

    @property
    def is_worth_another(self) -> bool:
        """Whether this stay trained for longer than it keeps free at its end."""
        return time.monotonic() - self._begin > self.margin_s

    def expect_state(self, n_bytes: int) -> None:
        """How large a state is: a guess of the time it takes, until one was written."""
        self._saving_s = n_bytes / GUESSED_BYTES_PER_S

    def note_saving(self, seconds: float) -> None:
        """How long a state took to be written; the slowest counts."""
        self._saving_s = max(self._saving_s, seconds) if self._has_saved else seconds
        self._has_saved = True
        self._asked = time.monotonic()

    def start_timing(self) -> None:
        """From now on the time between two questions counts; the first steps are slow once."""
        self._is_timing = True
        self._asked = time.monotonic()

    def reason(self) -> str | None:
        """Why to stop, or None; cheap enough for every step.

        Asked between steps and between the frames of a validation, it takes the time since the
        last question as what has to be waited for before a training can stop.
        """
        now = time.monotonic()
        if self._is_timing:
            self._slowest_s = max(self._slowest_s, now - self._asked)
        self._asked = now
        if not self.is_over and self._is_near(self._slurm_end):
            seconds = ask_slurm()
            if seconds is not None:
                self._slurm_end = time.monotonic() + seconds
        end = min(self._fixed_end, self._slurm_end)
        self.is_over = self.is_over or self._is_near(end)
        if not self.is_over:
            return None
        left = max(0.0, end - time.monotonic())
        return f"has used up its time ({left:.0f} s are left to the job)"

    def _is_near(self, end: float) -> bool:
        return time.monotonic() + self.margin_s >= end


def _or_never(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds
