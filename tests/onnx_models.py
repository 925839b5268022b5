"""Small ONNX networks with the inputs and outputs of YOLOX and of RTMW or DWPose.

They find what was painted, so a test knows the answer: people are around the brightest spot, and
each keypoint is at the spot of its part's colour.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edn_core.skeleton import HAND_21, WHOLEBODY_133

COLOURS = {"body": (1, 0, 0), "face": (0, 1, 0), "left_hand": (0, 0, 1), "right_hand": (1, 1, 0)}
"""RGB of the spot at which the pose network puts all points of a part."""
HALF_BOX = (50.0, 80.0)
"""Half the width and height of the box that a detector puts around the spot, px of its input."""
FAINT = 24.0
"""A picture nowhere brighter than this above the padding (114) shows nobody."""


class Network(nn.Module):
    """A function as a network."""

    def __init__(self, compute: Callable[[Tensor], Tensor | tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.compute(images)


def save(path: Path, compute: Callable, size: Sequence[int], outputs: str, **about: object) -> Path:
    """Write a network for pictures of (H, W); ``outputs`` are their names."""
    images = torch.zeros(1, 3, *size)
    names = {"input_names": ["images"], "output_names": outputs.split()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old exporter says so, which takes a tenth of the time
        torch.onnx.export(Network(compute), (images,), path, dynamo=False, **names, **about)
    return path


def brightest(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the brightest pixel: 1 if it is bright, else 0; column; row; (1, 1) each."""
    grey = images.mean(dim=1)
    along_x, along_y = grey.amax(dim=1), grey.amax(dim=2)
    is_bright = along_x.amax(dim=1, keepdim=True) - 114 > FAINT
    x, y = (along.argmax(dim=1, keepdim=True).float() for along in (along_x, along_y))
    return is_bright.float(), x, y


def suppressed_detector(path: Path) -> Path:
    """As mmdeploy exports YOLOX: dets (1, N, 5), labels (1, N). Beside the spot's box a smaller one
    of another class (first) and a faint one."""
    width, height = HALF_BOX
    boxes = torch.tensor(
        [[-9, -9, 9, 9, 0.9], [-width, -height, width, height, 0.8], [-20, -20, 20, 20, 0.1]]
    )

    def compute(images: Tensor) -> tuple[Tensor, Tensor]:
        score, x, y = brightest(images)
        placed = boxes[:, :4] + torch.cat([x, y, x, y], dim=1)
        return torch.cat([placed, boxes[:, 4:] * score], dim=1)[None], torch.tensor([[1, 0, 0]])

    return save(path, compute, (640, 640), "dets labels")


def cell_detector(path: Path, values: np.ndarray) -> Path:
    """As YOLOX' own export: (1, N, 85). The given cells, as sure as the picture is bright."""
    place, sure, classes = torch.from_numpy(values).split([4, 1, 80], dim=1)

    def compute(images: Tensor) -> Tensor:
        return torch.cat([place, sure * brightest(images)[0], classes], dim=1)[None]

    return save(path, compute, (416, 416), "output")


def part_of(keypoint: str) -> str:
    """The part of COLOURS that a keypoint of WHOLEBODY_133 belongs to."""
    for side in ("left_hand", "right_hand"):
        if keypoint.startswith(side) and keypoint.removeprefix(f"{side}_") in HAND_21.keypoints:
            return side
    names = WHOLEBODY_133.keypoints
    return "body" if names.index(keypoint) < names.index("jaw_0") else "face"


def pose_network(
    path: Path, size: Sequence[int] = (384, 288), n_points: int = len(WHOLEBODY_133)
) -> Path:
    """As RTMW and DWPose: simcc_x (N, 133, 2W), simcc_y (N, 133, 2H) of a normalized RGB crop.

    Each keypoint is at the strongest pixel of its part's colour; the scores are 0..1.
    """
    # What a channel's share of a colour is worth, after (x - mean) / deviation.
    weights = torch.tensor(
        [
            [3 * on / sum(COLOURS[part_of(name)]) - 1 for on in COLOURS[part_of(name)]]
            for name in WHOLEBODY_133.keypoints[:n_points]
        ]
    )

    def compute(images: Tensor) -> tuple[Tensor, Tensor]:
        sure = torch.einsum("kc,nchw->nkhw", weights, images).sigmoid()
        along_x, along_y = sure.amax(dim=2), sure.amax(dim=3)
        return along_x.repeat_interleave(2, dim=-1), along_y.repeat_interleave(2, dim=-1)

    batch = {name: {0: "batch"} for name in ("images", "simcc_x", "simcc_y")}
    return save(path, compute, size, "simcc_x simcc_y", dynamic_axes=batch)


def write_wholebody_networks(folder: Path) -> dict[str, str]:
    """A detector and a pose network, but what is there: the settings of pose.wholebody."""
    files = {}
    for name, write in (("detector", suppressed_detector), ("pose", pose_network)):
        path = folder / f"{name}.onnx"
        files[name] = str(path if path.exists() else write(path))
    return files
