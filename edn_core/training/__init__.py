"""Staged training: body, then temporal, then face (paper, sections 3.1 to 3.3)."""

from edn_core.training.body import BODY
from edn_core.training.face import FACE
from edn_core.training.loop import train
from edn_core.training.run import TrainingFiles, TrainingSettings
from edn_core.training.stage import Stage
from edn_core.training.temporal import TEMPORAL

STAGES: dict[str, Stage] = {stage.name: stage for stage in (BODY, TEMPORAL, FACE)}

__all__ = ["STAGES", "Stage", "TrainingFiles", "TrainingSettings", "train"]
