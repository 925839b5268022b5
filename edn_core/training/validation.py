"""The validation slice, which chooses the checkpoint that is kept."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from edn_core.band import BAND, dancer_band
from edn_core.dataset import check_label, labels_to_tensor
from edn_core.face import face_boxes, face_side
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.metrics import ssim_map
from edn_core.metrics.motion import backward_flow
from edn_core.render import find_style
from edn_core.synthesize import face_arguments, synthesize_step, to_levels
from edn_core.training.settings import TrainingFiles
from edn_core.window import in_window

VALIDATION_FRAMES = 64  # a longer slice ranks checkpoints no better and costs time
FLICKER = 4.0
"""Weight against likeness: it decides where SSIM differs by 0.01 or less (docs/training.md)."""


def checks_of(total: int, most: int, passes: int) -> set[int]:
    """The steps of ``total`` after which the slice is validated: the last, and others in between.

    At most so many, and with the start no more than ``passes`` that a tenth of the time pays for.
    """
    n_checks = max(1, min(most, passes - 1))
    return {round((i + 1) * total / n_checks) for i in range(n_checks)}


class Score(NamedTuple):
    """How good the frames of the slice are, in the person's (or face's) region."""

    ssim: float  # likeness: mean SSIM
    flicker: float  # mean flow warping error less the true frames' own, 0 to 1

    @property
    def value(self) -> float:
        """What checkpoints are ranked by: nothing is gained by flickering less than the truth."""
        return self.ssim - FLICKER * max(0.0, self.flicker)


class _Frame(NamedTuple):
    """One of the slice, on the device; a region lists its pixels as a picture's (H * W)."""

    label: torch.Tensor  # (1, H, W, 3) uint8
    truth: torch.Tensor  # (H, W, 3) uint8
    region: torch.Tensor  # that counts; empty where the person (or face) is not
    seen: torch.Tensor  # what of it was seen in the frame before
    places: torch.Tensor  # and where: (1, 1, N, 2), of the picture's width and height -1 to 1


class Validation:
    """The validation slice on a device: how like the truth are the frames synthesized for it?"""

    def __init__(
        self, files: TrainingFiles, frames: range, needs_face: bool, device: torch.device
    ) -> None:
        images, labels = FrameReader(files.frames), FrameReader(files.labels)
        self._style = find_style(labels.info.style, f"{files.labels}: the label style")
        info, self._device = images.info, device
        keypoints = in_window(read_keypoints(files.keypoints), info)
        frames = frames[:VALIDATION_FRAMES]
        self._boxes = face_boxes(keypoints, face_side(info))[frames]
        self._frames: list[_Frame | None] = []
        before = None
        for frame, box in zip(frames, self._boxes, strict=True):
            label, image = labels.get(frame), images.get(frame)
            if label is None or image is None:
                self._frames.append(None)
                before = None
                continue
            check_label(label, self._style, f"{files.labels}, frame {frame}")
            if needs_face:
                mask = np.zeros(info.size, bool)
                x0, y0, x1, y1 = np.maximum(box, 0)
                mask[y0:y1, x0:x1] = True
            elif info.channels == 4:
                mask = image[..., 3] > 127
            else:
                person = keypoints.person(frame)
                mask = dancer_band(person, keypoints.skeleton, info.size, BAND * info.height)
            truth, flow, seen = image[..., :3], np.zeros((*info.size, 2)), np.zeros_like(mask)
            if before is not None:
                flow, seen = backward_flow(before, truth)
            before, seen = truth, seen & mask
            places = (np.argwhere(seen)[:, ::-1] + flow[seen]) / (info.width - 1, info.height - 1)
            grid = (2 * places[None, None] - 1).astype(np.float32)
            parts = label[None], truth, np.flatnonzero(mask), np.flatnonzero(seen), grid
            tensors = (torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in parts)
            self._frames.append(_Frame._make(tensors))

    def __len__(self) -> int:
        """Number of frames that are synthesized."""
        return sum(one is not None for one in self._frames)

    @torch.no_grad()
    def score(self, networks: Mapping[str, nn.Module]) -> tuple[Score | None, np.ndarray | None]:
        """The score of networks on the device, and a picture: label, output, truth.

        None, None where the slice shows nobody.
        """
        likeness, flicker, picture = [], [], None
        before = previous = None
        for frame, box in zip(self._frames, self._boxes, strict=True):
            if frame is None:
                before = previous = None
                continue
            label = labels_to_tensor(frame.label, self._style)
            if previous is None:
                previous = label.new_zeros(1, 3, *label.shape[2:])
            face = face_arguments(box[None], self._device)
            output = synthesize_step(networks, label, previous, *face)
            previous = output[:, :3]
            levels = to_levels(output)[0, :3].permute(1, 2, 0).contiguous()
            if len(frame.region):
                similar = _similarity(levels, frame.truth).flatten()
                likeness.append(similar[frame.region].mean())
                picture = levels, frame
            if before is not None and len(frame.seen):
                pairs = (before[1], frame.truth), (before[0], levels)
                true, own = (_warping_error(*pair, frame) for pair in pairs)
                flicker.append(own - true)
            before = levels, frame.truth
        if picture is None:
            return None, None
        levels, frame = picture
        label = torch.from_numpy(self._style.to_picture(frame.label[0].cpu().numpy()))
        shown = torch.cat([label, levels.cpu(), frame.truth.cpu()], dim=1).numpy()
        means = [float(torch.stack(one).mean()) if one else 0.0 for one in (likeness, flicker)]
        return Score(*means), shown


def _similarity(output: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """As metrics.ssim_map, of pictures on the device where they are."""
    if not output.is_cuda:
        return torch.from_numpy(ssim_map(output.numpy(), truth.numpy()))
    return _similarity_on_device(output, truth)


def _similarity_on_device(output: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    # Written out: torchmetrics takes seconds to load, and differs by up to 0.04 in a pixel.
    x, y = (one.permute(2, 0, 1).float() for one in (output, truth))
    mean = partial(F.avg_pool2d, kernel_size=7, stride=1, padding=3, count_include_pad=False)
    mean_x, mean_y = mean(x), mean(y)
    # Of a sample of 49, as scikit-image has it.
    var_x, var_y = (49 / 48 * (mean(one * one) - m * m) for one, m in ((x, mean_x), (y, mean_y)))
    covariance = 49 / 48 * (mean(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (var_x + var_y + c2)).mean(0)


def _warping_error(before: torch.Tensor, picture: torch.Tensor, frame: _Frame) -> torch.Tensor:
    """As metrics.motion.flow_warping_error, in the frame's region."""
    planes = before.permute(2, 0, 1)[None].float()
    moved = F.grid_sample(planes, frame.places, align_corners=True)[0, :, 0].T
    return (picture.flatten(0, 1)[frame.seen] - moved).abs().mean() / 255
