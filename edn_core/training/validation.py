"""The validation slice, which chooses the checkpoint that is kept."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from edn_core.band import BAND, dancer_band
from edn_core.face import face_boxes, face_side
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.metrics import region_mean, ssim_map
from edn_core.render import find_style
from edn_core.synthesize import synthesize
from edn_core.training.settings import TrainingFiles
from edn_core.window import in_window

VALIDATION_FRAMES = 64  # a longer slice ranks checkpoints no better and costs time


class Validation:
    """The validation slice: how like the truth are the frames synthesized for it?"""

    def __init__(self, files: TrainingFiles, frames: range, needs_face: bool) -> None:
        self._images, self._labels = FrameReader(files.frames), FrameReader(files.labels)
        self.frames = frames[:VALIDATION_FRAMES]
        self._style = find_style(self._labels.info.style, f"{files.labels}: the label style")
        info = self._images.info
        keypoints = in_window(read_keypoints(files.keypoints), info)
        self._boxes = face_boxes(keypoints, face_side(info))
        self._masks = {}
        for frame in self.frames:
            if not (self._images.has(frame) and self._labels.has(frame)):
                continue
            if info.channels == 4:
                mask = self._images[frame][..., 3] > 127
            else:
                person = keypoints.person(frame)
                mask = dancer_band(person, keypoints.skeleton, info.size, BAND * info.height)
            if needs_face:
                mask = np.zeros_like(mask)
                x0, y0, x1, y1 = self._boxes[frame]
                mask[max(y0, 0) : y1, max(x0, 0) : x1] = x0 >= 0
            if mask.any():
                self._masks[frame] = mask

    def score(
        self, networks: Mapping[str, nn.Module], device: torch.device
    ) -> tuple[float | None, np.ndarray | None]:
        """Mean SSIM in the person's (or face's) region, and a picture: label, output, truth.

        None, None where the slice shows nobody.
        """
        if not self._masks:
            return None, None
        labels = map(self._labels.get, self.frames)
        boxes = self._boxes[self.frames]
        outputs = synthesize(networks, labels, boxes, device, self._style)
        scores, picture = [], None
        for frame, output in zip(self.frames, outputs, strict=True):
            if frame in self._masks and output is not None:
                truth, output = self._images[frame][..., :3], output[..., :3]
                scores.append(region_mean(ssim_map(output, truth), self._masks[frame]))
                label = self._style.to_picture(self._labels[frame])
                picture = np.concatenate([label, output, truth], axis=1)
        return float(np.mean(scores)), picture
