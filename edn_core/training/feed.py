"""Which frames come in which step, and how they reach the device."""

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from edn_core.config import RuntimeConfig
from edn_core.dataset import FramePairs, images_to_tensor, labels_to_tensor
from edn_core.networks import halve_image, halve_label
from edn_core.training.distributed import ALONE, Team
from edn_core.training.settings import TrainingSettings
from edn_core.training.stage import Batch

BATCHES_AHEAD = 16
"""Frames of so many batches to come are decoded in the background."""
GPU_PART = 1 / 4
"""Of a GPU's free memory that frames may take: the activations of a step come on top."""

Picture = tuple[str, int]
"""Kind (as FramePairs.decode has them) and number of the frame."""


def order_of_pairs(
    n_pairs: int, settings: TrainingSettings, first: int, total: int, team: Team = ALONE
) -> Iterator[list[int]]:
    """Numbers of a batch's pairs, step by step; they follow from seed and step alone.

    Every epoch shows every pair once, in another order. Given are this process's, from step
    ``first`` of ``total`` on.
    """
    size = min(settings.stage.batch_size, n_pairs)
    per_epoch = n_pairs // size
    epoch, order = -1, torch.empty(0)
    for step in range(first, total):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            seed = torch.Generator().manual_seed(settings.training.seed * 100_003 + epoch)
            order = torch.randperm(n_pairs, generator=seed)
        start = step % per_epoch * size
        yield team.part(order[start : start + size].tolist())


class Feed:
    """Batches on the device.

    A picture is decoded once and stays on the device, as bytes, as long as there is room: in a
    quarter of a GPU's free memory, or in ``runtime.frame_cache_mb`` on a CPU.
    """

    def __init__(
        self,
        pairs: FramePairs,
        settings: TrainingSettings,
        runtime: RuntimeConfig,
        device: torch.device,
        team: Team = ALONE,
        is_halved: bool = False,
    ) -> None:
        """Feed this process's part of its team's batches, at the window's size or half of it."""
        self._is_halved = is_halved
        self._pairs, self._settings, self._device, self._team = pairs, settings, device, team
        self._threads = runtime.loader_workers
        self._kinds = ["image", "label", *(["filmed"] if pairs.reaches_out else [])]
        self._kept: dict[Picture, torch.Tensor] = {}
        self._coming: dict[Picture, Future[np.ndarray]] = {}
        self._room = _room_for_frames(runtime, device)

    def batches(self, first: int, total: int) -> Iterator[Batch]:
        """Every batch from step ``first`` of ``total`` on, as ``batch`` gives it."""
        order = order_of_pairs(len(self._pairs), self._settings, first, total, self._team)
        if not self._threads:
            yield from map(self.batch, order)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            ahead: deque[list[int]] = deque()
            try:
                for items in order:
                    self._decode_ahead(items, pool)
                    ahead.append(items)
                    if len(ahead) > BATCHES_AHEAD:
                        yield self.batch(ahead.popleft())
                yield from map(self.batch, ahead)
            finally:
                pool.shutdown(cancel_futures=True)

    def batch(self, items: list[int]) -> Batch:
        """The pairs of one step by number.

        ``label`` (B, 2, C, H, W) float32 in [0, 1], ``image`` (B, 2, 3, H, W) float32 in [-1, 1],
        ``face_box`` (B, 2, 4) int64 (x0 y0 x1 y1, half-open; -1 where no face), all on the device.
        Of pictures with a matte also ``matte`` (B, 2, 1, H, W) in [0, 1] and, where a window
        reaches out of the video, ``filmed`` (B, 2, 1, H, W): 1 inside it; the image is 0 outside.
        """
        frames = [frame for item in items for frame in self._pairs.pair(item)]
        stacks = {
            kind: torch.stack([self._picture((kind, frame)) for frame in frames])
            for kind in self._kinds
        }
        stored = stacks["image"]
        batch: Batch = {"image": images_to_tensor(stored[..., :3])}
        if self._pairs.has_matte:
            batch["matte"] = stored[..., 3:].permute(0, 3, 1, 2).float() / 255
        if self._pairs.reaches_out:
            batch["filmed"] = stacks["filmed"].permute(0, 3, 1, 2).float()
            # As what is painted there: no discriminator shall tell them apart by it.
            batch["image"] = batch["image"] * batch["filmed"]
        label = labels_to_tensor(stacks["label"], self._pairs.style)
        boxes = torch.stack([self._pairs.face_boxes(item) for item in items])
        if self._is_halved:
            # Rounded down, -1 (no box) stays -1.
            batch = {name: halve_image(one) for name, one in batch.items()}
            label, boxes = halve_label(label), boxes // 2
        batch = {name: one.unflatten(0, (-1, 2)) for name, one in batch.items()}
        if self._device.type == "cuda":  # which is not waited for
            boxes = boxes.pin_memory().to(self._device, non_blocking=True)
        return batch | {"label": label.unflatten(0, (-1, 2)), "face_box": boxes}

    def _picture(self, key: Picture) -> torch.Tensor:
        """(H, W, C) uint8 on the device."""
        if key in self._kept:
            return self._kept[key]
        coming = self._coming.pop(key, None)
        decoded = coming.result() if coming else self._pairs.decode(*key)
        picture = torch.from_numpy(decoded).to(self._device)
        if picture.nbytes <= self._room:
            self._room -= picture.nbytes
            self._kept[key] = picture
        return picture

    def _decode_ahead(self, items: list[int], pool: ThreadPoolExecutor) -> None:
        for frames in map(self._pairs.pair, items):
            for key in ((kind, frame) for kind in self._kinds for frame in frames):
                if key not in self._kept and key not in self._coming:
                    self._coming[key] = pool.submit(self._pairs.decode, *key)


def _room_for_frames(runtime: RuntimeConfig, device: torch.device) -> float:
    """Bytes."""
    if runtime.resident_frames != "auto":
        return math.inf if runtime.resident_frames == "always" else 0
    if device.type == "cuda":
        return GPU_PART * torch.cuda.mem_get_info(device)[0]
    return runtime.frame_cache_mb * 2**20
