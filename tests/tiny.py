"""A dancer of 64 x 64 px and networks of four channels: trained in a second.

Also a program, ``python tiny.py FOLDER_OF_TARGET MODEL STAGE STEPS [FIX_COARSE]``: what the tests
of interrupted trainings start and kill.
"""

import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from conftest import STANDING

from edn_core.background import build_background
from edn_core.config import (
    EvaluationConfig,
    LabelConfig,
    NetworkConfig,
    RuntimeConfig,
    StageConfig,
    TrainingConfig,
)
from edn_core.frames import FramesInfo, FrameWriter
from edn_core.keypoints import Keypoints, from_people, write_keypoints
from edn_core.render import describe_drawing, render_labels
from edn_core.skeleton import BODY_25, FACE_70, PARTS
from edn_core.split import Split, split_frames

if TYPE_CHECKING:
    from edn_core.accelerate import Acceleration
    from edn_core.training.run import Run

SIZE = 64
N_FRAMES = 24
LABEL_CONFIG = describe_drawing(LabelConfig(thickness=3.0), BODY_25)
SPLIT = split_frames(N_FRAMES, EvaluationConfig(test_fraction=0.25, validation_fraction=0.1))
NETWORK = NetworkConfig(
    generator_channels=4,
    downsamplings=1,
    residual_blocks=1,
    discriminator_channels=4,
    discriminator_scales=1,
    discriminator_layers=1,
    face_generator_channels=4,
    face_downsamplings=1,
    face_residual_blocks=1,
    face_discriminator_channels=4,
)
STAGE = StageConfig(steps=4, validations=2, learning_rate=1e-3)


@dataclass(frozen=True)
class TinyTarget:
    """A target's files, and the keypoints in them."""

    folder: Path
    dancer: Keypoints

    @property
    def frames(self) -> Path:
        return self.folder / "frames.zip"

    @property
    def labels(self) -> Path:
        return self.folder / "labels.zip"

    @property
    def keypoints(self) -> Path:
        return self.folder / "keypoints.h5"

    @property
    def background(self) -> Path:
        return self.folder / "background.png"


def tiny_dancer() -> Keypoints:
    """24 frames of a person, 54 px tall, who sways from side to side and waves an arm."""
    people = []
    for frame in range(N_FRAMES):
        body = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)
        body[BODY_25.index("left_wrist"), 1] -= 12 * (frame % 12)
        body[:, 0] = body[:, 0] * 0.18 + 14 + 12 * np.sin(frame / 4)
        body[:, 1] = body[:, 1] * 0.18 - 4
        face = np.full((len(FACE_70), 3), 0.9, np.float32)
        turn = np.arange(len(FACE_70))
        nose = body[BODY_25.index("nose"), :2]
        face[:, :2] = nose + 3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        people.append({"body": body, "face": face})
    return from_people(people, BODY_25, width=SIZE, height=SIZE, fps=Fraction(25), video="tiny")


def paint(dancer: Keypoints, frame: int) -> np.ndarray:
    """The photograph: a room of two colours, clothes, a round head."""
    image = np.full((SIZE, SIZE, 3), (150, 120, 90), np.uint8)
    image[44:] = 60, 80, 70
    points = np.round(dancer.xy["body"][frame]).astype(int)
    for first, second in BODY_25.limbs:
        ends = (tuple(points[BODY_25.index(name)].tolist()) for name in (first, second))
        cv2.line(image, *ends, (40, 40, 160), 3)
    nose = points[BODY_25.index("nose")]
    cv2.circle(image, tuple(nose.tolist()), 4, (230, 180, 160), -1)
    return image


def frames_info(n_frames: int = N_FRAMES) -> FramesInfo:
    """A canvas of 64 x 64 without padding."""
    return FramesInfo("tiny", n_frames, Fraction(25), SIZE, SIZE, SIZE, SIZE, 1.0, (0, 0))


