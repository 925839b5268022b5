"""What `benchmarks.ablations` trains: the variants, and one training of one of them."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from edn_core.config import Config, RuntimeConfig, read_section, training_options, with_preset
from edn_core.evaluate import EvaluationFiles, evaluate_target
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.metrics import read_table
from edn_core.normalize import read_statistics
from edn_core.render import render_labels
from edn_core.split import read_split
from edn_core.store import file_sha256, read_json, write_json
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train
from edn_core.window import frames_info, read_window

PRESET, CPU = "cpu", torch.device("cpu")
SPLIT: dict[str, Any] = {"evaluation": {}, "held_out": None}
INPUTS = (
    *("frames.zip", "keypoints.h5", "statistics.json", "window.json"),
    *("masks.zip", "room.png", "room.json"),
)


@dataclass(frozen=True)
class Variant:
    """One row of a table.

    Attributes:
        title: as the table names it.
        settings: sections of the configuration, over the preset's.
        stages: trained one after the other; the last one's generator is measured.
    """

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ("body", "temporal")


def _in_both(**options: Any) -> dict[str, Any]:
    """Of the body's and of the temporal stage."""
    return {"training": {"body": options, "temporal": options}}


BASELINE = "temporal"
VARIANTS = {
    BASELINE: Variant("body 400 steps, temporal 200 (of two frames each)"),
    "body": Variant("body, 400 steps", stages=("body",)),
    "body_longer": Variant("body, 800 steps", {"training": {"body": {"steps": 800}}}, ("body",)),
    "face": Variant("body, temporal, face", stages=("body", "temporal", "face")),
    "person": Variant("`person: 0` (4): the dancer counts as the ground", _in_both(person=0.0)),
    "matte": Variant("`matte: 3` (10)", _in_both(matte=3.0)),
    "gan": Variant(
        "`gan: 0`, `feature_matching: 0`: L1 alone", _in_both(gan=0, feature_matching=0)
    ),
    "ema": Variant("`ema_decay: 0` (0.995): the last weights", _in_both(ema_decay=0.0)),
    "keep": Variant("`keep: last` (best)", {"training": {"keep": "last"}}),
    "thin": Variant("`labels.thickness: 1` (2)", {"labels": {"thickness": 1.0}}),
}
"""By the name that `--only` takes; in brackets the default."""


@dataclass(frozen=True)
class Figures:
    """What came out of a variant with one seed.

    Attributes:
        columns: of the evaluation on the held-out frames.
        cpu_s: of the training of all its stages, without evaluation.
    """

    columns: dict[str, float]
    cpu_s: float


@dataclass(frozen=True)
class Workplace:
    """Where a target's files are, and where finished trainings are kept."""

    target: Path
    cache: Path

    def figures(self, variant: Variant, seed: int) -> Figures | None:
        """Those of a finished variant, else None."""
        folders = self._folders(variant, seed)
        table = folders[-1] / "table.json"
        if not table.is_file():
            return None
        spent = sum(read_json(folder / "spent.json")["cpu_s"] for folder in folders)
        rows = {row["name"]: row for row in read_table(table)["rows"]}
        return Figures(rows[variant.stages[-1]], spent)

    def make(self, variant: Variant, seed: int) -> None:
        """Train and measure what of a variant is not there yet."""
        if self.figures(variant, seed):
            return
        start: Path | None = None
        for stage, folder in zip(variant.stages, self._folders(variant, seed), strict=True):
            if not (folder / "spent.json").is_file():
                self._train(variant, stage, seed, start, folder)
            start = folder / "generator.safetensors"
        self._evaluate(folder)

    def _folders(self, variant: Variant, seed: int) -> list[Path]:
        """Of each stage where it is kept; variants that agree so far share it."""
        config = _config(variant, seed)
        said: list[Any] = [file_sha256(self.target / name) for name in INPUTS]
        said += [asdict(config.labels), asdict(config.network)]
        folders = []
        for stage in variant.stages:
            options = training_options(config.training, stage)
            said += [stage, asdict(getattr(config.training, stage)), options]
            digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
            folders.append(self.cache / f"{self.target.name}_{stage}_{digest[:12]}")
        return folders

    def _train(
        self, variant: Variant, stage: str, seed: int, start: Path | None, folder: Path
    ) -> None:
        target, config = self.target, _config(variant, seed)
        folder.mkdir(parents=True, exist_ok=True)
        log_to(folder / "log")
        torch.set_num_threads(1)
        files = TrainingFiles(
            frames=target / "frames.zip",
            labels=folder / "labels.zip",
            keypoints=target / "keypoints.h5",
            window=target / "window.json",
            start=start,
            generator=folder / "generator.safetensors",
        )
        if not files.labels.is_file():
            keypoints = read_keypoints(files.keypoints)
            statistics = read_statistics(target / "statistics.json")
            info = frames_info(read_window(target / "window.json"), keypoints, statistics)
            render_labels(keypoints, config.labels, files.labels, info)
        split = read_split(len(read_keypoints(files.keypoints)), SPLIT)
        settings = TrainingSettings(
            getattr(config.training, stage), config.network, split, config.training
        )
        begun = time.process_time()
        train(STAGES[stage], files, settings, RuntimeConfig(device="cpu"), CPU)
        write_json(folder / "spent.json", {"cpu_s": time.process_time() - begun})

    def _evaluate(self, folder: Path) -> None:
        target = self.target
        evaluation = EvaluationFiles(
            video=video_of(target),
            keypoints=target / "keypoints.h5",
            labels=folder / "labels.zip",
            masks=target / "masks.zip",
            room=target / "room.png",
            room_report=target / "room.json",
        )
        split = read_split(len(read_keypoints(evaluation.keypoints)), SPLIT)
        written = folder / "table.json", folder / "plot.png"
        evaluate_target(evaluation, [folder / "generator.safetensors"], split, CPU, *written)


def _config(variant: Variant, seed: int) -> Config:
    settings = {**variant.settings}
    settings["training"] = {**settings.get("training", {}), "seed": seed}
    return read_section(Config, with_preset(settings, PRESET), "")


def video_of(target: Path) -> Path:
    """The video a target's folder was made from: of the demo, or among the user's own."""
    name, root = target.name, target.absolute().parent.parent.parent
    found = [root / f"results/demo/{name}.mp4", *sorted((root / "videos").glob(f"{name}.*"))]
    there = next((path for path in found if path.is_file()), None)
    if there is None:
        raise ValueError(f"{target}: its video lies neither in results/demo nor in videos/")
    return there
