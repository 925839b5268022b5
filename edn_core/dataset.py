"""What training sees: pairs of consecutive frames with their labels and face boxes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edn_core.errors import Refused
from edn_core.face import face_boxes, face_side
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.render import LabelStyle, find_style
from edn_core.window import in_window

MIN_BODY_POINTS = 8  # fewer, and the label does not say what the body does
FADING = 0.15  # of a face crop's side, over which what the face network changes fades


def label_to_tensor(label: np.ndarray, style: LabelStyle) -> torch.Tensor:
    """A stored label (H, W, 3) uint8 as the networks read it: (C, H, W) float32 in [0, 1].

    The colours, or the classes one-hot; Refused for a class that the style does not have.
    """
    check_label(label, style, "label")
    return labels_to_tensor(torch.from_numpy(label)[None], style)[0]


def labels_to_tensor(labels: torch.Tensor, style: LabelStyle) -> torch.Tensor:
    """Stored labels (N, H, W, 3) uint8 -> (N, C, H, W) float32 in [0, 1], on their device."""
    channels_first = labels.permute(0, 3, 1, 2).contiguous()
    if not style.is_index:
        return channels_first.float().div_(255)
    classes = torch.arange(style.channels, dtype=torch.uint8, device=labels.device)
    return (channels_first[:, :1] == classes[:, None, None]).float()


def images_to_tensor(images: torch.Tensor) -> torch.Tensor:
    """Stored images (N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32 in [-1, 1], on their device.

    The grey ground of a matted picture, compose.GROUND, becomes 0.
    """
    return images.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def check_label(label: np.ndarray, style: LabelStyle, where: str) -> None:
    """Refuse a label (H, W, 3) uint8 that holds a class its style does not have."""
    if style.is_index and int(label[..., 0].max()) >= style.channels:
        found, expected = f"holds class {int(label[..., 0].max())}", f"0 to {style.channels - 1}"
        remedy = "it was not drawn in this label style: delete the labels and run again"
        raise Refused(where, found, expected, remedy)


class FramePairs:
    """Pairs of consecutive frames in which the dancer was found; none straddles a gap."""

    def __init__(
        self,
        frames_path: str | Path,
        labels_path: str | Path,
        keypoints_path: str | Path,
        frames: Sequence[int],
        needs_face: bool = False,
    ) -> None:
        """Choose the pairs among the frames that may be used; ``needs_face``: that show a face.

        Refused: the three files do not belong together, or a label style nobody knows.
        """
        self._stores = {"image": FrameReader(frames_path), "label": FrameReader(labels_path)}
        self._labels_path = labels_path
        filmed = read_keypoints(keypoints_path)
        self.info, labels = (self._stores[kind].info for kind in ("image", "label"))
        expected = self.info.n_frames, self.info.height, self.info.width
        of_keypoints = len(filmed), filmed.height, filmed.width
        for path, one, other in (
            (labels_path, (labels.n_frames, labels.height, labels.width), expected),
            (keypoints_path, of_keypoints, (expected[0], *self.info.clip.size)),
        ):
            if one != other:
                found = f"has (frames, height, width) {one}, {frames_path} asks for {other}"
                remedy = "they are not of one video: delete both and run again"
                raise Refused(path, found, "", remedy)
        keypoints = in_window(filmed, self.info)
        self.size = self.info.size  # (H, W), px
        self.has_matte = self.info.channels == 4  # the dancer alone
        # Name of the labels' style, and what else their drawing depends on.
        self.label_style, self.label_config = labels.style, labels.style_config or {}
        self.style = find_style(self.label_style, f"{labels_path}: the label style")
        self.face_side = face_side(self.info)
        self._face_boxes = face_boxes(keypoints, self.face_side)
        is_usable = (keypoints.score["body"] > 0).sum(axis=1) >= MIN_BODY_POINTS
        if needs_face:
            is_usable &= self._face_boxes[:, 0] >= 0
        usable = {
            frame for frame in frames if is_usable[frame] and self._stores["image"].has(frame)
        }
        # Number of each pair's second frame.
        self.frames = sorted(frame for frame in usable if frame - 1 in usable)
        used = {one for frame in self.frames for one in (frame - 1, frame)}
        # Whether a window lies partly outside of the video.
        self.reaches_out = self.has_matte and any(
            not lines.all() for frame in used for lines in self._filmed_lines(frame)
        )

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.frames)

    def pair(self, item: int) -> tuple[int, int]:
        """The two frames of an item."""
        return self.frames[item] - 1, self.frames[item]

    def face_boxes(self, item: int) -> torch.Tensor:
        """(2, 4) int64 x0 y0 x1 y1, half-open, each of its own frame; -1 where no face."""
        return torch.from_numpy(self._face_boxes[[*self.pair(item)]]).long()

    def decode(self, kind: str, frame: int) -> np.ndarray:
        """A picture as stored, (H, W, C) uint8; may be called from several threads.

        Its kind is ``image`` (with its matte, if it has one), ``label`` or ``filmed``: 1 where the
        window lies inside the video, else 0.
        """
        if kind == "filmed":
            rows, columns = self._filmed_lines(frame)
            return (rows[:, None] & columns)[..., None].astype(np.uint8)
        picture = self._stores[kind][frame]
        if kind == "label":
            check_label(picture, self.style, f"{self._labels_path}, frame {frame}")
        return picture

    def _filmed_lines(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Which rows and columns of the window lie inside the video: (H,) and (W,) bool."""
        (height, width), (rows, columns) = self.info.clip.size, self.size
        to_video = self.info.to_video[frame]
        y = to_video[1, 1] * np.arange(rows) + to_video[1, 2]
        x = to_video[0, 0] * np.arange(columns) + to_video[0, 2]
        return (y > -0.5) & (y < height - 0.5), (x > -0.5) & (x < width - 0.5)


def crop_faces(images: torch.Tensor, boxes: torch.Tensor, side: int) -> torch.Tensor:
    """Cut each item's own face box, by index: a GPU is not waited for.

    Images (B, C, H, W), boxes (B, 4) x0 y0 x1 y1 inside them and on their device, of S px a side ->
    (B, C, S, S).
    """
    crops = images.permute(0, 2, 3, 1)[_pixels_of(boxes, side)]
    return crops.permute(0, 3, 1, 2).contiguous()


def face_share(mattes: torch.Tensor, boxes: torch.Tensor, side: int) -> torch.Tensor:
    """How much of each pixel of the face crops a face network may change.

    The mattes (B, 1, H, W), as around the head stays the ground, fading towards the crop's edge,
    which else is seen across the chest: (B, 1, S, S) in [0, 1].
    """
    steps = torch.arange(side, device=mattes.device, dtype=mattes.dtype) + 0.5
    fading = (torch.minimum(steps, side - steps) / (FADING * side)).clamp(max=1)
    return crop_faces(mattes, boxes, side) * fading * fading[:, None]


def paste_faces(images: torch.Tensor, faces: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Put faces (B, C, S, S) into copies of images (B, C, H, W) at each item's own box."""
    inside, values = _pixels_of(boxes, faces.shape[-1]), faces.to(images.dtype)
    pasted = images.permute(0, 2, 3, 1).index_put(inside, values.permute(0, 2, 3, 1))
    return pasted.permute(0, 3, 1, 2).contiguous()


def _pixels_of(boxes: torch.Tensor, side: int) -> tuple[torch.Tensor, ...]:
    """Item, row and column of the pixels in each box, to be broadcast to (B, S, S)."""
    steps = torch.arange(side, device=boxes.device)
    item = torch.arange(len(boxes), device=boxes.device)[:, None, None]
    rows, columns = boxes[:, 1, None, None] + steps[:, None], boxes[:, 0, None, None] + steps
    return item, rows, columns
