"""The state beside a generator that an interrupted training goes on from."""

import time
from pathlib import Path

from edn_core.checkpoint import load_state, save_state
from edn_core.training.allowance import Allowance
from edn_core.training.run import Run

SLOW_S = 5.0
"""A state that took so long is not written twice in a row."""


class ResumePoint:
    """One training's ``training_state.safetensors``: when it was written last, and at which step.

    Attributes:
        step: of the state that this process wrote last; None before the first.
    """

    def __init__(self, path: Path, key: str, every_s: float, allowance: Allowance) -> None:
        self._path, self._key, self._every_s, self._allowance = path, key, every_s, allowance
        self._last, self._took_s = time.monotonic(), 0.0
        self.step: int | None = None

    def restore(self, run: Run) -> bool:
        """Take a run to the state that was saved; False where there is none that fits.

        Raises:
            ValueError: it is damaged, or of another release.
        """
        state = load_state(self._path, self._key)
        if state is not None:
            try:
                run.restore(state)
            except (KeyError, RuntimeError, TypeError) as error:
                raise ValueError(
                    f"{self._path}: another release's state of a training ({type(error).__name__}: "
                    f"{error}); delete it and run the command again: this stage begins anew"
                ) from error
        self._last = time.monotonic()
        return state is not None

    def is_due(self) -> bool:
        """Whether the last one is older than it should be."""
        return time.monotonic() - self._last >= self._every_s

    def save(self, run: Run) -> None:
        """Write it, and let the allowance know how long that takes."""
        begin = time.monotonic()
        save_state(self._path, self._key, run.state())
        self._last, self.step = time.monotonic(), run.step
        self._took_s = self._last - begin
        self._allowance.note_saving(self._took_s)

    def save_last(self, run: Run) -> int:
        """Write it before the training stops, unless that of the step before took long.

        A signal that came while a state of gigabytes was being written leaves no time for another.

        Returns:
            The step to go on from.
        """
        if self.step is None or run.step - self.step > 1 or self._took_s < SLOW_S:
            self.save(run)
        return run.step if self.step is None else self.step

    def remove(self) -> None:
        """The training is done."""
        self._path.unlink(missing_ok=True)
