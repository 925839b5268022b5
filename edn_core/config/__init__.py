"""Every setting: one frozen dataclass per section, with default, unit and reason.

``config/config.yaml`` is the manual for people; presets give what a machine can bear; whatever
neither names keeps the default here.
"""

from edn_core.config.checks import printable, shown
from edn_core.config.motion import (
    LabelConfig,
    NormalizationConfig,
    SmoothingConfig,
    StatisticsConfig,
)
from edn_core.config.pose import (
    OpenposeConfig,
    PoseConfig,
    WholebodyConfig,
    pose_of_video,
)
from edn_core.config.presets import (
    FORMER_PRESETS,
    PRESETS,
    unknown_preset,
    with_preset,
)
from edn_core.config.reading import (
    check_config,
    read_section,
    read_yaml,
)
from edn_core.config.results import (
    AssemblyConfig,
    DemoConfig,
    EvaluationConfig,
    ForensicsConfig,
    ReportConfig,
    SynthesisConfig,
    TransferConfig,
)
from edn_core.config.runtime import (
    RuntimeConfig,
)
from edn_core.config.training import (
    OPTION_STAGES,
    STAGES,
    VGG19_INPUTS,
    AugmentationConfig,
    NetworkConfig,
    StageConfig,
    TrainingConfig,
    check_enhancer,
    training_options,
)
from edn_core.config.videos import (
    DANCERS,
    CanvasConfig,
    VideoConfig,
)
from edn_core.config.whole import (
    Config,
)

__all__ = [
    "DANCERS",
    "FORMER_PRESETS",
    "OPTION_STAGES",
    "PRESETS",
    "STAGES",
    "VGG19_INPUTS",
    "AssemblyConfig",
    "AugmentationConfig",
    "CanvasConfig",
    "Config",
    "DemoConfig",
    "EvaluationConfig",
    "ForensicsConfig",
    "LabelConfig",
    "NetworkConfig",
    "NormalizationConfig",
    "OpenposeConfig",
    "PoseConfig",
    "ReportConfig",
    "RuntimeConfig",
    "SmoothingConfig",
    "StageConfig",
    "StatisticsConfig",
    "SynthesisConfig",
    "TrainingConfig",
    "TransferConfig",
    "VideoConfig",
    "WholebodyConfig",
    "check_config",
    "check_enhancer",
    "pose_of_video",
    "printable",
    "read_section",
    "read_yaml",
    "shown",
    "training_options",
    "unknown_preset",
    "with_preset",
]
