"""Frame after frame, each fed the one before (paper, section 3.1, and its face GAN, 3.3)."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edn_core.checkpoint import TrainedGenerator, load_generator
from edn_core.dataset import crop_faces, label_to_tensor, paste_faces
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import read_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.render import LABEL_STYLES, LabelStyle, find_style

JPEG_QUALITY = 98  # the last lossy step before the video encoder


def add_faces(
    face_network: nn.Module, label: torch.Tensor, image: torch.Tensor, boxes: torch.Tensor
) -> torch.Tensor:
    """Add the face residual to each item's face box.

    Args:
        face_network: (B, C + 3, S, S) -> residual (B, 3, S, S).
        label: (B, C, H, W) in [0, 1].
        image: (B, 3, H, W) in [-1, 1].
        boxes: (B, 4) of faces, all seen.

    Returns:
        (B, 3, H, W); values may leave [-1, 1] inside the box.
    """
    crops = crop_faces(image, boxes)
    residual = face_network(torch.cat([crop_faces(label, boxes), crops], dim=1))
    return paste_faces(image, crops + residual, boxes)


@torch.no_grad()
def synthesize(
    networks: Mapping[str, nn.Module],
    labels: Iterable[np.ndarray],
    boxes: np.ndarray,
    device: torch.device,
    style: LabelStyle = LABEL_STYLES["edn"],
) -> Iterator[np.ndarray]:
    """Synthesize a sequence; the first frame is fed zeros as its previous output.

    Args:
        networks: "generator" and, if faces are to be drawn, "face_generator".
        labels: (H, W, 3) uint8 labels as stored, in order.
        boxes: (T, 4) int face boxes, -1 where no face.
        device: where the networks are.
        style: of the labels.

    Yields:
        (H, W, 3) uint8 RGB, one per label.
    """
    generator, face_network = networks["generator"], networks.get("face_generator")
    previous: torch.Tensor | None = None
    for label_image, box in zip(labels, boxes, strict=True):
        label = label_to_tensor(label_image, style)[None].to(device)
        if previous is None:
            previous = label.new_zeros(1, 3, *label.shape[2:])
        image = generator(torch.cat([label, previous], dim=1))
        if face_network is not None and box[0] >= 0:
            # Unclamped, a residual overshooting white would grow from frame to frame.
            image = add_faces(face_network, label, image, torch.from_numpy(box)[None]).clamp(-1, 1)
        previous = image
        levels = ((image[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
        yield levels.byte().cpu().numpy()


def synthesize_frames(
    generator_path: str | Path,
    labels_path: str | Path,
    keypoints_path: str | Path,
    frames_path: str | Path,
    device: torch.device,
) -> None:
    """Synthesize the frames of a transfer, streaming: memory does not grow with length.

    Args:
        generator_path: the target's ``edn-generator`` file; nothing else of the training is read.
        labels_path: labels in the target's frame.
        keypoints_path: the keypoints they were drawn from, for the face boxes.
        frames_path: the ``edn-frames`` store to write.
        device: CPU or CUDA.

    Raises:
        ValueError: the labels do not fit the generator, or the keypoints do not fit the labels.
    """
    trained = load_generator(generator_path)
    labels = FrameReader(labels_path)
    check_labels(trained, labels, generator_path)
    keypoints = read_keypoints(keypoints_path)
    if len(keypoints) != len(labels):
        raise ValueError(
            f"{keypoints_path}: {len(keypoints)} frames, but {labels_path} has {len(labels)}; "
            "they are not of one video: delete both and run again"
        )
    boxes = face_boxes(keypoints, face_box_size(trained.height))
    networks = {
        name: network.to(device).eval().requires_grad_(False)
        for name, network in trained.build().items()
    }
    if "face_generator" in networks:
        LOGGER.info(
            f"{labels.info.video}: face drawn in {(boxes[:, 0] >= 0).sum()} of {len(boxes)}"
        )
    info = labels.info.replaced(style="", style_config=None)
    with FrameWriter(frames_path, info, "jpeg", JPEG_QUALITY) as writer:
        style = find_style(trained.label_style, f"{generator_path}: the label style")
        images = synthesize(networks, (labels[i] for i in range(len(labels))), boxes, device, style)
        for image in progress(images, f"synthesize {info.video}", len(labels)):
            writer.append(image)


def check_labels(trained: TrainedGenerator, labels: FrameReader, path: str | Path) -> None:
    """Refuse labels of another canvas or style than the generator was trained on.

    Raises:
        ValueError: names both.
    """
    expected = (trained.height, trained.width, trained.label_style, trained.label_config)
    found = (labels.info.height, labels.info.width, labels.info.style, labels.info.style_config)
    if found != expected:
        raise ValueError(
            f"{labels.path}: labels are {found[0]} x {found[1]}, style {found[2]!r} {found[3]}; "
            f"{path} was trained on {expected[0]} x {expected[1]}, style {expected[2]!r} "
            f"{expected[3]}; use the same pose.backend and labels for both and run "
            f"`snakemake {labels.path}` to draw them anew"
        )
