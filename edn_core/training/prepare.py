"""What happens to a batch between the files and the losses."""

import torch
from torch import nn

from edn_core.training.augmentation import (
    Move,
    draw_moves,
    draw_views,
    moved,
    moved_background,
    moved_boxes,
)
from edn_core.training.halving import halve_batch
from edn_core.training.settings import TrainingSettings
from edn_core.training.stage import Batch


def prepare(
    batch: Batch, settings: TrainingSettings, step: int, generator: nn.Module | None = None
) -> Batch:
    """The batch as the losses see it.

    Args:
        batch: as the feed gives it, on the device.
        settings: of the training.
        step: number of the step; whatever is drawn at random follows from it, the seed and the
            frames alone, so that a training which was interrupted goes on to the same bytes.
        generator: whose background plate is moved with the pictures; None: nothing is moved.

    Returns:
        A new batch, or the same. Where pictures are mirrored or moved it also holds ``background``,
        the generator's plate (B, 3, H, W) and where it was seen (B, 1, H, W) for each item; where
        the discriminator is to see them changed, ``view``, what was drawn for that.
    """
    augmentation, seed = settings.training.augmentation, settings.training.seed
    # First, because the generator's plate is halved too, and moved by its own pixels.
    if settings.is_halved:
        batch = halve_batch(batch)
    if augmentation.discriminator:
        view = draw_views(batch, seed, step, augmentation.discriminator)
        batch = batch | {"view": view}
    if generator is None or not (augmentation.mirror or augmentation.shift):
        return batch
    moves = [(0, 0) for _ in batch["label"]]
    if augmentation.shift:
        moves = draw_moves(batch, seed, step, augmentation.shift)
        batch = _moved_batch(batch, moves)
    background = moved_background(generator, batch["is_mirrored"].tolist(), moves)
    return batch if background is None else batch | {"background": background}


def _moved_batch(batch: Batch, moves: list[Move]) -> Batch:
    """Every picture and box of an item moved alike; no label is drawn where none was seen."""
    height, width = batch["label"].shape[-2:]
    blank = batch["blank_label"]
    return (
        batch
        | {
            "label": torch.stack(
                [moved(batch["label"][i], *move, blank[i]) for i, move in enumerate(moves)]
            ),
            "image": torch.stack([moved(batch["image"][i], *move) for i, move in enumerate(moves)]),
        }
        | {
            name: torch.stack(
                [
                    moved_boxes(batch[name][i], *move, (height, width))
                    for i, move in enumerate(moves)
                ]
            )
            for name in ("face_box", "hand_box")
        }
    )
