"""A target's generator on the target's own held-out dance: the same poses, real and synthetic."""

from pathlib import Path

import torch

from edn_core.checkpoint import load_generator
from edn_core.evaluate.files import check_split
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import read_keypoints
from edn_core.logs import progress
from edn_core.render import find_style
from edn_core.split import Split
from edn_core.store import file_sha256
from edn_core.synthesize import JPEG_QUALITY, check_labels, load_networks, synthesize


def synthesize_own_dance(
    generator_path: str | Path,
    labels_path: str | Path,
    keypoints_path: str | Path,
    frames_path: str | Path,
    split: Split,
    device: torch.device,
) -> None:
    """Synthesize the held-out frames of a target from its own labels.

    Args:
        generator_path: the target's ``edn-generator`` file.
        labels_path: the target's own labels.
        keypoints_path: the keypoints they were drawn from.
        frames_path: the ``edn-frames`` store to write; its ``start_s`` says where it begins.
        split: of the target's frames.
        device: CPU or CUDA.

    Raises:
        Refused: fewer than two frames held out, or labels that do not fit the generator.
    """
    check_split(split, labels_path)
    held_out = split.test
    trained, labels = load_generator(generator_path), FrameReader(labels_path)
    check_labels(trained, labels, generator_path)
    boxes = face_boxes(read_keypoints(keypoints_path), face_box_size(trained.height))
    style = find_style(trained.label_style, f"{generator_path}: the label style")
    start_s = labels.info.start_s
    info = labels.info.replaced(
        n_frames=len(held_out),
        start_s=start_s + held_out.start / float(labels.info.fps),
        stop_s=start_s + held_out.stop / float(labels.info.fps),
        style="",
        style_config=None,
        generator_sha256=file_sha256(generator_path),
    )
    images = synthesize(
        load_networks(trained, device),
        (labels[frame] for frame in held_out),
        boxes[held_out.start : held_out.stop],
        device,
        style,
    )
    with FrameWriter(frames_path, info, "jpeg", JPEG_QUALITY) as writer:
        for image in progress(images, f"synthesize {info.video} as itself", len(held_out)):
            writer.append(image)
