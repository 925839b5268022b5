"""The detector's training in TensorBoard."""

import time
from pathlib import Path

import torch
from torch import nn

from edn_core.training.records import gradient_norms, memory_in_use, open_board, write_scalars

SECONDS_BETWEEN_POINTS = 10.0


class Curve:
    """Loss, learning rate, speed, memory and gradient norm, every ten seconds and at the end."""

    def __init__(self, folder: Path) -> None:
        self._board = open_board(folder)
        self._last, self._step = time.monotonic(), 0

    def note(
        self, step: int, loss: torch.Tensor, rate: float, network: nn.Module, is_last: bool
    ) -> None:
        """A step was made; what is not due costs nothing.

        Args:
            step: its number, from 1.
            loss: () on its device.
            rate: the learning rate of the step.
            network: with the step's gradients.
            is_last: whether it was the last one.
        """
        now = time.monotonic()
        if not is_last and step > 1 and now - self._last < SECONDS_BETWEEN_POINTS:
            return
        values = {
            "loss": float(loss),
            "learning_rate": rate,
            "seconds_per_step": (now - self._last) / (step - self._step),
        }
        norms = gradient_norms({"detector": network.parameters()})
        write_scalars(self._board, step, values | memory_in_use() | norms)
        self._last, self._step = now, step
        if is_last:
            self._board.close()
