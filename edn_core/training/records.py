"""What a training leaves to look at: metrics.jsonl, TensorBoard and samples."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from edn_core.disk import disk_errors_named
from edn_core.store import write_beside


def open_board(folder: Path, step: int = 0) -> SummaryWriter:
    """A writer of TensorBoard's event files that goes on after a step.

    Steps after it are in the folder already, where a training was killed behind its last resume
    point; they are made again, and TensorBoard drops the first ones. It reads the files in the
    order of their names, which begin with the time: earlier ones are numbered instead, so that a
    clock that was set back reverses nothing.
    """
    for number, earlier in enumerate(sorted(folder.glob("events.*"))):
        earlier.rename(earlier.with_name(f"events.out.tfevents.{number:010}.earlier"))
    return SummaryWriter(str(folder), purge_step=step + 1)


def write_scalars(board: SummaryWriter, step: int, values: dict[str, float]) -> None:
    """Write values by name, down to the file: a killed process loses none of them."""
    for name, value in values.items():
        board.add_scalar(name, value, step)
    board.flush()


def memory_in_use() -> dict[str, float]:
    """MB that this process takes, and the most that it took of its GPU."""
    found = {"memory/process_mb": psutil.Process().memory_info().rss / 1e6}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["memory/gpu_peak_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return found


def gradient_norms(sides: dict[str, Iterable[torch.nn.Parameter]]) -> dict[str, float]:
    """Euclidean norm of the last step's gradients, by side; of those that have none, nothing."""
    found = {}
    for name, parameters in sides.items():
        gradients = [one.grad for one in parameters if one.grad is not None]
        if gradients:
            found[f"gradient_norm/{name}"] = float(torch.nn.utils.get_total_norm(gradients))
    return found


class Records:
    """The records of one training in its folder, from a step on; of several processes the first's.

    Rows of steps that will be made again are dropped; a training that begins anew also drops the
    samples.
    """

    def __init__(self, folder: Path, step: int, is_new: bool) -> None:
        self._folder, self._metrics = folder, folder / "metrics.jsonl"
        if is_new:
            for old in (*folder.glob("samples/*.jpg"), *folder.glob("tensorboard/events.*")):
                old.unlink()
        if self._metrics.is_file():
            rows = self._metrics.read_text(errors="replace").splitlines()
            kept = [row for row in rows if _step_of(row) <= step]
            with write_beside(self._metrics) as partial:
                partial.write_text("".join(f"{row}\n" for row in kept))
        self._board = open_board(folder / "tensorboard", step)

    def note(self, step: int, values: dict[str, float]) -> None:
        """A row of values, by name."""
        self._write_row(step, values)
        write_scalars(self._board, step, values)

    def note_machine(self, step: int, sides: dict[str, Iterable[torch.nn.Parameter]]) -> None:
        """For TensorBoard only: memory in use, and each side's gradient norm.

        A norm that grows from line to line, or is no number, shows before the loss does.
        """
        write_scalars(self._board, step, memory_in_use() | gradient_norms(sides))

    def note_validation(self, step: int, score: float | None, picture: np.ndarray | None) -> None:
        """The validation slice's score, and a picture (H, W, 3) uint8; None: there is none."""
        if score is not None:
            self._board.add_scalar("validation/ssim", score, step)
            self._write_row(step, {"validation_ssim": score})
        if picture is not None:
            self._board.add_image("sample", picture, step, dataformats="HWC")
            path = self._folder / "samples" / f"{step:07}.jpg"
            path.parent.mkdir(exist_ok=True)
            with write_beside(path) as partial:
                Image.fromarray(picture).save(partial, "JPEG", quality=90)

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        self._board.close()

    def _write_row(self, step: int, row: dict[str, float]) -> None:
        with disk_errors_named(self._metrics), open(self._metrics, "a") as stream:
            stream.write(json.dumps({"step": step, **row}) + "\n")


def _step_of(row: str) -> float:
    """The step a row of metrics.jsonl is of; infinity where it was torn, as by a full disk."""
    try:
        return float(json.loads(row)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
