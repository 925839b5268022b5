"""What training sees: consecutive frames with their labels and face boxes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from edn_core.config import LabelConfig
from edn_core.doubt import without_doubtful
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader
from edn_core.hands import hand_box_size, hand_boxes
from edn_core.keypoints import mirror_person, missing_person, read_keypoints
from edn_core.logs import LOGGER
from edn_core.render import LABEL_STYLES, LabelStyle, find_style
from edn_core.skeleton import Skeleton

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


class FrameSequences(Dataset[dict[str, Any]]):
    """Runs of consecutive frames in which the dancer was found.

    An item holds, for the L frames of a run, ``label`` (L, C, H, W) float32 in [0, 1], C as its
    style says, ``image`` (L, 3, H, W) float32 in [-1, 1], ``face_box`` (L, 4) int64 (x0 y0 x1 y1,
    half-open, each of its own frame; -1 where no face), ``hand_box`` (L, 2, 4) likewise (left,
    right), ``frame``, the number of the last, ``blank_label`` (C, 1, 1), a pixel of label where
    nothing is drawn, and ``is_mirrored``. A run never straddles a gap.

    If it ``has_mirrored``, items from len() to 2 len() - 1 are the same runs mirrored: pictures and
    boxes are flipped, and labels are drawn of the mirrored keypoints, for left and right have
    colours (or classes) of their own.
    """

    def __init__(
        self,
        frames_path: str | Path,
        labels_path: str | Path,
        keypoints_path: str | Path,
        frames: Sequence[int],
        *,
        length: int = 2,
        needs_face: bool = False,
        doubtful_fraction: float = 0.0,
        has_mirrored: bool = False,
        cache_mb: int = 0,
    ) -> None:
        """Choose the runs.

        Args:
            frames_path: the target's ``edn-frames`` store.
            labels_path: its labels, the same canvas.
            keypoints_path: its keypoints.
            frames: frame numbers that may be used.
            length: frames of a run (L).
            needs_face: only frames with a face.
            doubtful_fraction: part of the frames, of the most doubtful pose, that is left out.
            has_mirrored: whether there are mirrored runs, too.
            cache_mb: decoded images kept in memory, at most.

        Raises:
            ValueError: the three files do not belong together, or a label style nobody knows.
        """
        self._paths = {"image": Path(frames_path), "label": Path(labels_path)}
        self._readers: dict[tuple[int, str], FrameReader] = {}
        self._cache: dict[tuple[str, int], np.ndarray] = {}
        self._cache_left = cache_mb * 2**20
        self._keypoints = keypoints = read_keypoints(keypoints_path)
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
        self.style = find_style(self.label_style, f"{labels_path}: the label style")
        self._blank_label = _blank_label(self.style, keypoints.skeleton)
        self.face_boxes = face_boxes(keypoints, face_box_size(image_info.height))
        self.hand_boxes = hand_boxes(keypoints, hand_box_size(image_info.height))
        is_usable = (keypoints.score["body"] > 0).sum(axis=1) >= MIN_BODY_POINTS
        if needs_face:
            is_usable &= self.face_boxes[:, 0] >= 0
        usable = [frame for frame in frames if is_usable[frame]]
        allowed = set(without_doubtful(keypoints, usable, doubtful_fraction))
        if doubtful_fraction:
            LOGGER.info(
                f"{image_info.video}: {len(usable) - len(allowed)} of {len(usable)} training "
                "frames are left out: their pose is the most doubtful"
            )
        self.length, self.has_mirrored = length, has_mirrored
        self.frames = sorted(
            frame for frame in allowed if allowed.issuperset(range(frame - length + 1, frame))
        )

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.frames)

    def __getitem__(self, item: int) -> dict[str, Any]:
        """One run; from len() on, one mirrored."""
        run, is_mirrored = self.run(item)
        image = torch.stack([image_to_tensor(self._read("image", i)) for i in run])
        return {
            "label": torch.stack([self._label(i, is_mirrored) for i in run]),
            "image": image.flip(-1) if is_mirrored else image,
            **self.beside(item),
        }

    def run(self, item: int) -> tuple[list[int], bool]:
        """Frames of an item, and whether it is mirrored.

        Raises:
            IndexError: there are not so many items.
        """
        if not 0 <= item < (1 + self.has_mirrored) * len(self):
            raise IndexError(item)  # ends a loop over all runs
        frame = self.frames[item % len(self)]
        return list(range(frame - self.length + 1, frame + 1)), item >= len(self)

    def beside(self, item: int) -> dict[str, Any]:
        """All of an item but its pictures."""
        run, is_mirrored = self.run(item)
        boxes = [torch.from_numpy(one[run]).long() for one in (self.face_boxes, self.hand_boxes)]
        if is_mirrored:
            boxes = [_mirrored_boxes(one, self.size[1]) for one in boxes]
            boxes[1] = boxes[1].flip(1)  # the right hand's box is the left one's now
        return {
            "face_box": boxes[0],
            "hand_box": boxes[1],
            "frame": run[-1],
            "blank_label": self._blank_label,
            "is_mirrored": is_mirrored,
        }

    def _label(self, frame: int, is_mirrored: bool) -> torch.Tensor:
        where = f"{self._paths['label']}, frame {frame}"
        kind = "mirrored label" if is_mirrored else "label"
        return label_to_tensor(self._read(kind, frame), self.style, where)

    def _draw_mirrored(self, frame: int) -> np.ndarray:
        skeleton, (height, width) = self._keypoints.skeleton, self.size
        person = mirror_person(self._keypoints.person(frame), skeleton, width)
        thickness = self.label_config.get("thickness", LabelConfig().thickness)
        return self.style.draw(person, skeleton, (height, width), thickness)

    def decode(self, kind: str, frame: int) -> np.ndarray:
        """A picture as stored.

        Args:
            kind: ``image``, ``label`` or ``mirrored label``.
            frame: its number.

        Returns:
            (H, W, 3) uint8; an image that is to be mirrored is as it was filmed.
        """
        is_drawn = kind == "mirrored label"
        return self._draw_mirrored(frame) if is_drawn else self._reader(kind)[frame]

    def _read(self, kind: str, frame: int) -> np.ndarray:
        if (kind, frame) not in self._cache:
            image = self.decode(kind, frame)
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


def _blank_label(style: LabelStyle, skeleton: Skeleton) -> torch.Tensor:
    """(C, 1, 1): the label of nobody."""
    drawn = style.draw(missing_person(skeleton), skeleton, (8, 8), 1.0)
    return label_to_tensor(drawn, style)[:, :1, :1].clone()


def _mirrored_boxes(boxes: torch.Tensor, width: int) -> torch.Tensor:
    """Boxes (..., 4) in the mirrored picture; -1 stays."""
    x0, y0, x1, y1 = boxes.unbind(dim=-1)
    flipped = torch.stack([width - x1, y0, width - x0, y1], dim=-1)
    return torch.where(boxes[..., :1] >= 0, flipped, boxes)


def crop_faces(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Cut each item's own face box.

    Args:
        images: (B, C, H, W).
        boxes: (B, 4) x0 y0 x1 y1, squares of one size; where they are on a GPU, which is not
            waited for, that of face.face_box_size.

    Returns:
        (B, C, S, S).
    """
    if _is_on_gpu(boxes):
        return images.permute(0, 2, 3, 1)[_pixels_of(boxes, images)].permute(0, 3, 1, 2)
    return torch.stack(
        [
            image[:, y0:y1, x0:x1]
            for image, (x0, y0, x1, y1) in zip(images, boxes.tolist(), strict=True)
        ]
    )


def paste_faces(images: torch.Tensor, faces: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Put faces (B, C, S, S) into copies of images (B, C, H, W) at each item's own box."""
    faces = faces.to(images.dtype)
    if _is_on_gpu(boxes):
        inside = _pixels_of(boxes, images)
        pasted = images.permute(0, 2, 3, 1).index_put(inside, faces.permute(0, 2, 3, 1))
        return pasted.permute(0, 3, 1, 2)
    pasted = images.clone()
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        pasted[i, :, y0:y1, x0:x1] = faces[i]
    return pasted


def _is_on_gpu(boxes: torch.Tensor) -> bool:
    return isinstance(boxes, torch.Tensor) and boxes.is_cuda


def _pixels_of(boxes: torch.Tensor, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Item, row and column of the pixels in each box, to be broadcast to (B, S, S)."""
    steps = torch.arange(face_box_size(images.shape[-2]), device=boxes.device)
    item = torch.arange(len(boxes), device=boxes.device)[:, None, None]
    rows, columns = boxes[:, 1, None, None] + steps[:, None], boxes[:, 0, None, None] + steps
    return item, rows, columns
