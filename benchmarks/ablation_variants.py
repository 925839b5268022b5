"""What `benchmarks.ablations` trains: the variants, and one training of a stage."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from edn_core.config import (
    OPTION_STAGES,
    STAGES,
    AugmentationConfig,
    Config,
    RuntimeConfig,
    TrainingConfig,
    read_section,
    with_preset,
)
from edn_core.evaluate import EvaluationFiles, evaluate_model
from edn_core.logs import log_to
from edn_core.split import Split
from edn_core.store import file_sha256, read_json, write_json
from edn_core.training import STAGES as KNOWN_STAGES
from edn_core.training import TrainingFiles, TrainingSettings, train

PRESET = "cpu"
INPUTS = {
    "frames": "frames.zip",
    "labels": "labels.zip",
    "keypoints": "keypoints.h5",
    "window": "window.json",
    "masks": "masks.zip",
    "room": "room.png",
    "room_report": "room.json",
}
# Named although they are the defaults: the tables must keep their meaning when those change.
PLAIN: dict[str, Any] = {
    "keep": "best",
    "augmentation": AugmentationConfig(),
}


@dataclass(frozen=True)
class Variant:
    """One row of a table.

    Attributes:
        title: as the table names it.
        stages: trained one after the other; the last one's generator is measured.
        options: of TrainingConfig, over PLAIN.
        stage_options: of every stage's StageConfig, over the preset's.
        steps: of single stages, over the preset's.
        train_s: only the last so many seconds of the training part; None: all of it.
    """

    title: str
    stages: tuple[str, ...] = ("body", "temporal")
    options: Mapping[str, Any] = field(default_factory=dict)
    stage_options: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    train_s: float | None = None


def _augmented(**augmentation: Any) -> dict[str, Any]:
    return {"augmentation": AugmentationConfig(**augmentation)}


_MOVED = {"mirror": 0.5, "shift": 0.08}
BASELINE, SHORT_BASELINE = "temporal", "short"
VARIANTS = {
    "body": Variant("body, 400 steps", ("body",)),
    "body_longer": Variant("body, 800 steps", ("body",), steps={"body": 800}),
    BASELINE: Variant("body 400, temporal 200 (two frames each)"),
    "face": Variant("body, temporal, face", ("body", "temporal", "face")),
    "unweighted": Variant(
        "`person: 0`: the dancer counts as the ground", stage_options={"person": 0.0}
    ),
    "moved": Variant("`mirror: 0.5`, `shift: 0.08`", options=_augmented(**_MOVED)),
    "last_weights": Variant("`ema_decay: 0` (last weights)", stage_options={"ema_decay": 0.0}),
    "keep_last": Variant("`keep: last`", options={"keep": "last"}),
    SHORT_BASELINE: Variant("no augmentation", train_s=3.0),
    "short_moved": Variant(
        "`mirror: 0.5`, `shift: 0.08`", options=_augmented(**_MOVED), train_s=3.0
    ),
    "mirror": Variant("`mirror: 0.5`", options=_augmented(mirror=0.5)),
    "shift": Variant("`shift: 0.08`", options=_augmented(shift=0.08)),
}
"""By the name that `--only` takes, the most telling first."""


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
    """Where the target's files are, and where finished trainings are kept."""

    target: Path
    cache: Path

    def figures(self, variant: Variant, seed: int) -> Figures | None:
        """Those of a finished variant, else None."""
        results = [
            read_json(path) if path.is_file() else None for path in self._results(variant, seed)
        ]
        if any(one is None for one in results):
            return None
        found = [one for one in results if one is not None]
        return Figures(found[-1]["columns"], sum(one["cpu_s"] for one in found))

    def make(self, variant: Variant, seed: int) -> Figures:
        """Train and measure what of a variant is not there yet."""
        start: Path | None = None
        for stage, result in zip(variant.stages, self._results(variant, seed), strict=True):
            if not result.is_file():
                self._make_stage(variant, stage, seed, start, result)
            start = result.parent / "generator.safetensors"
        figures = self.figures(variant, seed)
        assert figures is not None
        return figures

    def _results(self, variant: Variant, seed: int) -> list[Path]:
        """Of each stage the file with its figures; variants that agree so far share it."""
        paths = []
        said: list[Any] = [
            PRESET,
            seed,
            variant.train_s,
            *self._digests(),
        ]
        for stage in variant.stages:
            options = {**PLAIN, **variant.options}
            options = {
                name: asdict(value) if name == "augmentation" else value
                for name, value in options.items()
                if stage in OPTION_STAGES.get(name, STAGES)
            }
            said = [*said, stage, options, dict(variant.stage_options), variant.steps.get(stage)]
            digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
            paths.append(self.cache / f"{stage}_{seed}_{digest[:12]}" / "result.json")
        return paths

    def _digests(self) -> Iterator[str]:
        for name, file in INPUTS.items():
            yield f"{name} {file_sha256(self.target / file)}"

    def _make_stage(
        self, variant: Variant, stage: str, seed: int, start: Path | None, result: Path
    ) -> None:
        folder = result.parent
        folder.mkdir(parents=True, exist_ok=True)
        log_to(folder / "log")
        torch.set_num_threads(1)
        config = read_section(Config, with_preset({}, PRESET), "")
        inputs = {name: self.target / file for name, file in INPUTS.items()}
        files = TrainingFiles(
            frames=inputs["frames"],
            labels=inputs["labels"],
            keypoints=inputs["keypoints"],
            window=inputs["window"],
            start=start,
            generator=folder / "generator.safetensors",
        )
        whole = files.read_split({"evaluation": {}, "held_out": None})
        own = replace(getattr(config.training, stage), **variant.stage_options)
        if stage in variant.steps:
            own = replace(own, steps=variant.steps[stage], epochs=None)
        training: TrainingConfig = replace(
            config.training, seed=seed, **{**PLAIN, **variant.options}
        )
        settings = TrainingSettings(
            stage=own, network=config.network, split=_shortened(whole, variant), training=training
        )
        spent = folder / "cpu_s.json"  # of earlier beginnings that were interrupted
        before = read_json(spent)["cpu_s"] if spent.is_file() else 0.0
        begun = time.process_time()
        device = torch.device("cpu")
        try:
            train(KNOWN_STAGES[stage], files, settings, RuntimeConfig(device="cpu"), device)
        finally:
            cpu_s = before + time.process_time() - begun
            write_json(spent, {"cpu_s": cpu_s})
        evaluation = EvaluationFiles(
            video=video_of(self.target),
            keypoints=files.keypoints,
            generator=files.generator,
            labels=files.labels,
            masks=inputs["masks"],
            room=inputs["room"],
            room_report=inputs["room_report"],
        )
        measured = evaluate_model(
            evaluation, whole, device, folder / "metrics.json", folder / "plot.png"
        )
        write_json(
            result,
            {
                "variant": variant.title,
                "stage": stage,
                "seed": seed,
                "cpu_s": round(cpu_s, 1),
                "columns": measured["methods"]["model"],
            },
        )


def video_of(target: Path) -> Path:
    """The video a target's folder was made from: of the demo, or among the user's own."""
    name, root = target.name, target.parent.parent.parent
    found = [root / f"results/demo/{name}.mp4", *sorted((root / "videos").glob(f"{name}.*"))]
    there = next((path for path in found if path.is_file()), None)
    if there is None:
        raise ValueError(f"{target}: its video lies neither in results/demo nor in videos/")
    return there


def _shortened(split: Split, variant: Variant) -> Split:
    """The last seconds of the training part alone (at the demo's 30 frames a second)."""
    if variant.train_s is None:
        return split
    last = split.train[-1]
    first = max(last.start, last.stop - round(variant.train_s * 30))
    return replace(split, train=(range(first, last.stop),))
