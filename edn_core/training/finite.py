"""Looking for loss terms that are not finite, without waiting for the device at every step."""

import torch

from edn_core.training.stage import Terms

STEPS_BETWEEN_LOOKS = 100
"""On a GPU; whoever saves weights looks before, so none that are spoilt is ever saved."""


class LossWatch:
    """Remembers, on the device, at which step each loss term first was not finite."""

    def __init__(self, stage: str, learning_rate: float, steps_between_looks: int = 1) -> None:
        """Begin with a training that has been well so far.

        Args:
            stage: its name, for the message.
            learning_rate: its initial one, for the message.
            steps_between_looks: a device that computes ahead is asked that seldom.
        """
        self._stage, self._learning_rate = stage, learning_rate
        self._steps_between_looks = steps_between_looks
        self._names: list[str] = []
        self._first = self._value = torch.empty(0)
        self._noted = 0

    def note(self, terms: Terms, step: int) -> None:
        """Take in the terms of a step, and look at them where it is time to.

        Raises:
            ValueError: as look.
        """
        values = torch.stack([value.detach().float() for value in terms.values()])
        if list(terms) != self._names:
            self.look()
            self._names = list(terms)
            self._first = torch.zeros(len(values), dtype=torch.int64, device=values.device)
            self._value = torch.zeros_like(values)
        is_new = (self._first == 0) & ~values.isfinite()
        self._value = torch.where(is_new, values, self._value)
        self._first = torch.where(is_new, step, self._first)
        self._noted += 1
        if self._noted >= self._steps_between_looks:
            self.look()

    def look(self) -> None:
        """Wait for the device and see whether every term so far was finite.

        Raises:
            ValueError: names the first term that was not, its value and its step.
        """
        self._noted = 0
        steps = self._first.tolist()
        spoilt = [(step, i) for i, step in enumerate(steps) if step]
        if spoilt:
            step, i = min(spoilt)
            raise ValueError(
                f"training {self._stage}: the loss term {self._names[i]} became "
                f"{self._value[i].item()} at step {step}; lower "
                f"training.{self._stage}.learning_rate (now {self._learning_rate:g}) and run again"
            )
