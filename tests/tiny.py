"""A dancer of 64 x 64 px and networks of four channels: trained in a second."""

import multiprocessing
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from conftest import STANDING

from edn_core.compose import GROUND
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
from edn_core.normalize import VideoStatistics
from edn_core.render import describe_drawing, render_labels
from edn_core.skeleton import BODY_25, FACE_70, PARTS
from edn_core.split import Split, split_frames
from edn_core.window import Window, frames_info, write_window

if TYPE_CHECKING:
    from edn_core.accelerate import Acceleration
    from edn_core.dataset import FramePairs
    from edn_core.training.feed import Feed
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
# The whole picture: a video of 64 x 64 px.
WINDOW = Window("tiny", SIZE, SIZE, SIZE, SIZE, 0.0, -0.5, -0.5, 1.0)
NO_LEVELS = VideoStatistics(0, 0, 0, 0)
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
    def whole(self) -> Path:
        return self.folder / "whole.zip"  # the same with the room, without mattes

    @property
    def window(self) -> Path:
        return self.folder / "window.json"


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


def draw(
    image: np.ndarray, dancer: Keypoints, frame: int, colours=((40, 40, 160), (230, 180, 160))
):
    """The dancer into a picture: clothes, a round head."""
    points = np.round(dancer.xy["body"][frame]).astype(int)
    for first, second in BODY_25.limbs:
        ends = (tuple(points[BODY_25.index(name)].tolist()) for name in (first, second))
        cv2.line(image, *ends, colours[0], 3)
    nose = points[BODY_25.index("nose")]
    cv2.circle(image, tuple(nose.tolist()), 4, colours[1], -1)
    return image


def paint(dancer: Keypoints, frame: int) -> np.ndarray:
    """The photograph: the dancer in a room of two colours."""
    image = np.full((SIZE, SIZE, 3), (150, 120, 90), np.uint8)
    image[44:] = 60, 80, 70
    return draw(image, dancer, frame)


def cut_out(dancer: Keypoints, frame: int) -> np.ndarray:
    """The dancer alone on the ground, and his matte: (64, 64, 4)."""
    matte = draw(np.zeros((SIZE, SIZE), np.uint8), dancer, frame, (255, 255))
    ground = np.full((SIZE, SIZE, 3), round(GROUND), np.uint8)
    return np.dstack([draw(ground, dancer, frame), matte])


def first_frames(n_frames: int) -> Keypoints:
    """The dancer's first frames."""
    dancer = tiny_dancer()
    return dancer.replaced(
        xy={part: one[:n_frames] for part, one in dancer.xy.items()},
        score={part: one[:n_frames] for part, one in dancer.score.items()},
        n_people=dancer.n_people[:n_frames],
        figure_height=dancer.figure_height[:n_frames],
    )


def tiny_info(n_frames: int = N_FRAMES, **changes) -> FramesInfo:
    """Pictures that show the whole video."""
    return frames_info(WINDOW, first_frames(n_frames), NO_LEVELS).replaced(**changes)


def film(path: Path, images: list[np.ndarray], fps: int = 25) -> Path:
    """Images as a video from which they come back to the bit."""
    import av  # here: what needs a GPU runs on machines without it

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def make_target(folder: Path, dancer: Keypoints | None = None, style: str = "edn") -> TinyTarget:
    """Write all files of a target, without any network."""
    target = TinyTarget(folder, dancer or tiny_dancer())
    write_keypoints(target.keypoints, target.dancer)
    write_window(target.window, WINDOW)
    info = frames_info(WINDOW, target.dancer, NO_LEVELS)
    for path, picture, about in (
        (target.frames, cut_out, info.replaced(channels=4)),
        (target.whole, paint, info),
    ):
        with FrameWriter(path, about.replaced(codec="png" if picture is paint else "jpeg")) as one:
            for frame in range(len(target.dancer)):
                one.append(picture(tiny_dancer(), frame))
    render_labels(target.dancer, LabelConfig(style=style, thickness=3.0), target.labels, info)
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
    with_matte: bool = True,
    options: dict | None = None,
) -> Path:
    """Train a stage on one CPU thread; returns ``model``."""
    import torch

    from edn_core.training import STAGES, TrainingSettings, train

    torch.set_num_threads(1)
    files = files_of(target, start, model, with_matte)
    training = TrainingConfig(seed=seed, **(options or {}))
    settings = TrainingSettings(config, NETWORK, split, training)
    train(
        STAGES[stage], files, settings, runtime or RuntimeConfig(device="cpu"), torch.device("cpu")
    )
    return model


