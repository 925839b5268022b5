"""A trained detector: its file (``edn-detector``) and the scores it gives."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import edn_core
from edn_core.forensics.pairs import read_pair
from edn_core.frames import FrameReader
from edn_core.networks.claims import (
    MAX_NETWORK,
    MAX_PIXELS,
    check_numbers,
    check_tensors,
    check_weights,
)
from edn_core.networks.detector import detector
from edn_core.shortage import raise_if_short_of_memory
from edn_core.store import check_schema, remake, write_beside
from edn_core.tensor_file import check_tensor_file

SCHEMA = "edn-detector"
SCHEMA_VERSION = 1
BATCH = 16


@dataclass(frozen=True)
class Detector:
    """All that is needed to score pairs of frames.

    Attributes:
        channels: of the network's first layer.
        weights: of the network.
        pixels: size of the pictures it learned from, px; others are scaled to it.
        crf: of the H.264 that every frame goes through before it is scored.
        threshold: a pair of this score or above counts as synthetic, 0 to 1.
        trained_on: names of the subjects.
    """

    channels: int
    weights: dict[str, torch.Tensor]
    pixels: int
    crf: int
    threshold: float
    trained_on: tuple[str, ...]

    def build(self, device: torch.device) -> torch.nn.Module:
        """The network with its weights, for inference."""
        with torch.device("meta"):
            check_weights("detector", self.weights, detector(self.channels))
        network = detector(self.channels)
        network.load_state_dict(self.weights)
        return network.to(device).eval().requires_grad_(False)


def save_detector(path: str | Path, trained: Detector) -> None:
    """Write an ``edn-detector`` file, atomically; the same content gives the same bytes."""
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "channels": trained.channels,
        "weights": trained.weights,
        "pixels": trained.pixels,
        "crf": trained.crf,
        "threshold": trained.threshold,
        "trained_on": list(trained.trained_on),
        "edn_version": edn_core.__version__,
    }
    # To an open stream: given a path, torch would write its name into the bytes.
    with write_beside(path) as partial, open(partial, "wb") as stream:
        torch.save(content, stream)


def load_detector(path: str | Path) -> Detector:
    """Read an ``edn-detector`` file.

    Raises:
        ValueError: not such a file, or another version; says how to remake it.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such detector; `snakemake forensics` trains one")
    try:
        check_tensor_file(path)  # torch itself compares no checksums
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise_if_short_of_memory(error, path)
        # Not torch's text: a number for some files, for others advice to read them unsafely.
        raise ValueError(
            f"{path}: not readable as {SCHEMA} ({type(error).__name__}); give the detector.safetensors that "
            "`snakemake forensics` trains"
        ) from error
    about = content if isinstance(content, dict) else {}
    found = about.get("schema"), about.get("schema_version")
    check_schema(path, found, (SCHEMA, SCHEMA_VERSION))
    check_numbers(path, content, channels=MAX_NETWORK, pixels=MAX_PIXELS, crf=51)
    check_tensors(path, content, "weights")
    threshold, trained_on = content.get("threshold"), content.get("trained_on")
    if not isinstance(threshold, float) or not 0 <= threshold <= 1:
        raise ValueError(f"{path}: threshold is {threshold!r:.40}, expected 0 to 1; {remake(path)}")
    if not isinstance(trained_on, list | tuple) or not all(isinstance(x, str) for x in trained_on):
        raise ValueError(f"{path}: trained_on is no list of names; {remake(path)}")
    return Detector(
        channels=content["channels"],
        weights=content["weights"],
        pixels=content["pixels"],
        crf=content["crf"],
        threshold=threshold,
        trained_on=tuple(trained_on),
    )


@torch.no_grad()
def score_inputs(
    network: torch.nn.Module, inputs: Iterable[np.ndarray], device: torch.device
) -> np.ndarray:
    """How synthetic pairs look.

    Args:
        network: as Detector.build gives it.
        inputs: of each pair (6, H, W) float32 in [-1, 1], all of one size.
        device: where the network is.

    Returns:
        (N,) float32, 0: certainly real, 1: certainly synthetic.
    """
    scores: list[np.ndarray] = []
    batch: list[np.ndarray] = []

    def flush() -> None:
        if batch:
            logits = network(torch.from_numpy(np.stack(batch)).to(device))
            scores.append(logits.sigmoid().cpu().numpy())
            batch.clear()

    for one in inputs:
        batch.append(one)
        if len(batch) == BATCH:
            flush()
    flush()
    return np.concatenate(scores) if scores else np.zeros(0, np.float32)


def score_pairs(
    network: torch.nn.Module,
    pairs: Sequence[tuple[FrameReader, int]],
    crf: int,
    device: torch.device,
) -> np.ndarray:
    """score_inputs for pairs of stores: reader and number of the earlier frame."""
    inputs = (read_pair(reader, first, crf) for reader, first in pairs)
    return score_inputs(network, inputs, device)
