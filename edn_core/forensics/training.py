"""Training the detector, and measuring it on subjects that it has never seen (paper, section 5)."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import update_bn
from torch.utils.tensorboard import SummaryWriter
from torchmetrics.functional.classification import binary_accuracy, binary_auroc

from edn_core.config import ForensicsConfig
from edn_core.forensics.crops import to_input
from edn_core.forensics.detector import Detector, save_detector
from edn_core.forensics.examples import Scored, write_examples
from edn_core.forensics.folds import plan_folds
from edn_core.forensics.pairs import Subject, couples
from edn_core.logs import LOGGER, progress
from edn_core.networks.detector import detector
from edn_core.store import write_json

SCHEMA = "edn-forensics", 1
THRESHOLD = 0.5
STATISTICS_BATCHES = 16
STEPS_BETWEEN_POINTS = 10  # of the curves in TensorBoard
LEARNED_BYTES = 512 * 2**20  # of the couples that are learned from, all subjects together
JITTER = 0.2  # of contrast, and of brightness in [-1, 1]: subjects differ in both

Images = tuple[list[np.ndarray], list[np.ndarray]]
"""A real and a synthetic pair of frames, each (H, W, 3) uint8."""


def fit_detector(
    subjects: Sequence[Subject],
    config: ForensicsConfig,
    device: torch.device,
    board: Path,
) -> Detector:
    """Train a detector.

    A step sees couples of a real and a synthetic pair of one subject, both mirrored or not, both
    equally bright, both compressed alike: neither class can be told by its subject or by how it was
    stored. Where a target dances its own dance, a couple shows the same frames.

    On a CPU the detector is the same for the same input and number of threads. TensorBoard's event
    files go into the folder ``board``.
    """
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = detector(config.channels).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, config.steps)
    chance = np.random.default_rng(config.seed)
    names = ", ".join(subject.name for subject in subjects)
    learned = [remember_couples(one, LEARNED_BYTES // len(subjects)) for one in subjects]
    curves = SummaryWriter(str(board))
    for step in progress(range(1, config.steps + 1), f"train detector on {names}"):
        dances = learned[int(chance.integers(len(learned)))]
        inputs = _draw_batch(dances, config, chance)
        labels = torch.tensor([0.0, 1.0]).repeat(len(inputs) // 2)
        logits = network(torch.from_numpy(inputs).to(device))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % STEPS_BETWEEN_POINTS == 0 or step == config.steps:
            curves.add_scalar("loss", float(loss.detach()), step)
            curves.add_scalar("learning_rate", float(schedule.get_last_lr()[0]), step)
        schedule.step()
    curves.close()
    # The running statistics lag behind the weights: without this, all scores lie on one side.
    batches = (
        torch.from_numpy(_draw_batch(dances, config, chance))
        for dances in learned * math.ceil(STATISTICS_BATCHES / len(learned))
    )
    update_bn(batches, network, device)
    sizes = [subject.real.frames.size for subject in subjects]
    return Detector(
        channels=config.channels,
        weights={name: value.cpu() for name, value in network.state_dict().items()},
        pixels=max(height * width for height, width in sizes),
        crf=round(sum(config.crf) / 2),
        threshold=THRESHOLD,
        trained_on=tuple(subject.name for subject in subjects),
    )


def remember_couples(subject: Subject, most_bytes: int) -> list[list[Images]]:
    """The couples of a subject that are learned from, evenly spread, by synthesized dance.

    They are kept in memory, ``most_bytes`` at most, so that a video is read forwards once.
    """
    height, width = subject.real.size
    found = couples(subject, max(1, most_bytes // (4 * 3 * height * width)))
    real = {
        first: [image.copy() for image in subject.real.pair(first)]
        for first in sorted({first for first, _, _ in found})
    }
    return [
        [
            (real[first], [image.copy() for image in dance.pair(number)])
            for first, of_dance, number in found
            if of_dance is dance
        ]
        for dance in dict.fromkeys(dance for _, dance, _ in found)
    ]


def _draw_batch(
    dances: Sequence[Sequence[Images]], config: ForensicsConfig, chance: np.random.Generator
) -> np.ndarray:
    """(B, 6, H, W): a real and a synthetic pair in turn."""
    inputs = []
    for _ in range(config.batch_size // 2):
        dance = dances[int(chance.integers(len(dances)))]
        both = dance[int(chance.integers(len(dance)))]
        crf = int(chance.integers(config.crf[0], config.crf[1] + 1))
        couple = np.stack([to_input(pair, crf) for pair in both])
        if chance.integers(2):
            couple = couple[..., ::-1]
        contrast = chance.uniform(1 - JITTER, 1 + JITTER)
        brightness = chance.uniform(-JITTER, JITTER)
        inputs.append((couple * contrast + brightness).clip(-1, 1).astype(np.float32))
    return np.concatenate(inputs)


def measure_detector(
    trained: Detector, subject: Subject, most: int, device: torch.device
) -> tuple[dict[str, Any], list[Scored]]:
    """How well a detector tells a subject's real pairs from its synthetic ones.

    Returns:
        The subject's entry of ``edn-forensics``, and every pair with its score; ``most`` couples.
    """
    found = couples(subject, most)
    pairs = [(subject.real, number) for number, _, _ in found]
    pairs += [(dance, number) for _, dance, number in found]
    is_synthetic = np.arange(len(pairs)) >= len(found)
    is_own = np.array([dance is subject.own for _, dance, _ in found] * 2)
    forwards = sorted(dict.fromkeys(pairs), key=lambda pair: pair[1])
    inputs = (to_input(one.pair(first), trained.crf) for one, first in forwards)
    of_pair = dict(zip(forwards, trained.score(inputs, device), strict=True))
    scores = np.array([of_pair[pair] for pair in pairs])
    entry = {
        "name": subject.name,
        "trained_on": list(trained.trained_on),
        "n_pairs": len(pairs),
        "n_own_pairs": int(is_own.sum()),
        **_measures(scores, is_synthetic),
        "auc_own": _measures(scores[is_own], is_synthetic[is_own])["auc"] if is_own.any() else None,
    }
    scored = [
        Scored(*pair, float(score), bool(side))
        for pair, score, side in zip(pairs, scores, is_synthetic, strict=True)
    ]
    return entry, scored


def _measures(scores: np.ndarray, is_synthetic: np.ndarray) -> dict[str, float]:
    """Accuracy and AUC of (N,) scores against the truth."""
    found, truth = torch.from_numpy(scores), torch.from_numpy(is_synthetic.astype(int))
    return {
        "accuracy": round(float(binary_accuracy(found, truth, THRESHOLD)), 6),
        "auc": round(float(binary_auroc(found, truth)), 6),
    }


def train_detector(
    subjects: Sequence[Subject],
    config: ForensicsConfig,
    device: torch.device,
    detector_path: str | Path,
    metrics_path: str | Path,
    examples_path: str | Path,
) -> dict[str, Any]:
    """Train and test a detector, and write it.

    Every subject to be tested is scored by a detector that has not seen it. Where each subject was
    left out in turn, the detector written has then learned from all of them. Writes
    ``edn-detector``, JSON (``edn-forensics``), which is returned, and a PNG of the most and the
    least suspicious pairs.

    Raises:
        Refused: nobody to test on, or too few frames.
    """
    protocol, folds = plan_folds(subjects, config)
    entries, examples, trained = [], list[Scored](), list[Detector]()
    board = Path(detector_path).parent / "tensorboard"
    shutil.rmtree(board, ignore_errors=True)  # of a training that was cut off: this one is anew
    for learned, tested in folds:
        name = f"without_{tested[0].name}" if len(folds) > 1 else "detector"
        trained.append(fit_detector(learned, config, device, board / name))
        for subject in tested:
            entry, scored = measure_detector(trained[-1], subject, config.pairs, device)
            entries.append(entry)
            examples += scored
            LOGGER.info(
                f"{entry['name']} ({protocol}): accuracy {entry['accuracy']:.3f}, AUC "
                f"{entry['auc']:.3f} over {entry['n_pairs']} pairs; chance is 0.5"
            )
    if len(folds) > 1:
        trained.append(fit_detector(subjects, config, device, board / "detector"))
    result = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "protocol": protocol,
        "chance": 0.5,
        "threshold": THRESHOLD,
        "mean": {
            name: round(float(np.mean([entry[name] for entry in entries])), 6)
            for name in ("accuracy", "auc")
        },
        "subjects": entries,
        "detector_trained_on": list(trained[-1].trained_on),
    }
    write_examples(examples_path, examples, protocol)
    save_detector(detector_path, trained[-1])
    write_json(metrics_path, result)
    return result
