"""Checkpoints: the generator file people keep (``edn-generator``) and the state to resume from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import edn_core
from edn_core.store import check_schema, remake, write_beside
from edn_core.config import NetworkConfig, read_section
from edn_core.frames import file_sha256
from edn_core.networks import (
    ARCHITECTURES,
    HalvedGenerator,
    PlatedGenerator,
    face_generator,
)
from edn_core.networks.claims import check_generator_claims, check_weights
from edn_core.shortage import raise_if_short_of_memory
from edn_core.tensor_file import check_tensor_file, describe_error

SCHEMA = "edn-generator"
SCHEMA_VERSION = 2

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class TrainedGenerator:
    """All that is needed to synthesize a person.

    Attributes:
        stage: the training stage that wrote it.
        network: sizes of the networks.
        weights: generator, pix2pixHD's state-dict keys.
        face_weights: face generator, or None before the face stage or without any face.
        background: plate (H, W, 3) uint8 and seen (H, W) bool, or None.
        label_style: style of the labels it understands.
        label_config: what else their drawing depends on: thickness, skeleton.
        label_channels: their channels.
        height: canvas, px.
        width: canvas, px.
        steps: optimizer steps of its stage when it was kept.
        architecture: of the generator, a key of networks.ARCHITECTURES: ``global``; ``halved``,
            that is global at half the canvas; or ``enhancer``.
    """

    stage: str
    network: NetworkConfig
    weights: Weights
    face_weights: Weights | None
    background: tuple[np.ndarray, np.ndarray] | None
    label_style: str
    label_config: dict[str, Any]
    label_channels: int
    height: int
    width: int
    steps: int
    architecture: str = "global"

    def build(self) -> dict[str, nn.Module]:
        """The networks with their weights: "generator" and, if trained, "face_generator".

        Whatever the architecture, the generator reads and paints the whole canvas.

        Raises:
            ValueError: the weights are not those of the networks that the settings describe.
        """
        # First without memory for the values: a stranger's settings can ask for any amount.
        with torch.device("meta"):
            networks = self.build_untrained()
        check_weights("generator", self.weights, core_network(networks["generator"]))
        if self.face_weights is not None:
            check_weights("face generator", self.face_weights, networks["face_generator"])
        networks = self.build_untrained()
        core_network(networks["generator"]).load_state_dict(self.weights)
        if self.face_weights is not None:
            networks["face_generator"].load_state_dict(self.face_weights)
        return networks

    def build_untrained(self) -> dict[str, nn.Module]:
        """The networks as `build` gives them, before their weights are put in."""
        make = ARCHITECTURES[self.architecture]
        background = background_tensors(self.background)
        networks: dict[str, nn.Module] = {
            "generator": make(self.network, self.label_channels, background)
        }
        if self.face_weights is not None:
            networks["face_generator"] = face_generator(self.label_channels, self.network)
        return networks

    def build_trained(self) -> nn.Module:
        """The generator with its weights at the size it was trained at: the stage after goes on."""
        generator = self.build()["generator"]
        return generator.network if isinstance(generator, HalvedGenerator) else generator


def background_tensors(
    background: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Plate (H, W, 3) uint8, seen (H, W) bool -> (3, H, W) in [-1, 1], (1, H, W) in {0, 1}."""
    if background is None:
        return None
    plate, seen = background
    return torch.from_numpy(plate).permute(2, 0, 1) / 127.5 - 1, torch.from_numpy(seen)[
        None
    ].float()


def core_network(module: nn.Module) -> nn.Module:
    """The network inside the wrappers for a background and for half the canvas, or itself."""
    while isinstance(module, PlatedGenerator | HalvedGenerator):
        module = module.network
    return module


def save_generator(path: str | Path, trained: TrainedGenerator) -> None:
    """Write an ``edn-generator`` file, atomically; the same content gives the same bytes."""
    background = None
    if trained.background is not None:
        plate, seen = trained.background
        background = {"plate": torch.from_numpy(plate), "seen": torch.from_numpy(seen)}
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "stage": trained.stage,
        "network": asdict(trained.network),
        "weights": trained.weights,
        "face_weights": trained.face_weights,
        "background": background,
        "label_style": trained.label_style,
        "label_config": trained.label_config,
        "label_channels": trained.label_channels,
        "height": trained.height,
        "width": trained.width,
        "steps": trained.steps,
        "architecture": trained.architecture,
        "edn_version": edn_core.__version__,
    }
    _save(path, content)


