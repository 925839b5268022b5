"""Which frames come in which step, and how they reach the device."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from edn_core.config import RuntimeConfig
from edn_core.dataset import FramePairs, images_to_tensor, labels_to_tensor
from edn_core.networks import halve_image, halve_label
from edn_core.training.augmentation import Move, draw_moves, moved, moved_boxes
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

    Every epoch shows every pair once, in another order; from ``n_pairs`` on they are mirrored.
    Given are this process's, from step ``first`` of ``total`` on.
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
        team: Team = ALONE,
        is_halved: bool = False,
    ) -> None:
        """Feed this process's part of its team's batches, at the window's size or half of it."""
        self._is_halved = is_halved
        self._pairs, self._settings, self._device, self._team = pairs, settings, device, team
        self._threads = runtime.loader_workers
        self._kinds = ["image", "filmed"] if pairs.reaches_out else ["image"]
        self._blank = pairs.blank_label().to(device)
        self._kept: dict[Picture, torch.Tensor] = {}
        self._coming: dict[Picture, Future[np.ndarray]] = {}
        self._room = _room_for_frames(runtime, device)

    def batches(self, first: int, total: int) -> Iterator[Batch]:
        """Every batch from step ``first`` of ``total`` on, as ``batch`` gives it."""
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
        """The pairs of one step by number, from len(pairs) on mirrored; moved as the step says.

        ``label`` (B, 2, C, H, W) float32 in [0, 1], ``image`` (B, 2, 3, H, W) float32 in [-1, 1],
        ``face_box`` (B, 2, 4) int64 (x0 y0 x1 y1, half-open; -1 where no face), all on the device.
        Of pictures with a matte also ``matte`` (B, 2, 1, H, W) in [0, 1] and, where a window
        reaches out of the video, ``filmed`` (B, 2, 1, H, W): 1 inside it; the image is 0 outside.
        """
        augmentation, seed = self._settings.training.augmentation, self._settings.training.seed
        chosen = [self._pairs.pair(item) for item in items]
        stacks: dict[str, list[torch.Tensor]] = {kind: [] for kind in ("label", *self._kinds)}
        for frames, is_mirrored in chosen:
            for frame in frames:
                for kind in self._kinds:
                    picture = self._picture((kind, frame))
                    stacks[kind].append(picture.flip(1) if is_mirrored else picture)
                stacks["label"].append(self._picture(_label(frame, is_mirrored)))
        stored = torch.stack(stacks["image"])
        batch: Batch = {"image": images_to_tensor(stored[..., :3])}
        if self._pairs.has_matte:
            batch["matte"] = stored[..., 3:].permute(0, 3, 1, 2).float() / 255
        if self._pairs.reaches_out:
            batch["filmed"] = torch.stack(stacks["filmed"]).permute(0, 3, 1, 2).float()
            # As what is painted there: no discriminator shall tell them apart by it.
            batch["image"] = batch["image"] * batch["filmed"]
        label = labels_to_tensor(torch.stack(stacks["label"]), self._pairs.style)
        boxes = torch.stack([self._pairs.face_boxes(item) for item in items])
        if self._is_halved:
            # Rounded down, -1 (no box) stays -1.
            batch = {name: halve_image(one) for name, one in batch.items()}
            label, boxes = halve_label(label), boxes // 2
        batch = {name: one.unflatten(0, (-1, 2)) for name, one in batch.items()}
        label = label.unflatten(0, (-1, 2))
        if augmentation.shift:
            size, last = label.shape[-2:], [frames[-1] for frames, _ in chosen]
            moves = draw_moves(last, boxes, tuple(size), seed, step, augmentation.shift)
            # Beyond a whole picture its edge is repeated; around a dancer there is the ground.
            around = torch.zeros(1, 1, 1, device=self._device) if self._pairs.has_matte else None
            batch = {name: _moved(one, moves, around) for name, one in batch.items()}
            label, boxes = _moved(label, moves, self._blank), moved_boxes(boxes, moves)
        if self._device.type == "cuda":  # which is not waited for
            boxes = boxes.pin_memory().to(self._device, non_blocking=True)
        return batch | {"label": label, "face_box": boxes}

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
        for frames, is_mirrored in map(self._pairs.pair, items):
            images = [(kind, frame) for kind in self._kinds for frame in frames]
            for key in (*images, *(_label(frame, is_mirrored) for frame in frames)):
                if key not in self._kept and key not in self._coming:
                    self._coming[key] = pool.submit(self._pairs.decode, *key)


def _moved(
    pictures: torch.Tensor, moves: Sequence[Move], blank: torch.Tensor | None
) -> torch.Tensor:
    return torch.stack(
        [moved(one, *move, blank) for one, move in zip(pictures, moves, strict=True)]
    )


def _label(frame: int, is_mirrored: bool) -> Picture:
    return "mirrored label" if is_mirrored else "label", frame


def _room_for_frames(runtime: RuntimeConfig, device: torch.device) -> float:
    """Bytes."""
    if runtime.resident_frames != "auto":
        return math.inf if runtime.resident_frames == "always" else 0
    if device.type == "cuda":
        return GPU_PART * torch.cuda.mem_get_info(device)[0]
    return runtime.frame_cache_mb * 2**20
