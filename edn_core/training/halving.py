"""Training at half the canvas: the stages before ``enhance`` (pix2pixHD, section 3.1)."""

from collections.abc import Callable

import torch

from edn_core.checkpoint import TrainedGenerator
from edn_core.networks import check_enhancer_canvas, halve_image, halve_label
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Batch, Stage


def halve_batch(batch: Batch) -> Batch:
    """The same frames at half the canvas.

    Labels are pooled as the local enhancer pools its input, so that the coarse generator goes on
    seeing what it was trained on; an image's pixel is the mean of the four it covers.

    Args:
        batch: with ``label`` (B, L, C, H, W) and ``image`` (B, L, 3, H, W), H and W even, and
            boxes ``..._box`` (..., 4); whatever else it holds stays as it is.

    Returns:
        A new batch. Boxes stay squares of one size, since theirs is even.
    """
    # Rounded down, -1 (no box) stays -1.
    boxes = {name: box // 2 for name, box in batch.items() if name.endswith("_box")}
    return batch | {
        "label": _each_frame(halve_label, batch["label"]),
        "image": _each_frame(halve_image, batch["image"]),
        **boxes,
    }


def _each_frame(
    halve: Callable[[torch.Tensor], torch.Tensor], frames: torch.Tensor
) -> torch.Tensor:
    return halve(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])


def check_halving(
    stage: Stage,
    settings: TrainingSettings,
    files: TrainingFiles,
    previous: TrainedGenerator | None,
    size: tuple[int, int],
) -> None:
    """Refuse, before anything is trained, what would not fit the enhance stage later.

    Args:
        stage: what is to be trained.
        settings: says whether it is trained at half the canvas.
        files: named in the messages.
        previous: the generator it starts from.
        size: (H, W) of the canvas, px.

    Raises:
        ValueError: a canvas that the local enhancer cannot paint, or a generator to start from
            that was trained at the other size.
    """
    if settings.is_halved or stage.architecture == "enhancer":
        try:
            check_enhancer_canvas(size, settings.network.downsamplings)
        except ValueError as error:
            remedy = "canvas.pixels decides the canvas"
            raise ValueError(f"{files.frames}: {error}; {remedy}") from error
    if previous is None:
        return
    expected: tuple[str, ...]
    if stage.architecture is None:
        expected = ("global", "enhancer")
    elif settings.is_halved or stage.architecture == "enhancer":
        expected = ("halved",)
    else:
        expected = ("global",)
    if previous.architecture not in expected:
        raise ValueError(
            f"{files.start}: holds a generator of architecture {previous.architecture!r}, the "
            f"{stage.name} stage starts from {' or '.join(expected)}; with `enhance` in "
            "training.stages body and temporal are trained at half the canvas (halved), without "
            "at the whole (global): train the stage before anew"
        )
