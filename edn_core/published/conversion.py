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
from edn_core.logs import LOGGER
from edn_core.networks import check_enhancer_canvas
from edn_core.published.state_dicts import (
    PublishedDiscriminator,
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
    architecture = "enhancer" if found.enhancers else "halved" if is_halved else "global"
    _check_canvas(found, size, architecture)
    sizes = _network_settings(found, "")
    weights, face_weights, stage = found.weights, None, "temporal"
    is_of_pairs = found.in_channels != channels
    if not is_of_pairs:
        LOGGER.info(f"{path}: takes no previous output; its weights for one are set to zero")
        weights, stage = _with_previous_output(weights), "body"
    elif found.in_channels != channels + 3:
        raise ValueError(
            f"{path}: takes {found.in_channels} channels, expected {channels + 3} (a label of "
            f"style {labels.style!r} and the previous output) or {channels} (the label alone); "
            f"{_fitting_styles(found.in_channels)}"
        )
    if architecture == "enhancer":
        stage = "enhance"
    if face is not None:
        found_face = read_published_generator(face)
        sizes |= _network_settings(found_face, "face_")
        if found_face.in_channels != channels + 3:
            raise ValueError(
                f"{face}: takes {found_face.in_channels} channels, expected {channels + 3} (the "
                f"faces of a label of style {labels.style!r} and of the picture); give the "
                "_net_Gface.pth that was trained with this generator"
            )
        face_weights, stage = found_face.weights, "face"
    judge = None
    if discriminator is not None:
        judge = read_published_discriminator(discriminator)
        expected = (channels + 3) * (2 if is_of_pairs else 1)
        sizes |= _discriminator_settings(judge, expected, found.enhancers)
    try:
        network = NetworkConfig(**sizes)
        if architecture != "global":
            check_enhancer(network)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; networks of this size cannot be used here") from error
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
    if judge is not None:
        save_discriminator(Path(generator).with_name("discriminator.safetensors"), judge.weights)
    save_generator(generator, trained)
    return trained


def export_generator(generator: str | Path, folder: str | Path) -> list[Path]:
    """Write a ``generator.safetensors`` as ``latest_net_G.pth`` and, with a face, ``latest_net_Gface.pth``.

    Args:
        generator: the file of a stage, trained with ``background: paint``.
        folder: where to write; made if need be.

    Returns:
        The files written.

    Raises:
        ValueError: not such a file, or its generator mixes its picture with a background plate,
            for which those programs have no place. Nothing is written then.
    """
    trained = load_generator(generator)
    if trained.background is not None:
        raise ValueError(
            f"{generator}: was trained with a background plate: its network has a fourth output, "
            "the mask, expected 3 outputs; pix2pixHD would drop that layer and paint noise. Train "
            "with `background: paint` to export"
        )
    found = as_generator(generator, trained.weights)
    files = {"latest_net_G.pth": found.weights}
    if trained.face_weights is not None:
        found_face = as_generator(generator, trained.face_weights)
        files["latest_net_Gface.pth"] = found_face.weights
    halvings = 2 if trained.architecture == "halved" else 1
    LOGGER.info(
        f"{generator}: {found}; it was trained on {trained.width // halvings}x"
        f"{trained.height // halvings} px and takes labels of style {trained.label_style!r} "
        f"({trained.label_channels} channels), then the previous output (3); pix2pixHD's options: "
        f"{_options(found)}"
    )
    return [_write(Path(folder) / name, weights) for name, weights in files.items()]


def export_discriminator(discriminator: str | Path, folder: str | Path) -> Path:
    """Write a ``discriminator.safetensors`` as ``latest_net_D.pth``, that of a face as ``_net_Dface.pth``.

    Args:
        discriminator: the file that training leaves beside a generator.
        folder: where to write; made if need be.

    Returns:
        The file written.

    Raises:
        ValueError: no such file, or none of a discriminator.
    """
    weights = load_discriminator(discriminator)
    if weights is None:
        raise ValueError(
            f"{discriminator}: no such file; training leaves it beside the generator.safetensors of a stage"
        )
    found = as_discriminator(discriminator, weights)
    LOGGER.info(f"{discriminator}: {found}")
    name = "latest_net_D.pth" if found.scales else "latest_net_Dface.pth"
    return _write(Path(folder) / name, found.weights)


def _options(found: PublishedGenerator) -> str:
    """What pix2pixHD has to be told of the sizes."""
    options = [f"--label_nc {found.in_channels}", f"--ngf {found.channels}"]
    options += [f"--n_downsample_global {found.downsamplings}"]
    options += [f"--n_blocks_global {found.residual_blocks}"]
    if found.enhancers:
        options += [f"--netG local --n_local_enhancers {found.enhancers}"]
        options += [f"--n_blocks_local {found.local_residual_blocks}"]
    return " ".join(options)


def _check_canvas(found: PublishedGenerator, size: tuple[int, int], architecture: str) -> None:
    least = max(CANVAS_MULTIPLE, 2 * 2**found.downsamplings)
    if architecture != "global":
        try:
            check_enhancer_canvas(size, found.downsamplings)
        except ValueError as error:
            raise ValueError(f"{found.path}: {error}") from error
    for side, length in zip(("height", "width"), size, strict=True):
        if length % CANVAS_MULTIPLE or length < least:
            raise ValueError(
                f"{side} is {length}, expected a multiple of {CANVAS_MULTIPLE} and at least "
                f"{least} for {found.path}; give the canvas the generator was trained on"
            )


def _network_settings(found: PublishedGenerator, of: str) -> dict[str, int]:
    """The ``network`` settings of a generator, those of the face with ``of`` in front."""
    if found.enhancers > (0 if of else 1):
        raise ValueError(
            f"{found.path}: is {found}, expected "
            + ("a global generator alone" if of else "at most one enhancer")
            + "; give the _net_G.pth of the stage before, which was trained at half this size"
        )
    if found.out_channels != 3:
        raise ValueError(
            f"{found.path}: paints {found.out_channels} channels, expected 3 (red, green, blue); "
            "give a generator of pictures"
        )
    # The settings are those of the generator inside, which has twice the enhancer's channels.
    sizes = {
        f"{of}generator_channels": found.channels * 2**found.enhancers,
        f"{of}downsamplings": found.downsamplings,
        f"{of}residual_blocks": found.residual_blocks,
    }
    if found.enhancers:
        sizes["enhancer_residual_blocks"] = found.local_residual_blocks
    return sizes


def _discriminator_settings(
    found: PublishedDiscriminator, in_channels: int, enhancers: int
) -> dict[str, int]:
    if not found.scales or found.in_channels != in_channels:
        raise ValueError(
            f"{found.path}: is {found}, expected one of pictures that takes {in_channels} "
            "channels, labels and pictures of as many frames as the generator's stage looks at; "
            "give the _net_D.pth that was trained with this generator"
        )
    if found.scales <= enhancers:
        raise ValueError(
            f"{found.path}: is {found}, expected at least {enhancers + 1} scales: a local enhancer "
            "is trained with one more than the generator inside it; give the _net_D.pth that was "
            "trained with this generator, or none"
        )
    return {
        "discriminator_channels": found.channels,
        "discriminator_layers": found.layers,
        "discriminator_scales": found.scales - enhancers,
    }


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
