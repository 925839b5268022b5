"""What a training leaves to look at: metrics.jsonl, TensorBoard and samples."""

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from edn_core.artefact import write_beside
from edn_core.disk import disk_errors_named


class Records:
    """The records of one training in its folder, from a step on; of several processes the first's.

    Rows of steps that will be made again are dropped; a training that begins anew also drops the
    samples.
    """

    def __init__(self, folder: Path, step: int, is_new: bool) -> None:
        self._folder, self._metrics = folder, folder / "metrics.jsonl"
        if is_new:
            for old in folder.glob("samples/*.jpg"):
                old.unlink()
        if self._metrics.is_file():
            rows = self._metrics.read_text(errors="replace").splitlines()
            kept = [row for row in rows if _step_of(row) <= step]
            with write_beside(self._metrics) as partial:
                partial.write_text("".join(f"{row}\n" for row in kept))
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def note(self, step: int, values: dict[str, float]) -> None:
        """A row of values, by name."""
        self._write_row(step, values)
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

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
