"""What a training leaves to look at: metrics.jsonl, TensorBoard and samples."""

import json
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from edn_core.logs import LOGGER
from edn_core.store import naming, write_beside
from edn_core.training.validation import Score


def most_memory() -> dict[str, float]:
    """MB, the most so far: of this process; on a GPU what tensors took and what torch held."""
    unit = 1 if sys.platform == "darwin" else 1024
    found = {"memory/process_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["memory/allocated_mb"] = torch.cuda.max_memory_allocated() / 1e6
        found["memory/reserved_mb"] = torch.cuda.max_memory_reserved() / 1e6
    return found


def gradient_norms(sides: dict[str, Iterable[torch.nn.Parameter]]) -> dict[str, float]:
    """Euclidean norm of the last step's gradients, by side; of those that have none, nothing.

    A norm that grows from line to line, or is no number, shows before the loss does.
    """
    found = {}
    for name, parameters in sides.items():
        gradients = [one.grad for one in parameters if one.grad is not None]
        if gradients:
            found[f"gradient_norm/{name}"] = float(torch.nn.utils.get_total_norm(gradients))
    return found


class Records:
    """The records of one training in its folder, from a step on.

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
            whole = [row for row in rows if row.endswith("}")]  # a killed process tears the last
            kept = [row for row in whole if json.loads(row)["step"] <= step]
            with write_beside(self._metrics) as partial:
                partial.write_text("".join(f"{row}\n" for row in kept))
        # TensorBoard drops what it has of later steps: they are made again.
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def note(self, step: int, row: dict[str, float], only_drawn: dict[str, float]) -> None:
        """A row of values by name; some are for TensorBoard only."""
        with naming(self._metrics):
            self._write_row(step, row)
        with naming(self._folder / "tensorboard"):
            for name, value in (row | only_drawn).items():
                self._board.add_scalar(name, value, step)
            self._board.flush()  # a killed process loses none of them

    def note_validation(self, step: int, score: Score | None, picture: np.ndarray | None) -> None:
        """The validation slice's score, and a picture (H, W, 3) uint8; None: there is none."""
        if score is not None:
            row = {**score._asdict(), "score": score.value}
            for name, value in row.items():
                self._board.add_scalar(f"validation/{name}", value, step)
            with naming(self._metrics):
                self._write_row(step, {f"validation_{name}": one for name, one in row.items()})
        if picture is not None:
            self._board.add_image("sample", picture, step, dataformats="HWC")
            path = self._folder / "samples" / f"{step:07}.jpg"
            with write_beside(path) as partial:
                Image.fromarray(picture).save(partial, "JPEG", quality=90)

    def note_memory(self, step: int, stage: str) -> None:
        """The most memory that the stage took, in the log as well."""
        found = most_memory()
        self.note(step, found, {})
        told = ", ".join(f"{name[7:-3]} {mb:.0f} MB" for name, mb in found.items())
        LOGGER.info(f"{stage}: most memory: {told}")

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        self._board.close()

    def _write_row(self, step: int, row: dict[str, float]) -> None:
        with open(self._metrics, "a") as stream:
            stream.write(json.dumps({"step": step, **row}) + "\n")
