"""The frames of a video by number, without a store of them: decoded when they are asked for."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from edn_core.compose import halved, halved_affine
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints
from edn_core.timeline import Clip


class Footage(Sequence[np.ndarray]):
    """Frames of a clip, (H, W, 3) uint8 RGB, halved some times.

    Meant to be gone through forwards: the last two frames are remembered, and to go back is to
    begin anew. A store (.zip) of whole frames that are halved already is read as it is: a machine
    without PyAV can evaluate so.
    """

    def __init__(self, path: str | Path, clip: Clip, halvings: int = 0) -> None:
        """Prepare to decode; nothing is opened yet."""
        self.path, self.clip, self.halvings = Path(path), clip, halvings
        height, width = (side >> halvings for side in clip.size)
        self.size = height, width
        self._coming: Iterator[np.ndarray] = iter(())
        self._next = 0
        self._recent: deque[np.ndarray] = deque(maxlen=2)  # up to the next

    def __len__(self) -> int:
        """Number of frames."""
        return self.clip.n_frames

    @cached_property
    def _store(self) -> FrameReader:
        return FrameReader(self.path)

    def __getitem__(self, frame: int) -> np.ndarray:  # type: ignore[override]
        """One frame; IndexError if there is none, Refused if the video is damaged."""
        if self.path.suffix == ".zip":
            return self._store[frame]
        # Reading videos needs PyAV, which a machine that only trains may not have.
        from edn_core.video import decode

        if not 0 <= frame < len(self):
            raise IndexError(f"{self.path}: frame {frame} of {len(self)}")
        if not self._next or frame < self._next - len(self._recent):
            self._coming, self._next = decode(self.path, self.clip), 0
            self._recent.clear()
        while self._next <= frame:
            image = next(self._coming)
            if self._next >= frame - 1:
                self._recent.append(halved(image, self.halvings))
            self._next += 1
        return self._recent[frame - self._next]


def halvings_to(height: float, most: float) -> int:
    """How often pictures are halved for something ``height`` px high to be at most so high."""
    return max(0, math.ceil(math.log2(max(height, 1) / most)))


def shrunk(keypoints: Keypoints, halvings: int) -> Keypoints:
    """Keypoints in the pictures of a video that are halved some times, bystanders and all."""
    to_smaller = halved_affine(np.eye(2, 3), halvings)
    size = keypoints.height >> halvings, keypoints.width >> halvings
    bystanders = keypoints.bystanders.copy()
    bystanders[..., :2] = bystanders[..., :2] @ to_smaller[:, :2].T + to_smaller[:, 2]
    return keypoints.moved(to_smaller, size).replaced(
        bystanders=bystanders, bystander_frames=keypoints.bystander_frames
    )
