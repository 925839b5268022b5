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

from edn_core.dataset import check_label, labels_to_tensor
from edn_core.render import LABEL_STYLES, LabelStyle
from edn_core.synthesize.step import synthesize_step, to_levels, to_picture
from edn_core.threads import in_order


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
    threads: int = 0,
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Synthesize all pieces of a video at once, one frame of each per step.

    The first frame is fed zeros as its previous output, and so is one after a frame without
    anybody. A GPU is waited for a step late, when the next one has been given to it.

    Args:
        networks: "generator" and, if faces are to be drawn, "face_generator".
        read_label: number of a frame -> its (H, W, 3) uint8 label as stored; None: nobody is there.
        boxes: (T, 4) int face boxes, -1 where no face.
        pieces: by cut_into_pieces.
        device: where the networks are.
        style: of the labels.
        threads: that read labels ahead; 0: each is read when it is its turn.

    Yields:
        Number of the frame and (H, W, 3) uint8 RGB, or (H, W, 4) with the matte, or None where
        nobody is there: every frame once, but not in order.
    """
    previous: torch.Tensor | None = None
    is_gpu = device.type == "cuda"
    # A piece that is done repeats its last frame for nothing: the batch keeps its size.
    steps = [
        [min(piece.begin + step, piece.stop - 1) for piece in pieces]
        for step in range(max(piece.stop - piece.begin for piece in pieces))
    ]
    in_turn = (frame for frames in steps for frame in frames)
    labels = in_order(read_label, in_turn, threads) if threads else map(read_label, in_turn)
    late: list[_Made] = []
    for step, frames in enumerate(steps):
        read = [next(labels) for _ in frames]
        is_kept = [piece.first <= piece.begin + step < piece.stop for piece in pieces]
        there = [label for label in read if label is not None]
        levels = None
        if there:
            for one in there:
                check_label(one, style, "label")
            blank = np.zeros_like(there[0])
            stored = torch.from_numpy(np.stack([blank if one is None else one for one in read]))
            stored = stored.pin_memory() if is_gpu else stored
            label = labels_to_tensor(stored.to(device, non_blocking=True), style)
            if previous is None:
                previous = label.new_zeros(len(pieces), 3, *label.shape[2:])
            output = synthesize_step(
                networks, label, previous, *face_arguments(boxes[frames], device)
            )
            levels = to_levels(output).to("cpu", non_blocking=True)  # of a GPU, to pinned memory
            previous = output[:, :3]
        if previous is not None and len(there) < len(pieces):
            is_there = torch.tensor([one is not None for one in read]).to(device, non_blocking=True)
            previous = previous * is_there[:, None, None, None]
        ready = torch.cuda.current_stream(device).record_event() if is_gpu else None
        late.append(_Made(frames, [one is not None for one in read], is_kept, levels, ready))
        if len(late) > is_gpu:
            yield from _pictures(late.pop(0))
    for made in late:
        yield from _pictures(made)


class _Made(NamedTuple):
    """A step as it was given to the device."""

    frames: list[int]
    is_there: list[bool]
    is_kept: list[bool]  # those of a warm-up, and repeated ones, are not
    levels: torch.Tensor | None  # on the CPU, from when ``ready`` has happened; None: nobody
    ready: torch.cuda.Event | None


def _pictures(made: _Made) -> Iterator[tuple[int, np.ndarray | None]]:
    if made.ready is not None:
        made.ready.synchronize()
    for item, frame in enumerate(made.frames):
        if made.is_kept[item]:
            if made.levels is None or not made.is_there[item]:
                yield frame, None
            else:
                yield frame, to_picture(made.levels[item])


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
    found = torch.from_numpy(boxes[items].astype(np.int64)).to(device, non_blocking=True)
    if len(items) == len(boxes):
        return found, size, None
    return found, size, torch.from_numpy(items).to(device, non_blocking=True)
