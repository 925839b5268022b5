"""What a stage begins with: checked, so that nothing is trained that would not fit later.

Body and temporal are trained at half the window, as pix2pixHD's global generator is (section 3.1);
its local enhancer and the face networks see the whole.
"""

import torch

from edn_core.checkpoint import TrainedGenerator, load_discriminator
from edn_core.dataset import FramePairs
from edn_core.errors import Refused
from edn_core.networks import check_halved_size
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

    Refused: labels or pictures of another kind than the stage before was trained on, a window that
    cannot be halved so often, or a generator to start from that was trained at another size.
    """
    label, origin = (pairs.label_style, pairs.label_config), files.start or "start"
    if previous is not None and (previous.label_style, previous.label_config) != label:
        was = f"was trained on labels of style {previous.label_style!r} {previous.label_config}"
        found = f"{was}, {files.labels} is of {label[0]!r} {label[1]}"
        raise Refused(origin, found, "", "train the stage before anew on these labels")
    try:
        check_halved_size(pairs.size, settings.network.downsamplings)
    except ValueError as error:
        raise Refused(files.frames, str(error), "", "canvas.pixels decides the window") from error
    if stage.architecture and previous is not None and previous.architecture != "halved":
        found = f"holds a generator of architecture {previous.architecture!r}"
        expected = f"'halved', of half the window, from which the {stage.name} stage starts"
        remedy = "train the stage before anew, or import a published one with --halved"
        raise Refused(origin, found, expected, remedy)
    if previous is not None and (previous.height, previous.width) != pairs.size:
        found = f"paints {previous.height} x {previous.width} (H x W)"
        expected = f"{pairs.size[0]} x {pairs.size[1]} as in {files.frames}"
        raise Refused(origin, found, expected, "train the stage before anew")
    beside = files.start.parent / "discriminator.safetensors" if files.start else None
    return Start(
        network=settings.network,
        label_channels=pairs.style.channels,
        has_matte=pairs.has_matte,
        previous=previous,
        discriminator=load_discriminator(beside) if beside else None,
        seed=torch.Generator().manual_seed(settings.training.seed),
    )
