"""From a generator, labels and keypoints to a store of frames; memory does not grow with length."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from edn_core.accelerate import PLAIN, Acceleration, accelerated_for_inference
from edn_core.checkpoint import TrainedGenerator, load_generator
from edn_core.config import SynthesisConfig
from edn_core.face import face_boxes
from edn_core.frames import FrameReader, FrameWriter, Members
from edn_core.keypoints import read_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.render import find_style
from edn_core.shadow import casting, read_shadow
from edn_core.store import file_sha256
from edn_core.synthesize.recurrence import cut_into_pieces, synthesize_pieces
from edn_core.threads import in_order
from edn_core.tidy import tidying
from edn_core.window import in_window

JPEG_QUALITY = 98  # the last lossy step before the video encoder
ONE_AFTER_ANOTHER = SynthesisConfig()


def synthesize_frames(
    generator_path: str | Path,
    labels_path: str | Path,
    keypoints_path: str | Path,
    frames_path: str | Path,
    device: torch.device,
    config: SynthesisConfig = ONE_AFTER_ANOTHER,
    acceleration: Acceleration = PLAIN,
    room_report: str | Path | None = None,
    held_out: range | None = None,
    threads: int = 1,
) -> None:
    """Synthesize the frames of a transfer, or of the target's own dance.

    Args:
        generator_path: the target's ``edn-generator`` file; nothing else of the training is read.
        labels_path: labels in the target's window; a frame without one gets no picture.
        keypoints_path: the keypoints they were drawn from, for the face boxes.
        frames_path: the ``edn-frames`` store to write; its ``start_s`` says where it begins.
        device: CPU or CUDA.
        config: pieces synthesized side by side, their warm-up, and the precision.
        acceleration: what is compiled and recorded; changes no more than rounding.
        room_report: the target's room.json, for the shadow at its feet; none: without.
        held_out: frames of the target itself, the only ones synthesized; None: all of a transfer.
        threads: that read labels, and as many that encode pictures; the store is the same.

    Raises:
        ValueError: the labels do not fit the generator, or the device does not have the precision.
    """
    trained, labels = load_generator(generator_path), FrameReader(labels_path)
    check_labels(trained, labels, generator_path)
    asked = range(len(labels)) if held_out is None else held_out
    part = slice(asked.start, asked.stop)
    placed = in_window(read_keypoints(keypoints_path), labels.info)
    boxes = face_boxes(placed, trained.face_side)[part]
    tidy = tidying(placed, labels.info.figure_px)
    cast = casting(read_shadow(room_report), placed, labels.info.figure_px)
    pieces = cut_into_pieces(len(asked), config.chunks, config.warm_up_frames)
    work = len(pieces), pieces[0].stop
    networks = load_networks(trained, device, acceleration, config.precision, work)
    if "face_generator" in networks:
        LOGGER.info(
            f"{labels.info.video}: face drawn in {(boxes[:, 0] >= 0).sum()} of {len(boxes)}"
        )
    info = labels.info.replaced(
        n_frames=len(asked),
        start_s=labels.info.start_s + asked.start / float(labels.info.fps),
        to_video=labels.info.to_video[part],
        style="",
        style_config=None,
        generator_sha256=file_sha256(generator_path),
        codec="jpeg",
        channels=4 if trained.has_matte else 3,
    )
    style = find_style(trained.label_style, f"{generator_path}: the label style")
    if len(pieces) > 1:
        LOGGER.info(
            f"{info.video}: {len(pieces)} pieces side by side, warm-up of "
            f"{config.warm_up_frames} frames"
        )
    made = synthesize_pieces(
        networks, lambda number: labels.get(asked[number]), boxes, pieces, device, style, threads
    )
    what = f"synthesize {info.video}" + ("" if held_out is None else " as itself")
    with FrameWriter(frames_path, info, JPEG_QUALITY) as writer:

        def encode(one: tuple[int, np.ndarray | None]) -> Members:
            number = asked[one[0]]
            return writer.encode(one[0], cast(number, tidy(number, one[1])))

        for members in in_order(encode, progress(made, what, len(asked)), threads):
            writer.add(members)


def load_networks(
    trained: TrainedGenerator,
    device: torch.device,
    acceleration: Acceleration = PLAIN,
    precision: str = "float32",
    work: tuple[int, int] = (1, 0),
) -> dict[str, nn.Module]:
    """The networks of a trained generator on a device, for inference alone.

    ``work``: frames at once, and how often; compiling may pay for many.

    Raises:
        ValueError: the device does not have the precision.
    """
    networks = {
        name: network.to(device).eval().requires_grad_(False)
        for name, network in trained.build().items()
    }
    shape = (work[0], trained.label_channels + 3, trained.height, trained.width)
    return accelerated_for_inference(networks, device, acceleration, precision, shape, work[1])


def check_labels(trained: TrainedGenerator, labels: FrameReader, path: str | Path) -> None:
    """Refuse labels of another window or style than the generator was trained on.

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
