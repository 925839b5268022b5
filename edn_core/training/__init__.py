"""Staged training: body, temporal, enhance where asked for, face (paper, sections 3.1 to 3.4)."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edn_core.training.launch import run_training
    from edn_core.training.loop import train
    from edn_core.training.settings import TrainingFiles, TrainingSettings
    from edn_core.training.stage import Stage
    from edn_core.training.stages import STAGES

__all__ = ["STAGES", "Stage", "TrainingFiles", "TrainingSettings", "run_training", "train"]

_HOMES = {
    "STAGES": "stages",
    "Stage": "stage",
    "TrainingFiles": "settings",
    "TrainingSettings": "settings",
    "run_training": "launch",
    "train": "loop",
}


def __getattr__(name: str) -> Any:
    # When asked for: benchmarks.gpu takes single modules, where little besides torch is installed.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
