"""Every training stage by its name."""

from edn_core.training.body import BODY
from edn_core.training.enhance import ENHANCE
from edn_core.training.face import FACE
from edn_core.training.stage import Stage
from edn_core.training.temporal import TEMPORAL

STAGES: dict[str, Stage] = {stage.name: stage for stage in (BODY, TEMPORAL, ENHANCE, FACE)}
