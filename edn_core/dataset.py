"""What training sees: consecutive frames with their labels and face boxes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.render import LABEL_STYLES, LabelStyle, find_style

MIN_BODY_POINTS = 8  # fewer, and the label does not say what the body does


def image_to_tensor(image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 RGB -> (3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


def label_to_tensor(
    label: np.ndarray, style: LabelStyle = LABEL_STYLES["edn"], where: str = "label"
) -> torch.Tensor:
    """A stored label as the networks read it.

    Args:
        label: (H, W, 3) uint8: RGB, or three planes of class numbers.
        style: its style.
        where: the file and frame it comes from, for the message.

    Returns:
        (C, H, W) float32 in [0, 1]: the colours, or the classes one-hot.

    Raises:
        ValueError: a class number that the style does not have.
    """
    if not style.is_index:
        return torch.from_numpy(label).permute(2, 0, 1).float() / 255
    classes = torch.from_numpy(label[..., 0])
    if int(classes.max()) >= style.channels:
        raise ValueError(
            f"{where}: holds class {int(classes.max())}, expected 0 to {style.channels - 1}; it "
            "was not drawn in this label style: delete the labels and run again"
        )
    return (classes == torch.arange(style.channels, dtype=torch.uint8)[:, None, None]).float()


class FramePairs(Dataset[dict[str, Any]]):
    """Pairs of consecutive frames in which the dancer was found.

    An item holds ``label`` (2, C, H, W) float32 in [0, 1], C as its style says, ``image``
    (2, 3, H, W) float32 in [-1, 1], ``face_box`` (2, 4) int64 (x0 y0 x1 y1, half-open, each of its
    own frame; -1 where no face) and ``frame`` (), the number of the second frame. A pair never
    straddles a gap.
    """

    def __init__(
        self,
        frames_path: str | Path,
        labels_path: str | Path,
        keypoints_path: str | Path,
        frames: Sequence[int],
        needs_face: bool = False,
        cache_mb: int = 0,
    ) -> None:
        """Choose the pairs.

        Args:
            frames_path: the target's ``edn-frames`` store.
            labels_path: its labels, the same canvas.
            keypoints_path: its keypoints.
            frames: frame numbers that may be used.
            needs_face: only pairs with a face in both frames.
            cache_mb: decoded images kept in memory, at most.

        Raises:
            ValueError: the three files do not belong together, or a label style nobody knows.
        """
        self._paths = {"image": Path(frames_path), "label": Path(labels_path)}
        self._readers: dict[tuple[int, str], FrameReader] = {}
        self._cache: dict[tuple[str, int], np.ndarray] = {}
        self._cache_left = cache_mb * 2**20
        keypoints = read_keypoints(keypoints_path)
        image_info, label_info = self._reader("image").info, self._reader("label").info
        for path, found in (
            (labels_path, (label_info.n_frames, label_info.height, label_info.width)),
            (keypoints_path, (len(keypoints), keypoints.height, keypoints.width)),
        ):
            expected = (image_info.n_frames, image_info.height, image_info.width)
            if found != expected:
                raise ValueError(
                    f"{path}: has (frames, height, width) {found}, {frames_path} has {expected}; "
                    "they are not of one video: delete both and run again"
                )
        self.size = image_info.size
        self.label_style, self.label_config = label_info.style, label_info.style_config or {}
        self._style = find_style(self.label_style, f"{labels_path}: the label style")
        self.face_boxes = face_boxes(keypoints, face_box_size(image_info.height))
        is_usable = (keypoints.score["body"] > 0).sum(axis=1) >= MIN_BODY_POINTS
        if needs_face:
            is_usable &= self.face_boxes[:, 0] >= 0
        allowed = {frame for frame in frames if is_usable[frame]}
        self.frames = sorted(frame for frame in allowed if frame - 1 in allowed)

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.frames)

    def __getitem__(self, item: int) -> dict[str, Any]:
        """One pair."""
        frame = self.frames[item]
        pair = (frame - 1, frame)
        return {
            "label": torch.stack([self._label(i) for i in pair]),
            "image": torch.stack([image_to_tensor(self._read("image", i)) for i in pair]),
            "face_box": torch.from_numpy(self.face_boxes[list(pair)]).long(),
            "frame": frame,
        }

    def _label(self, frame: int) -> torch.Tensor:
        where = f"{self._paths['label']}, frame {frame}"
        return label_to_tensor(self._read("label", frame), self._style, where)

    def _read(self, kind: str, frame: int) -> np.ndarray:
        if (kind, frame) not in self._cache:
            image = self._reader(kind)[frame]
            if image.nbytes > self._cache_left:
                return image
            self._cache_left -= image.nbytes
            self._cache[kind, frame] = image
        return self._cache[kind, frame]

    def _reader(self, kind: str) -> FrameReader:
        # An HDF5 handle must not cross a fork: every loader process opens its own.
        key = (os.getpid(), kind)
        if key not in self._readers:
            self._readers[key] = FrameReader(self._paths[kind])
        return self._readers[key]


def crop_faces(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Cut each item's own face box.

    Args:
        images: (B, C, H, W).
        boxes: (B, 4) x0 y0 x1 y1, squares of one size.

    Returns:
        (B, C, S, S).
    """
    return torch.stack(
        [
            image[:, y0:y1, x0:x1]
            for image, (x0, y0, x1, y1) in zip(images, boxes.tolist(), strict=True)
        ]
    )


def paste_faces(images: torch.Tensor, faces: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Put faces (B, C, S, S) into copies of images (B, C, H, W) at each item's own box."""
    pasted = images.clone()
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        pasted[i, :, y0:y1, x0:x1] = faces[i]
    return pasted
