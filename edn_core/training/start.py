"""What a stage begins with: checked, so that nothing is trained that would not fit later.

With ``enhance`` among the stages, those before it are trained at half the window (pix2pixHD,
section 3.1).
"""

import torch

from edn_core.checkpoint import TrainedGenerator, load_discriminator
from edn_core.dataset import FramePairs
from edn_core.errors import Refused
from edn_core.networks import check_enhancer_size
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Stage, Start


def start_of(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    previous: TrainedGenerator | None,
    pairs: FramePairs,
) -> Start:
    """What the stage's networks are built from.

    Args:
        stage: what is to be trained.
        files: of the target.
        settings: of the training.
        previous: the generator of the stage before, or None.
        pairs: what it is to be trained on.

    Raises:
        Refused: labels or pictures of another kind than the stage before was trained on, a window
            that the local enhancer cannot paint, or a generator to start from that was trained at
            the other size.
    """
    label = pairs.label_style, pairs.label_config
    if previous is not None and (previous.label_style, previous.label_config) != label:
        raise Refused(
            files.start or "start",
            f"was trained on labels of style {previous.label_style!r} {previous.label_config}, "
            f"{files.labels} is of {label[0]!r} {label[1]}",
            "",
            "train the stage before anew on these labels",
        )
    _check_halving(stage, settings, files, previous, pairs.size)
    if previous is not None and (previous.height, previous.width) != pairs.size:
        found = f"paints {previous.height} x {previous.width} (H x W)"
        expected = f"{pairs.size[0]} x {pairs.size[1]} as in {files.frames}"
        raise Refused(files.start or "start", found, expected, "train the stage before anew")
    beside = files.start.parent / "discriminator.safetensors" if files.start else None
    return Start(
        network=settings.network,
        label_channels=pairs.style.channels,
        has_matte=pairs.has_matte,
        previous=previous,
        discriminator=load_discriminator(beside) if beside else None,
        seed=torch.Generator().manual_seed(settings.training.seed),
    )


def _check_halving(
    stage: Stage,
    settings: TrainingSettings,
    files: TrainingFiles,
    previous: TrainedGenerator | None,
    size: tuple[int, int],
) -> None:
    """Refuse, before anything is trained, what would not fit the enhance stage later."""
    is_enhanced = settings.is_halved or stage.architecture == "enhancer"
    if is_enhanced:
        try:
            check_enhancer_size(size, settings.network.downsamplings)
        except ValueError as error:
            remedy = "canvas.pixels decides the window"
            raise Refused(files.frames, str(error), "", remedy) from error
    expected = ["halved" if is_enhanced else "global"]
    if stage.architecture is None:
        expected = ["global", "enhancer"]
    if previous is not None and previous.architecture not in expected:
        raise Refused(
            files.start or "start",
            f"holds a generator of architecture {previous.architecture!r}, the {stage.name} stage "
            f"starts from {' or '.join(expected)}",
            "",
            "with `enhance` in training.stages body and temporal are trained at half the window "
            "(halved), without at the whole (global): train the stage before anew",
        )
