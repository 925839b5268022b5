"""Which frames come in which step, and how they reach the device."""

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from edn_core.config import RuntimeConfig
from edn_core.dataset import FramePairs, images_to_tensor, labels_to_tensor
from edn_core.networks import PlatedGenerator, halve_image, halve_label
from edn_core.training.augmentation import draw_moves, moved, moved_background, moved_boxes
from edn_core.training.distributed import ALONE, Team
from edn_core.training.settings import TrainingSettings
from edn_core.training.stage import Batch

BATCHES_AHEAD = 16
"""Frames of so many batches to come are decoded in the background."""
GPU_PART = 1 / 4
"""Of a GPU's free memory that frames may take: the activations of a step come on top."""

Picture = tuple[str, int]
"""Kind (``image``, ``label``, ``mirrored label``) and number of the frame."""


def order_of_pairs(
    n_pairs: int, settings: TrainingSettings, first: int, total: int, team: Team = ALONE
) -> Iterator[list[int]]:
    """Numbers of a batch's pairs, step by step; they follow from seed and step alone.

    Every epoch shows every pair once, in another order; from ``n_pairs`` on they are mirrored.

    Args:
        n_pairs: how many there are.
        settings: batch size, seed and how many are mirrored.
        first: step to begin with.
        total: steps of the whole training.
        team: the processes that share every batch.

    Yields:
        This process's part of the batch.
    """
    size = min(settings.stage.batch_size, n_pairs)
    per_epoch = n_pairs // size
    epoch, order = -1, torch.empty(0)
    for step in range(first, total):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            seed = torch.Generator().manual_seed(settings.training.seed * 100_003 + epoch)
            order = torch.randperm(n_pairs, generator=seed)
            if mirror := settings.training.augmentation.mirror:
                order = order + n_pairs * (torch.rand(n_pairs, generator=seed) < mirror)
        start = step % per_epoch * size
        yield team.part(order[start : start + size].tolist())


class Feed:
    """Batches on the device: halved, mirrored and moved as the settings say.

    A picture is decoded once and stays on the device, as bytes, as long as there is room: in a
    quarter of a GPU's free memory, or in ``runtime.frame_cache_mb`` on a CPU.
    """

    def __init__(
        self,
        pairs: FramePairs,
        settings: TrainingSettings,
        runtime: RuntimeConfig,
        device: torch.device,
        generator: nn.Module,
        team: Team = ALONE,
    ) -> None:
        """Prepare to feed.

        Args:
            pairs: what to choose from.
            settings: of the training.
            runtime: where frames stay, and how many threads decode them ahead.
            device: where the batches shall be.
            generator: whose background plate, if it has one, is moved with the pictures.
            team: the processes that share every batch.
        """
        self._pairs, self._settings, self._device, self._team = pairs, settings, device, team
        self._threads = runtime.loader_workers
        self._plate = (
            (generator.plate, generator.seen) if isinstance(generator, PlatedGenerator) else None
        )
        self._blank = pairs.blank_label().to(device)
        self._kept: dict[Picture, torch.Tensor] = {}
        self._coming: dict[Picture, Future[np.ndarray]] = {}
        self._room = _room_for_frames(runtime, device)

    def batches(self, first: int, total: int) -> Iterator[Batch]:
        """Every batch from a step on.

        Args:
            first: step to begin with.
            total: steps of the whole training.

        Yields:
            As ``batch``.
        """
        order = order_of_pairs(len(self._pairs), self._settings, first, total, self._team)
        if not self._threads:
            for step, items in enumerate(order, first):
                yield self.batch(items, step)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            ahead: deque[tuple[int, list[int]]] = deque()
            try:
                for step, items in enumerate(order, first):
                    self._decode_ahead(items, pool)
                    ahead.append((step, items))
                    if len(ahead) > BATCHES_AHEAD:
                        due, items = ahead.popleft()
                        yield self.batch(items, due)
                for step, items in ahead:
                    yield self.batch(items, step)
            finally:
                pool.shutdown(cancel_futures=True)

    def batch(self, items: list[int], step: int) -> Batch:
        """The pairs of one step.

        Args:
            items: their numbers; from len(pairs) on mirrored.
            step: from which follows how far they are moved.

        Returns:
            ``label`` (B, 2, C, H, W) float32 in [0, 1], ``image`` (B, 2, 3, H, W) float32 in
            [-1, 1], ``face_box`` (B, 2, 4) int64 (x0 y0 x1 y1, half-open; -1 where no face), all
            on the device. Where pictures are mirrored or moved and there is a plate also
            ``background``: each pair's own, (B, 3, H, W) and where it was seen (B, 1, H, W).
        """
        augmentation, seed = self._settings.training.augmentation, self._settings.training.seed
        chosen = [self._pairs.pair(item) for item in items]
        mirrored = [is_mirrored for _, is_mirrored in chosen]
        images, labels = [], []
        for frames, is_mirrored in chosen:
            for frame in frames:
                picture = self._picture(("image", frame))
                images.append(picture.flip(1) if is_mirrored else picture)
                labels.append(self._picture(_label(frame, is_mirrored)))
        image = images_to_tensor(torch.stack(images))
        label = labels_to_tensor(torch.stack(labels), self._pairs.style)
        boxes = torch.stack([self._pairs.face_boxes(item) for item in items])
        if self._settings.is_halved:
            # Rounded down, -1 (no box) stays -1.
            image, label, boxes = halve_image(image), halve_label(label), boxes // 2
        image, label = image.unflatten(0, (-1, 2)), label.unflatten(0, (-1, 2))
        moves = [(0, 0)] * len(items)
        if augmentation.shift:
            size, last = (image.shape[-2], image.shape[-1]), [frames[-1] for frames, _ in chosen]
            moves = draw_moves(last, boxes, size, seed, step, augmentation.shift)
            blank = self._blank
            image = torch.stack([moved(one, *move) for one, move in zip(image, moves, strict=True)])
            label = torch.stack(
                [moved(one, *move, blank) for one, move in zip(label, moves, strict=True)]
            )
            boxes = moved_boxes(boxes, moves)
        batch: Batch = {"label": label, "image": image, "face_box": self._sent(boxes)}
        if self._plate and (augmentation.mirror or augmentation.shift):
            own = (moved_background(one, mirrored, moves) for one in self._plate)
            batch["background"] = tuple(own)
        return batch

    def _picture(self, key: Picture) -> torch.Tensor:
        """(H, W, 3) uint8 on the device."""
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
        for frames, is_mirrored in map(self._pairs.pair, items):
            images = [("image", frame) for frame in frames]
            for key in (*images, *(_label(frame, is_mirrored) for frame in frames)):
                if key not in self._kept and key not in self._coming:
                    self._coming[key] = pool.submit(self._pairs.decode, *key)

    def _sent(self, boxes: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cuda":  # the device is not waited for
            return boxes.pin_memory().to(self._device, non_blocking=True)
        return boxes


def _label(frame: int, is_mirrored: bool) -> Picture:
    return "mirrored label" if is_mirrored else "label", frame


def _room_for_frames(runtime: RuntimeConfig, device: torch.device) -> float:
    """Bytes."""
    if runtime.resident_frames != "auto":
        return math.inf if runtime.resident_frames == "always" else 0
    if device.type == "cuda":
        return GPU_PART * torch.cuda.mem_get_info(device)[0]
    return runtime.frame_cache_mb * 2**20