def make_target(folder: Path, dancer: Keypoints | None = None, style: str = "edn") -> TinyTarget:
    """Write all files of a target, without any network."""
    target = TinyTarget(folder, dancer or tiny_dancer())
    write_keypoints(target.keypoints, target.dancer)
    with FrameWriter(target.frames, frames_info(len(target.dancer)), "png") as writer:
        for frame in range(len(target.dancer)):
            writer.append(paint(tiny_dancer(), frame))
    render_labels(target.dancer, LabelConfig(style=style, thickness=3.0), target.labels)
    build_background(target.frames, target.dancer, SPLIT.train_frames, target.background)
    return target


def without(dancer: Keypoints, frames: list[int], parts: tuple[str, ...] = PARTS) -> Keypoints:
    """A copy in which these parts were not found in these frames."""
    xy = {part: values.copy() for part, values in dancer.xy.items()}
    score = {part: values.copy() for part, values in dancer.score.items()}
    for part in parts:
        xy[part][frames] = np.nan
        score[part][frames] = 0
    return replace(dancer, xy=xy, score=score)


def train_tiny(
    target: TinyTarget,
    model: Path,
    stage: str = "body",
    start: Path | None = None,
    config: StageConfig = STAGE,
    runtime: RuntimeConfig | None = None,
    split: Split = SPLIT,
    seed: int = 0,
    with_plate: bool = True,
    is_halved: bool = False,
    fix_coarse: float = 0.0,
) -> Path:
    """Train a stage on one CPU thread; returns ``model``."""
    import torch

    from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train

    torch.set_num_threads(1)
    plate = target.background if with_plate else None
    files = TrainingFiles(target.frames, target.labels, target.keypoints, plate, start, model)
    training = TrainingConfig(seed=seed, fix_coarse=fix_coarse)
    settings = TrainingSettings(config, NETWORK, split, training, is_halved)
    train(
        STAGES[stage], files, settings, runtime or RuntimeConfig(device="cpu"), torch.device("cpu")
    )
    return model


def run_of(
    target: TinyTarget,
    name: str,
    start: Path | None = None,
    is_halved: bool = False,
    fix_coarse: float = 0.0,
    device: str = "cpu",
    acceleration: "Acceleration | None" = None,
    **changes,
) -> "Run":
    """A training before its first step."""
    import torch

    from edn_core.accelerate import PLAIN
    from edn_core.checkpoint import load_generator
    from edn_core.training import STAGES, TrainingFiles, TrainingSettings
    from edn_core.training.run import Run

    torch.set_num_threads(1)
    files = TrainingFiles(
        target.frames, target.labels, target.keypoints, target.background, start, Path("model.pt")
    )
    training = TrainingConfig(fix_coarse=fix_coarse)
    settings = TrainingSettings(replace(STAGE, **changes), NETWORK, SPLIT, training, is_halved)
    previous = load_generator(start) if start else None
    return Run(
        STAGES[name],
        files,
        settings,
        previous,
        (SIZE, SIZE),
        ("edn", LABEL_CONFIG),
        torch.device(device),
        acceleration or PLAIN,
    )


def batch_of(target: TinyTarget, *items: int) -> dict:
    """A batch of the target's pairs."""
    from torch.utils.data import default_collate

    from edn_core.dataset import FrameSequences

    pairs = FrameSequences(target.frames, target.labels, target.keypoints, range(N_FRAMES))
    return default_collate([pairs[i] for i in items])


if __name__ == "__main__":
    folder, model, stage, steps, *more = sys.argv[1:]
    start = Path(model).parent.parent / "start" / "generator.safetensors"
    train_tiny(
        TinyTarget(Path(folder), tiny_dancer()),
        Path(model),
        stage,
        start if start.is_file() else None,
        replace(STAGE, steps=int(steps)),
        # Every step is written down and logged, so that a test sees where the training is.
        RuntimeConfig(device="cpu", checkpoint_every_s=0, log_every_s=0),
        fix_coarse=float(more[0]) if more else 0.0,
    )
