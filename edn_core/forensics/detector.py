"""A trained detector: its file (``edn-detector``) and the scores it gives."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

import edn_core
from edn_core.errors import Refused
from edn_core.networks.detector import detector
from edn_core.tensors import read_tensors, write_tensors

SCHEMA = "edn-detector", 2
BATCH = 16


@dataclass(frozen=True)
class Detector:
    """All that is needed to score pairs of frames."""

    channels: int  # of the network's first layer
    weights: dict[str, torch.Tensor]
    pixels: int  # of the frames whose crops it learned from; others are halved to about that
    crf: int  # of the H.264 that every frame goes through before it is scored
    threshold: float  # a pair of this score or above counts as synthetic, 0 to 1
    trained_on: tuple[str, ...]  # names of the subjects

    @torch.inference_mode()
    def score(self, pairs: Iterable[np.ndarray], device: torch.device) -> np.ndarray:
        """How synthetic pairs look.

        Args:
            pairs: each (6, H, W) float32 in [-1, 1], all of one size.
            device: CPU or CUDA.

        Returns:
            (N,) float32, 0: certainly real, 1: certainly synthetic.
        """
        network = detector(self.channels)
        network.load_state_dict(self.weights)
        network.to(device).eval()
        scores, waiting = [np.zeros(0, np.float32)], iter(pairs)
        while batch := list(islice(waiting, BATCH)):
            logits = network(torch.from_numpy(np.stack(batch)).to(device))
            scores.append(logits.sigmoid().cpu().numpy())
        return np.concatenate(scores)


def save_detector(path: str | Path, trained: Detector) -> None:
    """Write an ``edn-detector`` file, atomically; the same content gives the same bytes."""
    description = {**vars(trained), "edn_version": edn_core.__version__}
    del description["weights"]
    write_tensors(path, SCHEMA, description, trained.weights)


def load_detector(path: str | Path) -> Detector:
    """Read an ``edn-detector`` file.

    Raises:
        Refused: no such file, damaged, or another version; says how to remake it.
    """
    if not Path(path).is_file():
        raise Refused(path, "no such detector", "", "`snakemake forensics` trains one")
    about, weights = read_tensors(path, SCHEMA)
    del about["edn_version"]
    return Detector(weights=weights, **about | {"trained_on": tuple(about["trained_on"])})
