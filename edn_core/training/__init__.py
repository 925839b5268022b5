"""Staged training: body, temporal, enhance where asked for, face (paper, sections 3.1 to 3.4).

``loop`` is what all stages share, read from top to bottom; a stage is ``build`` and ``losses``.
"""

from edn_core.training.body import BODY
from edn_core.training.distributed import own_log
from edn_core.training.enhance import ENHANCE
from edn_core.training.face import FACE
from edn_core.training.loop import run_training, train
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Stage
from edn_core.training.temporal import TEMPORAL

STAGES: dict[str, Stage] = {stage.name: stage for stage in (BODY, TEMPORAL, ENHANCE, FACE)}
"""Every training stage by its name."""
