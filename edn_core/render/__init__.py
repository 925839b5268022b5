"""Labels: the figure the generator reads, drawn from keypoints. One module per style."""

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edn_core import REVISIONS
from edn_core.config import LabelConfig
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.keypoints import Keypoints, Person
from edn_core.logs import progress
from edn_core.render.palettes import PALETTES
from edn_core.render.stick_figure import draw_stick_figure
from edn_core.render.styles import LABEL_STYLES, LabelStyle, find_style
from edn_core.skeleton import Skeleton
from edn_core.window import Window, in_window

STANDING = 0.65  # of the picture's height: a dancer from ankle to head, with room about him


def describe_drawing(config: LabelConfig, skeleton: Skeleton) -> dict[str, Any]:
    """All that changes the drawing: a generator understands only the labels it was trained on."""
    drawing = dataclasses.asdict(config)
    return drawing | {"skeleton": skeleton.name, "revision": REVISIONS["labels"]}


def line_width(thickness: float, info: FramesInfo | Window) -> float:
    """Thickness as the styles take it, by the picture's height: it goes with the figure's size.

    A figure that fills STANDING of the picture, as in whole pictures of a dancer, gets what is
    asked for.
    """
    return thickness * info.figure_px / (STANDING * info.height) if info.figure_px else thickness


def render_labels(
    keypoints: Keypoints, config: LabelConfig, path: str | Path, info: FramesInfo
) -> None:
    """Draw the label of every frame into an ``edn-frames`` store (png, lossless).

    Args:
        keypoints: of a target, or of a source that was moved into its video; px of that video.
        config: style and thickness.
        path: the store to write.
        info: where the window lies in each frame. In a window that follows the dancer, a frame
            without him has no label.
    """
    draw, size = find_style(config.style).draw, info.size
    drawing = describe_drawing(config, keypoints.skeleton)
    info = info.replaced(style=config.style, style_config=drawing, codec="png")
    placed, thickness = in_window(keypoints, info), line_width(config.thickness, info)
    seen = keypoints.is_seen | (info.figure_px == 0)
    with FrameWriter(path, info) as writer:
        for frame in progress(range(len(placed)), f"labels {keypoints.video}"):
            person = placed.person(frame)
            writer.append(draw(person, placed.skeleton, size, thickness) if seen[frame] else None)


def draw_label(
    labels: FrameReader, frame: int, to_frame: np.ndarray, paper: np.ndarray
) -> np.ndarray:
    """A label as people look at it, at its place in a picture: (H, W, 3) uint8.

    A label that is not there leaves the paper, (H, W, 3) uint8, as it is. ``to_frame`` is (2, 3),
    px of the label -> px of the picture.
    """
    if not labels.has(frame):
        return paper
    label = find_style(labels.info.style, f"{labels.path}: the style").to_picture(labels[frame])
    ink = (label < 250).any(axis=2).astype(np.uint8) * 255
    size = paper.shape[1::-1]
    colours = cv2.warpAffine(label, to_frame, size, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(ink, to_frame, size)[..., None] / 255
    result: np.ndarray = (share * colours + (1 - share) * paper).round().astype(np.uint8)
    return result
