"""A target's generator on the target's own held-out dance: the same poses, real and synthetic."""

from pathlib import Path

import torch

from edn_core.checkpoint import load_generator
from edn_core.evaluate.files import check_split
from edn_core.face import face_boxes
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import read_keypoints
from edn_core.logs import progress
from edn_core.render import find_style
from edn_core.shadow import casting, read_shadow
from edn_core.split import Split
from edn_core.store import file_sha256
from edn_core.synthesize import (
    JPEG_QUALITY,
    check_labels,
    label_reader,
    load_networks,
    synthesize,
)
from edn_core.window import in_window


def synthesize_own_dance(
    generator_path: str | Path,
    labels_path: str | Path,
    keypoints_path: str | Path,
    frames_path: str | Path,
    split: Split,
    device: torch.device,
    room_report: str | Path | None = None,
) -> None:
    """Synthesize the held-out frames of a target from its own labels.

    Args:
        generator_path: the target's ``edn-generator`` file.
        labels_path: the target's own labels; a frame without one has no picture.
        keypoints_path: the keypoints they were drawn from.
        frames_path: the ``edn-frames`` store to write; its ``start_s`` says where it begins.
        split: of the target's frames.
        device: CPU or CUDA.
        room_report: the target's room.json, for the shadow at its feet; none: without.

    Raises:
        Refused: fewer than two frames held out, or labels that do not fit the generator.
    """
    check_split(split, labels_path)
    held_out = split.test
    trained, labels = load_generator(generator_path), FrameReader(labels_path)
    check_labels(trained, labels, generator_path)
    inside = in_window(read_keypoints(keypoints_path), labels.info)
    boxes = face_boxes(inside, trained.face_side)[held_out.start : held_out.stop]
    cast = casting(read_shadow(room_report), inside, labels.info.figure_px)
    style = find_style(trained.label_style, f"{generator_path}: the label style")
    info = labels.info.replaced(
        n_frames=len(held_out),
        start_s=labels.info.start_s + held_out.start / float(labels.info.fps),
        to_video=labels.info.to_video[held_out.start : held_out.stop],
        style="",
        style_config=None,
        generator_sha256=file_sha256(generator_path),
        codec="jpeg",
        channels=4 if trained.has_matte else 3,
    )
    pictures = synthesize(
        load_networks(trained, device), map(label_reader(labels), held_out), boxes, device, style
    )
    with FrameWriter(frames_path, info, JPEG_QUALITY) as writer:
        made = progress(pictures, f"synthesize {info.video} as itself", len(held_out))
        for frame, picture in zip(held_out, made, strict=True):
            writer.append(cast(frame, picture))
