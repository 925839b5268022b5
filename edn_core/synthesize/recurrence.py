"""One video in order, or pieces of it side by side as one batch, each begun a little early.

A frame needs the output before it, so one video cannot be a batch. But the recurrence forgets: a
piece that begins some frames early with nothing before it has, when its own first frame comes,
nearly the output it would have had (docs/training.md measures how nearly).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from edn_core.dataset import label_to_tensor
from edn_core.render import LABEL_STYLES, LabelStyle
from edn_core.synthesize.step import synthesize_step, to_levels


class Piece(NamedTuple):
    """Frames [first, stop) of a video; [begin, first) are synthesized and thrown away."""

    begin: int
    first: int
    stop: int


def cut_into_pieces(n_frames: int, chunks: int, warm_up_frames: int) -> list[Piece]:
    """Cut a video so that every piece, its warm-up counted, takes the same number of steps.

    The first piece needs no warm-up and is that much longer. Pieces whose warm-up would be longer
    than what is kept of them are not worth it: a short video is cut into fewer than ``chunks``.

    Returns:
        Pieces in order that cover each frame once; numbers of steps differ by one at most.
    """
    for count in range(min(chunks, n_frames), 1, -1):
        steps, longer = divmod(n_frames + (count - 1) * warm_up_frames, count)
        if steps - warm_up_frames >= max(warm_up_frames, 1):
            break
    else:
        return [Piece(0, 0, n_frames)]
    pieces = [Piece(0, 0, steps + (longer > 0))]
    for number in range(1, count):
        first = pieces[-1].stop
        stop = first + steps - warm_up_frames + (number < longer)
        pieces.append(Piece(first - warm_up_frames, first, stop))
    return pieces


def synthesize(
    networks: Mapping[str, nn.Module],
    labels: Iterable[np.ndarray | None],
    boxes: np.ndarray,
    device: torch.device,
    style: LabelStyle = LABEL_STYLES["edn"],
) -> Iterator[np.ndarray | None]:
    """Synthesize labels in order, as synthesize_pieces does one piece: a picture for each."""
    coming, whole = iter(labels), [Piece(0, 0, len(boxes))]
    made = synthesize_pieces(networks, lambda _: next(coming), boxes, whole, device, style)
    return (picture for _, picture in made)


@torch.no_grad()
def synthesize_pieces(
    networks: Mapping[str, nn.Module],
    read_label: Callable[[int], np.ndarray | None],
    boxes: np.ndarray,
    pieces: Sequence[Piece],
    device: torch.device,
    style: LabelStyle = LABEL_STYLES["edn"],
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Synthesize all pieces of a video at once, one frame of each per step.

    The first frame is fed zeros as its previous output, and so is one after a frame without
    anybody.

    Args:
        networks: "generator" and, if faces are to be drawn, "face_generator".
        read_label: number of a frame -> its (H, W, 3) uint8 label as stored; None: nobody is there.
        boxes: (T, 4) int face boxes, -1 where no face.
        pieces: by cut_into_pieces.
        device: where the networks are.
        style: of the labels.

    Yields:
        Number of the frame and (H, W, 3) uint8 RGB, or (H, W, 4) with the matte, or None where
        nobody is there: every frame once, but not in order.
    """
    previous: torch.Tensor | None = None
    for step in range(max(piece.stop - piece.begin for piece in pieces)):
        # A piece that is done repeats its last frame for nothing: the batch keeps its size.
        frames = [min(piece.begin + step, piece.stop - 1) for piece in pieces]
        read = [read_label(frame) for frame in frames]
        there = [label_to_tensor(label, style) for label in read if label is not None]
        pictures: Sequence[np.ndarray | None] = [None] * len(pieces)
        if there:
            blank = torch.zeros_like(there[0])
            found = iter(there)
            label = torch.stack([blank if one is None else next(found) for one in read]).to(device)
            if previous is None:
                previous = label.new_zeros(len(pieces), 3, *label.shape[2:])
            output = synthesize_step(
                networks, label, previous, *face_arguments(boxes[frames], device)
            )
            levels = to_levels(output).cpu().numpy()
            pictures = [None if one is None else levels[i] for i, one in enumerate(read)]
            previous = output[:, :3]
        if previous is not None and len(there) < len(pieces):
            is_there = torch.tensor([one is not None for one in read], device=device)
            previous = previous * is_there[:, None, None, None]
        for number, piece in enumerate(pieces):
            if piece.first <= piece.begin + step < piece.stop:
                yield frames[number], pictures[number]


def face_arguments(
    boxes: np.ndarray, device: torch.device
) -> tuple[torch.Tensor | None, int, torch.Tensor | None]:
    """What synthesize_step is told of the faces of one moment, decided on the host.

    Args:
        boxes: (B, 4) int, -1 where no face.
        device: where the networks are.

    Returns:
        The boxes of those who show a face, or None; their side, px; and which items of the batch
        they are, or None for all: the face network is never run for nothing.
    """
    items = np.flatnonzero(boxes[:, 0] >= 0)
    if len(items) == 0:
        return None, 0, None
    size = int(boxes[items[0], 2] - boxes[items[0], 0])
    found = torch.from_numpy(boxes[items].astype(np.int64)).to(device)
    return found, size, None if len(items) == len(boxes) else torch.from_numpy(items).to(device)