def files_of(target: TinyTarget, start: Path | None, model: Path, with_matte: bool = True):
    """What a training of the target reads and writes."""
    from edn_core.training import TrainingFiles

    frames = target.frames if with_matte else target.whole
    return TrainingFiles(frames, target.labels, target.keypoints, target.window, start, model)


def run_of(
    target: TinyTarget,
    name: str,
    start: Path | None = None,
    device: str = "cpu",
    acceleration: "Acceleration | None" = None,
    options: TrainingConfig | None = None,
    **changes,
) -> "Run":
    """A training before its first step."""
    import torch

    from edn_core.accelerate import PLAIN
    from edn_core.checkpoint import load_generator
    from edn_core.training import STAGES, TrainingSettings
    from edn_core.training.run import Run

    torch.set_num_threads(1)
    files = files_of(target, start, Path("model"))
    stage = replace(STAGE, **changes)
    settings = TrainingSettings(stage, NETWORK, SPLIT, options or TrainingConfig())
    return Run(
        STAGES[name],
        files,
        settings,
        load_generator(start) if start else None,
        pairs_of(target),
        torch.device(device),
        acceleration or PLAIN,
    )


def pairs_of(target: TinyTarget, frames=range(N_FRAMES), **more) -> "FramePairs":
    """All pairs of the target."""
    from edn_core.dataset import FramePairs

    return FramePairs(target.frames, target.labels, target.keypoints, frames, **more)


def feed_of(
    target: TinyTarget,
    runtime: RuntimeConfig | None = None,
    is_halved: bool = False,
    batch_size: int = 1,
    **options,
) -> "Feed":
    """Batches of all pairs of the target."""
    import torch

    from edn_core.training import TrainingSettings
    from edn_core.training.feed import Feed

    training, stage = TrainingConfig(**options), replace(STAGE, batch_size=batch_size)
    return Feed(
        pairs_of(target),
        TrainingSettings(stage, NETWORK, SPLIT, training),
        runtime or RuntimeConfig(),
        torch.device("cpu"),
        is_halved=is_halved,
    )


def batch_of(target: TinyTarget, *items: int, **more) -> dict:
    """A batch of the target's pairs."""
    return feed_of(target, **more).batch([*items])


FORKS = multiprocessing.get_context("forkserver")
"""Processes that tests stop and kill: the libraries are imported once for all of them."""
FORKS.set_forkserver_preload(["tiny", "edn_core.training"])


def train_until_stopped(target: TinyTarget, model: Path, stage: str, start, steps: int, **more):
    """What such a process does; what stopped it is left in ``said`` beside the model.

    Every step is written down and logged, so that a test sees where the training is.
    """
    from edn_core.training.guard import StoppedEarly

    runtime = RuntimeConfig(device="cpu", checkpoint_every_s=0, log_every_s=0)
    try:
        train_tiny(target, model, stage, start, replace(STAGE, steps=steps), runtime, **more)
    except StoppedEarly as stopped:
        (model.parent / "said").write_text(str(stopped))


if __name__ == "__main__":  # a process of its own: python tiny.py FOLDER_OF_TARGET MODEL
    train_until_stopped(
        TinyTarget(Path(sys.argv[1]), tiny_dancer()), Path(sys.argv[2]), "body", None, 100_000
    )
