"""Training frames that stay on the device, as bytes: each is decoded once and copied there once.

Labels are kept as they are stored, too: those that ``render_torch`` draws may differ from them by a
grey level, and synthesis is fed the stored kind.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from edn_core.config import RuntimeConfig
from edn_core.dataset import FrameSequences, label_to_tensor
from edn_core.logs import LOGGER
from edn_core.training.stage import Batch

ON_CPU = ("face_box", "hand_box", "frame", "is_mirrored")
BATCHES_AHEAD = 16
"""Frames of so many batches to come are decoded in the background."""
GPU_PART = 1 / 4
"""Of a GPU's free memory that frames may take: the activations of a step come on top."""


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch's tensors on the device; boxes and frame numbers, which Python reads, stay."""
    return {
        name: value if name in ON_CPU else value.to(device, non_blocking=True)
        for name, value in batch.items()
    }


def should_reside(dataset: FrameSequences, runtime: RuntimeConfig, device: torch.device) -> bool:
    """Whether the frames stay on the device, as ``runtime.resident_frames`` says; logs why not."""
    if runtime.resident_frames != "auto":
        return runtime.resident_frames == "always"
    height, width = dataset.size
    pictures = 2 + dataset.has_mirrored
    needed = len(_frames(dataset)) * pictures * height * width * 3
    room: float = runtime.frame_cache_mb * 2**20
    if device.type == "cuda":
        room = GPU_PART * torch.cuda.mem_get_info(device)[0]
    if needed > room:
        LOGGER.info(
            f"frames and labels take {needed / 2**20:.0f} MB, more than the {room / 2**20:.0f} MB "
            "for them: they are decoded anew whenever their turn comes"
        )
    return needed <= room


def resident_batches(
    dataset: FrameSequences, order: Iterable[list[int]], device: torch.device, threads: int
) -> Iterator[Batch]:
    """Batches as a DataLoader collates them, equal to the bit, made on the device.

    Args:
        dataset: what to choose from.
        order: numbers of the items of each batch.
        device: where frames stay and batches are made.
        threads: that decode frames before their turn; 0: none.

    Yields:
        A dataset's items, stacked; boxes and frame numbers stay on the CPU.
    """
    frames = ResidentFrames(dataset, device)
    if not threads:
        for items in order:
            yield frames.batch(items)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[list[int]] = deque()
        try:
            for items in order:
                frames.decode_ahead(items, pool)
                ahead.append(items)
                if len(ahead) > BATCHES_AHEAD:
                    yield frames.batch(ahead.popleft())
            while ahead:
                yield frames.batch(ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _frames(dataset: FrameSequences) -> list[int]:
    """All frames of all runs."""
    runs = (range(frame - dataset.length + 1, frame + 1) for frame in dataset.frames)
    return sorted(set(itertools.chain.from_iterable(runs)))


class ResidentFrames:
    """Frames and labels of a dataset on a device, each there from its first use on."""

    def __init__(self, dataset: FrameSequences, device: torch.device) -> None:
        self._dataset, self._device = dataset, device
        frames = _frames(dataset)
        self._row = {frame: row for row, frame in enumerate(frames)}
        shape = (*dataset.size, 3)
        n_labels = (1 + dataset.has_mirrored) * len(frames)
        self._images = torch.empty(len(frames), *shape, dtype=torch.uint8, device=device)
        self._labels = torch.empty(n_labels, *shape, dtype=torch.uint8, device=device)
        self._classes = torch.arange(dataset.style.channels, dtype=torch.uint8, device=device)
        self._is_there: set[tuple[str, int]] = set()
        self._decoded: dict[tuple[str, int], Future[np.ndarray]] = {}

    def decode_ahead(self, items: list[int], pool: ThreadPoolExecutor) -> None:
        """Begin to decode what these items need and is not there yet."""
        for key in self._needed(items):
            if key not in self._is_there and key not in self._decoded:
                self._decoded[key] = pool.submit(self._dataset.decode, *key)

    def batch(self, items: list[int]) -> Batch:
        """The items, stacked."""
        for key in self._needed(items):
            self._bring(key)
        runs = [self._dataset.run(item) for item in items]
        rows = [[self._row[frame] for frame in run] for run, _ in runs]
        offset = len(self._row)
        label_rows = [
            [row + offset * is_mirrored for row in own]
            for own, (_, is_mirrored) in zip(rows, runs, strict=True)
        ]
        image = self._channels_first(self._images[self._sent(rows)]).float() / 127.5 - 1
        if any(is_mirrored for _, is_mirrored in runs):
            flipped = self._sent([is_mirrored for _, is_mirrored in runs])
            image = torch.where(flipped[:, None, None, None, None], image.flip(-1), image)
        label = self._channels_first(self._labels[self._sent(label_rows)])
        if self._dataset.style.is_index:
            label = (label[:, :, :1] == self._classes[:, None, None]).float()
        else:
            label = label.float() / 255
        beside = default_collate([self._dataset.beside(item) for item in items])
        return {"label": label, "image": image, **to_device(beside, self._device)}

    def _needed(self, items: list[int]) -> Iterator[tuple[str, int]]:
        for item in items:
            run, is_mirrored = self._dataset.run(item)
            for frame in run:
                yield "image", frame
                yield "mirrored label" if is_mirrored else "label", frame

    def _bring(self, key: tuple[str, int]) -> None:
        if key in self._is_there:
            return
        kind, frame = key
        ahead = self._decoded.pop(key, None)
        picture = ahead.result() if ahead else self._dataset.decode(kind, frame)
        if kind != "image" and self._dataset.style.is_index:
            label_to_tensor(picture, self._dataset.style, f"{kind} of frame {frame}")  # checks it
        row = self._row[frame] + (len(self._row) if kind == "mirrored label" else 0)
        store = self._images if kind == "image" else self._labels
        store[row].copy_(torch.from_numpy(picture))
        self._is_there.add(key)

    def _sent(self, values: Any) -> torch.Tensor:
        tensor = torch.tensor(values)
        if self._device.type == "cuda":  # the device is not waited for
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor

    @staticmethod
    def _channels_first(pictures: torch.Tensor) -> torch.Tensor:
        return pictures.permute(0, 1, 4, 2, 3).contiguous()
