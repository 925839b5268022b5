"""Every setting: one frozen dataclass per section, with default and unit.

``config/config.yaml`` is the manual and says more of each; presets give what a machine can bear;
whatever neither names keeps the default here.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from edn_core.config.checks import printable, shown
from edn_core.config.motion import (
    CanvasConfig,
    LabelConfig,
    MatteConfig,
    NormalizationConfig,
    OpenposeConfig,
    PoseConfig,
    SmoothingConfig,
    StatisticsConfig,
    VideoConfig,
    WholebodyConfig,
    pose_of_video,
)
from edn_core.config.presets import PRESETS, merged, with_preset
from edn_core.config.reading import read_section, read_yaml
from edn_core.config.results import (
    AssemblyConfig,
    DemoConfig,
    EvaluationConfig,
    ForensicsConfig,
    ReportConfig,
    RuntimeConfig,
    SynthesisConfig,
    TransferConfig,
)
from edn_core.config.training import (
    STAGES,
    NetworkConfig,
    StageConfig,
    TrainingConfig,
    check_enhancer,
    training_options,
)


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    preset: str = "auto"  # one of PRESETS, or auto: decided once, kept in results/preset.yaml
    videos_folder: str = "videos"
    background: Literal["room", "paint"] = "room"  # paint: the whole picture, as in the paper
    transfers: tuple[TransferConfig, ...] = ()
    videos: dict[str, VideoConfig] = field(default_factory=dict)
    canvas: CanvasConfig = field(default_factory=CanvasConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)
    matte: MatteConfig = field(default_factory=MatteConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)
    labels: LabelConfig = field(default_factory=LabelConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    assembly: AssemblyConfig = field(default_factory=AssemblyConfig)
    forensics: ForensicsConfig = field(default_factory=ForensicsConfig)
    demo: DemoConfig = field(default_factory=DemoConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def __post_init__(self) -> None:
        if "enhance" in self.training.stages:
            check_enhancer(self.network)
        if self.background == "paint" and self.assembly.background != "room":
            raise ValueError(
                f"assembly.background is {self.assembly.background!r}, which needs background: "
                "room: with paint there is no outline to cut the dancer out by"
            )
        for name, video in self.videos.items():
            try:
                pose_of_video(self.pose, video)
            except ValueError as error:
                raise ValueError(f"videos.{name}: {error}") from error


def read_config(values: dict[str, Any], preset: str) -> Config:
    """The whole configuration: what the files and ``--config`` say, over what the preset says.

    Raises:
        ValueError: one line for the first thing that is wrong; an unknown key comes with the
            nearest known one.
    """
    return read_section(Config, with_preset(values, preset), "")