def load_generator(path: str | Path) -> TrainedGenerator:
    """Read an ``edn-generator`` file; one of version 1 holds a global generator.

    Raises:
        ValueError: not such a file, or another version; says how to remake it.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; run `snakemake {path}` to train it")
    content = _load(path, remake(path))
    found = content.get("schema"), content.get("schema_version")
    if type(found[1]) is int and found == (SCHEMA, 1):  # there was no other architecture
        content["architecture"], found = "global", (SCHEMA, SCHEMA_VERSION)
    check_schema(path, found, (SCHEMA, SCHEMA_VERSION))
    architecture = content.get("architecture")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ValueError(
            f"{path}: holds a generator of architecture {architecture!r:.40}; known: "
            f"{', '.join(ARCHITECTURES)}; delete it and run `snakemake {path}` to write it anew"
        )
    check_generator_claims(path, content)
    background = content["background"]
    if background is not None:
        background = (background["plate"].numpy(), background["seen"].numpy())
    return TrainedGenerator(
        stage=content["stage"],
        network=read_section(NetworkConfig, content["network"], f"{path}: network"),
        weights=content["weights"],
        face_weights=content["face_weights"],
        background=background,
        label_style=content["label_style"],
        label_config=content["label_config"],
        label_channels=content["label_channels"],
        height=content["height"],
        width=content["width"],
        steps=content["steps"],
        architecture=architecture,
    )


def save_discriminator(path: str | Path, weights: Weights) -> None:
    """Write a discriminator's weights beside its generator; the next stage starts from them."""
    _save(path, {"weights": weights})


def load_discriminator(path: str | Path) -> Weights | None:
    """Read a discriminator's weights; None where the file is not there, or holds none.

    Raises:
        ValueError: the file is damaged; says how to remake it.
    """
    path = Path(path)
    if not path.is_file():
        return None
    try:
        return _load(path)["weights"] or None
    except (KeyError, ValueError) as error:
        # Alone it would not come back: the stage after would begin with a new one.
        generator = path.with_name("generator.safetensors")
        raise ValueError(
            f"{path}: the discriminator is damaged; delete it and {generator} and run "
            f"`snakemake {generator}` to train both anew"
        ) from error


def state_key(settings: dict[str, Any], inputs: Sequence[str | Path]) -> str:
    """What a resumable training is made of: settings that change the weights, and input files.

    Args:
        settings: JSON-able.
        inputs: files.

    Returns:
        SHA-256 as hexadecimal text.
    """
    parts = [json.dumps(settings, sort_keys=True), *(file_sha256(path) for path in inputs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def save_state(path: str | Path, key: str, state: dict[str, Any]) -> None:
    """Write the state to resume from, atomically."""
    _save(path, {"key": key, **state})


def load_state(path: str | Path, key: str) -> dict[str, Any] | None:
    """Read the state to resume from.

    Returns:
        None where there is none, or where it belongs to other settings or inputs: a changed
        setting must never go on from an old run.

    Raises:
        ValueError: the file is damaged.
    """
    if not Path(path).is_file():
        return None
    state = _load(path)
    return state if state.pop("key", None) == key else None


def _save(path: str | Path, content: dict[str, Any]) -> None:
    # To an open stream: given a path, torch would write its name into the bytes.
    with write_beside(path) as partial, open(partial, "wb") as stream:
        torch.save(content, stream)


def _load(path: str | Path, remedy: str = "delete it and run the command again") -> dict[str, Any]:
    try:
        check_tensor_file(path)  # torch itself compares no checksums
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise_if_short_of_memory(error, path)
        raise ValueError(
            f"{path}: not readable as a checkpoint ({describe_error(path, error)}); if a stage "
            f"wrote it, it is damaged: {remedy}; else it is another kind of file"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a checkpoint, found {type(content).__name__}")
    return content
