"""Checkpoints: the generator file people keep (``edn-generator``) and the state to resume from.

All are safetensors (``tensors``).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import edn_core
from edn_core.config import NetworkConfig, read_section
from edn_core.errors import Refused
from edn_core.networks import (
    ARCHITECTURES,
    HalvedGenerator,
    MattedGenerator,
    face_generator,
)
from edn_core.store import file_sha256
from edn_core.tensors import read_tensors, write_tensors

GENERATOR = "edn-generator", 4
DISCRIMINATOR = "edn-discriminator", 1
STATE = "edn-training-state", 1

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class TrainedGenerator:
    """All that is needed to synthesize a person."""

    stage: str  # the training stage that wrote it
    network: NetworkConfig  # sizes of the networks
    weights: Weights  # generator, pix2pixHD's state-dict keys
    face_weights: Weights | None  # face generator; None before the face stage or without any face
    has_matte: bool  # whether it paints the dancer alone, with his matte; else the whole picture
    label_style: str  # style of the labels it understands
    label_config: dict[str, Any]  # what else their drawing depends on: thickness, skeleton
    label_channels: int  # their channels
    height: int  # of the window, px
    width: int  # likewise
    face_side: int  # of the face boxes, px
    steps: int  # optimizer steps of its stage when it was kept
    architecture: str = "global"  # a key of networks.ARCHITECTURES
    window: dict[str, Any] | None = None  # where in a video (a Window); None: not known

    def build(self) -> dict[str, nn.Module]:
        """The networks with their weights: "generator" and, if trained, "face_generator".

        Whatever the architecture, the generator reads and paints the whole window. RuntimeError:
        the weights are not those of the networks that the settings describe.
        """
        make = ARCHITECTURES[self.architecture]
        networks = {"generator": make(self.network, self.label_channels, self.has_matte)}
        core_network(networks["generator"]).load_state_dict(self.weights)
        if self.face_weights is not None:
            networks["face_generator"] = face_generator(self.label_channels, self.network)
            networks["face_generator"].load_state_dict(self.face_weights)
        return networks

    def build_trained(self) -> nn.Module:
        """The generator with its weights at the size it was trained at: the stage after goes on."""
        generator = self.build()["generator"]
        return generator.network if isinstance(generator, HalvedGenerator) else generator


def core_network(module: nn.Module) -> nn.Module:
    """The network inside the wrappers for a matte and for half the window, or itself."""
    while isinstance(module, MattedGenerator | HalvedGenerator):
        module = module.network
    return module


def save_generator(path: str | Path, trained: TrainedGenerator) -> None:
    """Write an ``edn-generator`` file, atomically; the same content gives the same bytes."""
    tensors = {f"generator/{name}": one for name, one in trained.weights.items()}
    for name, one in (trained.face_weights or {}).items():
        tensors[f"face_generator/{name}"] = one
    description = asdict(replace(trained, weights={}, face_weights=None))
    del description["weights"], description["face_weights"]
    description["edn_version"] = edn_core.__version__
    write_tensors(path, GENERATOR, description, tensors)


def load_generator(path: str | Path) -> TrainedGenerator:
    """Read an ``edn-generator`` file; Refused if it is none, damaged, or of another version."""
    if not Path(path).is_file():
        raise Refused(path, "no such file", "", f"run `snakemake {path}` to train it")
    with open(path, "rb") as stream:
        if stream.read(2) == b"PK":  # torch.save's: hours of training shall not be deleted
            command = f"`python -m edn_core.published convert {path} generator.safetensors`"
            raise Refused(path, "is of a release before 0.5", "", f"bring it over: {command}")
    description, tensors = read_tensors(path, GENERATOR)
    del description["edn_version"]
    network = read_section(NetworkConfig, description.pop("network"), f"{path}: network")
    weights: dict[str, Weights] = {"generator": {}, "face_generator": {}}
    for name, tensor in tensors.items():
        whose, _, key = name.partition("/")
        weights[whose][key] = tensor
    face = weights["face_generator"] or None
    return TrainedGenerator(
        network=network, weights=weights["generator"], face_weights=face, **description
    )


def save_discriminator(path: str | Path, weights: Weights) -> None:
    """Write a discriminator's weights beside its generator; the next stage starts from them."""
    write_tensors(path, DISCRIMINATOR, {}, weights)


def load_discriminator(path: str | Path) -> Weights | None:
    """A discriminator's weights; None where there is no file, or none in it; Refused if damaged."""
    if not Path(path).is_file():
        return None
    # Alone it would not come back: the stage after would begin with a new one.
    generator = Path(path).with_name("generator.safetensors")
    remedy = f"delete it and {generator} and run `snakemake {generator}` to train both anew"
    return read_tensors(path, DISCRIMINATOR, remedy)[1] or None


def state_key(settings: dict[str, Any], inputs: Sequence[str | Path]) -> str:
    """What a resumable training is made of: settings that change the weights, and input files.

    The settings are JSON-able; SHA-256 as hexadecimal text.
    """
    parts = [json.dumps(settings, sort_keys=True), *(file_sha256(path) for path in inputs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def save_state(path: str | Path, key: str, description: dict[str, Any], tensors: Weights) -> None:
    """Write the state to resume from, atomically.

    ``key`` is state_key's, ``description`` all of the state that is no tensor, JSON-able.
    """
    write_tensors(path, STATE, {"key": key, **description}, tensors)


def load_state(path: str | Path, key: str) -> tuple[dict[str, Any], Weights] | None:
    """Read the state to resume from: description and tensors; Refused if damaged.

    None where there is no file, or where it belongs to other settings or inputs: a changed setting
    must never go on from an old run.
    """
    if not Path(path).is_file():
        return None
    remedy = "delete it and run the command again: this stage begins anew"
    description, tensors = read_tensors(path, STATE, remedy)
    return (description, tensors) if description.pop("key") == key else None
