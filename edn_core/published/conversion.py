"""Published checkpoints made into this library's files, and the other way round."""

from pathlib import Path

import torch

from edn_core.checkpoint import (
    TrainedGenerator,
    Weights,
    core_network,
    load_discriminator,
    load_generator,
    save_discriminator,
    save_generator,
)
from edn_core.config import LabelConfig, NetworkConfig, check_enhancer
from edn_core.errors import Refused
from edn_core.face import face_box_size
from edn_core.logs import LOGGER
from edn_core.networks import check_halved_size
from edn_core.published.state_dicts import read_published_discriminator, read_published_generator
from edn_core.render import LABEL_STYLES, describe_drawing, find_style
from edn_core.skeleton import BODY_25, Skeleton
from edn_core.store import write_beside

MULTIPLE = 32  # of every window
DISCRIMINATOR = "discriminator.safetensors"  # beside a generator


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

    It paints the whole picture, room and all (``background: paint``). One that takes the label
    alone gets weights of zero for the previous output, so that it paints what it did before, and
    counts as of the ``body`` stage; one that takes both as of ``temporal``; a local enhancer as of
    ``enhance``, and any of them with a face generator as of ``face``.

    Args:
        path: ``*_net_G.pth``.
        generator: the file to write; beside it the discriminator's, for a stage that starts from
            it.
        size: (H, W) of the pictures, px: that which it was trained on, or twice that.
        labels: style and thickness of the labels it was trained on.
        skeleton: of the body in them, which decides limbs and colours.
        face: ``*_net_Gface.pth``, or None.
        discriminator: ``*_net_D.pth``, or None.
        is_halved: whether a global generator was trained at half of ``size``: the ``enhance`` stage
            can then start from it.

    Raises:
        ValueError: a file that cannot be read, or sizes, labels and pictures that do not belong
            together: says what was found and what would fit. Nothing is written then.
    """
    found = read_published_generator(path)
    channels = find_style(labels.style).channels
    takes_previous = found.in_channels == channels + 3
    if not takes_previous and found.in_channels != channels:
        raise Refused(
            path,
            f"takes {found.in_channels} channels",
            f"{channels + 3} (a label of style {labels.style!r} and the previous output) or "
            f"{channels} (the label alone)",
            f"give the --style it was trained with: {', '.join(LABEL_STYLES)}",
        )
    architecture = "enhancer" if found.is_enhancer else "halved" if is_halved else "global"
    stage = "enhance" if found.is_enhancer else "temporal" if takes_previous else "body"
    sizes, weights, face_weights, judge = found.sizes, found.weights, None, None
    if not takes_previous:
        LOGGER.info(f"{path}: takes no previous output; its weights for one are set to zero")
        weights = _with_previous_output(weights)
    if face is not None:
        stage, painter = "face", read_published_generator(face)
        if painter.in_channels != channels + 3 or painter.is_enhancer:
            expected = f"a global generator of {channels + 3}: label and picture of the face"
            remedy = "give the _net_Gface.pth that was trained with this generator"
            raise Refused(face, f"takes {painter.in_channels} channels", expected, remedy)
        sizes = sizes | {f"face_{name}": value for name, value in painter.sizes.items()}
        face_weights = painter.weights
    if discriminator is not None:
        judge = read_published_discriminator(discriminator)
        # The settings are those of the generator inside; an enhancer's judge has one scale more.
        scales, more = judge.sizes["discriminator_scales"], int(found.is_enhancer)
        taken = (channels + 3) * (2 if takes_previous else 1)
        if judge.in_channels != taken or scales < 1 + more:
            raise Refused(
                discriminator,
                f"takes {judge.in_channels} channels at {scales} scales",
                f"{taken} channels (labels and pictures of as many frames as the generator's "
                f"stage looks at) and at least {1 + more} scales",
                "give the _net_D.pth that was trained with this generator, or none",
            )
        sizes = sizes | judge.sizes | {"discriminator_scales": scales - more}
    try:
        network = NetworkConfig(**sizes)
        _check_size(network, size, architecture)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    trained = TrainedGenerator(
        stage=stage,
        network=network,
        weights=weights,
        face_weights=face_weights,
        has_matte=False,
        label_style=labels.style,
        label_config=describe_drawing(labels, skeleton),
        label_channels=channels,
        height=size[0],
        width=size[1],
        face_side=face_box_size(size[0]),
        steps=0,
        architecture=architecture,
    )
    if judge is not None:
        save_discriminator(Path(generator).with_name(DISCRIMINATOR), judge.weights)
    save_generator(generator, trained)
    return trained


def export_generator(generator: str | Path, folder: str | Path) -> list[Path]:
    """Write a ``generator.safetensors`` as ``latest_net_G.pth`` and ``latest_net_Gface.pth``.

    A ``discriminator.safetensors`` beside it goes along, as ``latest_net_D.pth`` or ``_Dface.pth``.

    Raises:
        Refused: not such a file, or its generator paints the dancer with his matte, for which those
            programs have no place. Nothing is written then.
    """
    trained = load_generator(generator)
    if trained.has_matte:
        found = "was trained with `background: room`: its network has a fourth output, the matte"
        expected = "3 outputs (pix2pixHD would drop that layer and paint noise)"
        raise Refused(generator, found, expected, "train with `background: paint` to export")
    networks = trained.build()
    files = {"latest_net_G.pth": core_network(networks["generator"]).state_dict()}
    if "face_generator" in networks:
        files["latest_net_Gface.pth"] = networks["face_generator"].state_dict()
    if judge := load_discriminator(Path(generator).with_name(DISCRIMINATOR)):
        is_face = "facemodel.0.weight" in judge
        files["latest_net_Dface.pth" if is_face else "latest_net_D.pth"] = judge
    network, halvings = trained.network, 2 if trained.architecture == "halved" else 1
    is_enhancer = trained.architecture == "enhancer"
    options = (
        f"--label_nc {trained.label_channels + 3} "
        f"--ngf {network.generator_channels // (2 if is_enhancer else 1)} "
        f"--n_downsample_global {network.downsamplings} "
        f"--n_blocks_global {network.residual_blocks}"
    )
    if is_enhancer:
        options += f" --netG local --n_blocks_local {network.enhancer_residual_blocks}"
    LOGGER.info(
        f"{generator}: was trained on {trained.width // halvings}x{trained.height // halvings} px "
        f"and takes labels of style {trained.label_style!r} ({trained.label_channels} channels), "
        f"then the previous output (3); pix2pixHD's options: {options}"
    )
    return [_write(Path(folder) / name, weights) for name, weights in files.items()]


def _check_size(network: NetworkConfig, size: tuple[int, int], architecture: str) -> None:
    least = max(MULTIPLE, 2 * 2**network.downsamplings)
    for side, length in zip(("height", "width"), size, strict=True):
        if length % MULTIPLE or length < least:
            raise ValueError(
                f"{side} is {length}, expected a multiple of {MULTIPLE} and at least "
                f"{least}; give the size of the pictures it was trained on"
            )
    if architecture != "global":
        check_enhancer(network)
        check_halved_size(size, network.downsamplings)


def _with_previous_output(weights: Weights) -> Weights:
    """Every first convolution with three more inputs, which count for nothing."""
    widened = dict(weights)
    for name in ("model.1.weight", "model1_1.1.weight"):
        if name in weights:
            first = weights[name]
            unused = first.new_zeros(len(first), 3, *first.shape[2:])
            widened[name] = torch.cat([first, unused], dim=1)
    return widened


def _write(path: Path, weights: Weights) -> Path:
    # To an open stream: given a path, torch would write its name into the bytes.
    with write_beside(path) as partial, open(partial, "wb") as stream:
        torch.save(weights, stream)
    return path
