"""Published checkpoints made into this library's files, and the other way round."""

from pathlib import Path

import torch

from edn_core.checkpoint import (
    TrainedGenerator,
    Weights,
    load_discriminator,
    load_generator,
    save_discriminator,
    save_generator,
)
from edn_core.config import LabelConfig, NetworkConfig, check_enhancer
from edn_core.errors import Refused
from edn_core.logs import LOGGER
from edn_core.networks import check_enhancer_canvas
from edn_core.published.state_dicts import (
    PublishedGenerator,
    as_discriminator,
    as_generator,
    read_published_discriminator,
    read_published_generator,
)
from edn_core.render import LABEL_STYLES, describe_drawing, label_style
from edn_core.skeleton import BODY_25, Skeleton
from edn_core.store import write_beside

CANVAS_MULTIPLE = 32  # what every store of frames is made of


def import_generator(
    path: str | Path,
    generator: str | Path,
    size: tuple[int, int],
    labels: LabelConfig,
    skeleton: Skeleton = BODY_25,
    face: str | Path | None = None,
    discriminator: str | Path | None = None,
    is_halved: bool = False,
) -> TrainedGenerator:
    """Make a published generator into a ``generator.safetensors``, which synthesize runs.

    It paints the whole picture: there is no background plate. One that takes the label alone gets
    weights of zero for the previous output, so that it paints what it did before, and counts as of
    the ``body`` stage; one that takes both as of ``temporal``; a local enhancer as of ``enhance``,
    and any of them with a face generator as of ``face``.

    Args:
        path: ``*_net_G.pth``.
        generator: the file to write.
        size: (H, W) of the canvas, px: that which it was trained on, or twice that.
        labels: style and thickness of the labels it was trained on.
        skeleton: of the body in them, which decides limbs and colours.
        face: ``*_net_Gface.pth``, or None.
        discriminator: ``*_net_D.pth``, or None; written as ``discriminator.safetensors`` beside the
            generator, where a stage that starts from this one looks for it.
        is_halved: whether a global generator was trained at half of ``size``: the ``enhance`` stage
            can then start from it.

    Returns:
        What was written.

    Raises:
        ValueError: a file that cannot be read, or sizes, labels and canvas that do not belong
            together: says what was found and what would fit. Nothing is written then.
    """
    found = read_published_generator(path)
    channels = label_style(labels).channels
    takes_previous = found.in_channels == channels + 3
    if not takes_previous and found.in_channels != channels:
        raise Refused(
            path,
            f"takes {found.in_channels} channels",
            f"{channels + 3} (a label of style {labels.style!r} and the previous output) or "
            f"{channels} (the label alone)",
            _fitting_styles(found.in_channels),
        )
    is_enhancer = found.local_residual_blocks > 0
    architecture = "enhancer" if is_enhancer else "halved" if is_halved else "global"
    stage = "enhance" if is_enhancer else "temporal" if takes_previous else "body"
    weights, face_weights = found.weights, None
    sizes = _generator_sizes(found)
    if not takes_previous:
        LOGGER.info(f"{path}: takes no previous output; its weights for one are set to zero")
        weights = _with_previous_output(weights)
    if face is not None:
        found_face = read_published_generator(face)
        if found_face.in_channels != channels + 3 or found_face.local_residual_blocks:
            raise Refused(
                face,
                f"takes {found_face.in_channels} channels",
                f"a global generator of {channels + 3}, the faces of a label of style "
                f"{labels.style!r} and of the picture",
                "give the _net_Gface.pth that was trained with this generator",
            )
        sizes |= {f"face_{name}": value for name, value in _generator_sizes(found_face).items()}
        face_weights, stage = found_face.weights, "face"
    judge_weights: Weights = {}
    if discriminator is not None:
        judge = read_published_discriminator(discriminator)
        expected = (channels + 3) * (2 if takes_previous else 1)
        # The enhance stage's has one scale more than the sizes of the network say.
        scales = judge.scales - is_enhancer
        if judge.in_channels != expected or scales < 1:
            raise Refused(
                discriminator,
                f"takes {judge.in_channels} channels at {judge.scales} scales",
                f"{expected} channels, labels and pictures of as many frames as the generator's "
                f"stage looks at, and at least {1 + is_enhancer} scales",
                "give the _net_D.pth that was trained with this generator, or none",
            )
        sizes |= {
            "discriminator_channels": judge.channels,
            "discriminator_layers": judge.layers,
            "discriminator_scales": scales,
        }
        judge_weights = judge.weights
    try:
        network = NetworkConfig(**sizes)
        _check_canvas(found.downsamplings, size)
        if architecture != "global":
            check_enhancer(network)
            check_enhancer_canvas(size, found.downsamplings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    trained = TrainedGenerator(
        stage=stage,
        network=network,
        weights=weights,
        face_weights=face_weights,
        background=None,
        label_style=labels.style,
        label_config=describe_drawing(labels, skeleton),
        label_channels=channels,
        height=size[0],
        width=size[1],
        steps=0,
        architecture=architecture,
    )
    if judge_weights:
        save_discriminator(Path(generator).with_name("discriminator.safetensors"), judge_weights)
    save_generator(generator, trained)
    return trained


def export_generator(generator: str | Path, folder: str | Path) -> list[Path]:
    """Write a ``generator.safetensors`` as ``latest_net_G.pth``, a face as ``latest_net_Gface.pth``.

    Args:
        generator: the file of a stage, trained with ``background: paint``.
        folder: where to write; made if need be.

    Returns:
        The files written.

    Raises:
        Refused: not such a file, or its generator mixes its picture with a background plate, for
            which those programs have no place. Nothing is written then.
    """
    trained = load_generator(generator)
    if trained.background is not None:
        raise Refused(
            generator,
            "was trained with a background plate: its network has a fourth output, the mask",
            "3 outputs (pix2pixHD would drop that layer and paint noise)",
            "train with `background: paint` to export",
        )
    found = as_generator(generator, trained.weights)
    files = {"latest_net_G.pth": found.weights}
    if trained.face_weights is not None:
        files["latest_net_Gface.pth"] = trained.face_weights
    halvings = 2 if trained.architecture == "halved" else 1
    options = (
        f"--label_nc {found.in_channels} --ngf {found.channels} --n_downsample_global "
        f"{found.downsamplings} --n_blocks_global {found.residual_blocks}"
    )
    if found.local_residual_blocks:
        options += f" --netG local --n_blocks_local {found.local_residual_blocks}"
    LOGGER.info(
        f"{generator}: was trained on {trained.width // halvings}x{trained.height // halvings} px "
        f"and takes labels of style {trained.label_style!r} ({trained.label_channels} channels), "
        f"then the previous output (3); pix2pixHD's options: {options}"
    )
    return [_write(Path(folder) / name, weights) for name, weights in files.items()]


def export_discriminator(discriminator: str | Path, folder: str | Path) -> Path:
    """Write a ``discriminator.safetensors`` as ``latest_net_D.pth``, a face's as ``_net_Dface.pth``.

    Args:
        discriminator: the file that training leaves beside a generator.
        folder: where to write; made if need be.

    Returns:
        The file written.

    Raises:
        Refused: no such file, or none of a discriminator.
    """
    weights = load_discriminator(discriminator)
    if weights is None:
        raise Refused(
            discriminator, "no such file", "what training leaves beside a generator.safetensors"
        )
    found = as_discriminator(discriminator, weights)
    name = "latest_net_D.pth" if found.scales else "latest_net_Dface.pth"
    return _write(Path(folder) / name, found.weights)


def _generator_sizes(found: PublishedGenerator) -> dict[str, int]:
    """The ``network`` settings of a generator."""
    sizes = {
        "generator_channels": found.channels,
        "downsamplings": found.downsamplings,
        "residual_blocks": found.residual_blocks,
    }
    if found.local_residual_blocks:
        # The settings are those of the generator inside, which has twice the enhancer's channels.
        sizes["generator_channels"] *= 2
        sizes["enhancer_residual_blocks"] = found.local_residual_blocks
    return sizes


def _check_canvas(downsamplings: int, size: tuple[int, int]) -> None:
    least = max(CANVAS_MULTIPLE, 2 * 2**downsamplings)
    for side, length in zip(("height", "width"), size, strict=True):
        if length % CANVAS_MULTIPLE or length < least:
            raise ValueError(
                f"{side} is {length}, expected a multiple of {CANVAS_MULTIPLE} and at least "
                f"{least}; give the canvas the generator was trained on"
            )


def _with_previous_output(weights: Weights) -> Weights:
    """Every first convolution with three more inputs, which count for nothing."""
    widened = dict(weights)
    for name in ("model.1.weight", "model1_1.1.weight"):
        if name in weights:
            first = weights[name]
            unused = first.new_zeros(len(first), 3, *first.shape[2:])
            widened[name] = torch.cat([first, unused], dim=1)
    return widened


def _fitting_styles(in_channels: int) -> str:
    fitting = [
        name
        for name, style in LABEL_STYLES.items()
        if in_channels in (style.channels, style.channels + 3)
    ]
    return f"give --style {' or '.join(fitting)}" if fitting else "no label style fits it"


def _write(path: Path, weights: Weights) -> Path:
    # To an open stream: given a path, torch would write its name into the bytes.
    with write_beside(path) as partial, open(partial, "wb") as stream:
        torch.save(weights, stream)
    return path
