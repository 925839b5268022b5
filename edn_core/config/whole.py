"""The whole configuration."""

from dataclasses import dataclass, field

from edn_core.config.checks import check_choice
from edn_core.config.motion import (
    LabelConfig,
    NormalizationConfig,
    SmoothingConfig,
    StatisticsConfig,
)
from edn_core.config.pose import PoseConfig, pose_of_video
from edn_core.config.presets import PRESETS, unknown_preset
from edn_core.config.results import (
    AssemblyConfig,
    DemoConfig,
    EvaluationConfig,
    ForensicsConfig,
    ReportConfig,
    SynthesisConfig,
    TransferConfig,
)
from edn_core.config.runtime import RuntimeConfig
from edn_core.config.training import NetworkConfig, TrainingConfig, check_enhancer
from edn_core.config.videos import CanvasConfig, VideoConfig


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    preset: str = "auto"
    """What the machine can bear: one of PRESETS, or ``auto`` (decided once, kept in
    results/preset.yaml)."""
    videos_folder: str = "videos"
    """Where the videos lie."""
    background: str = "plate"
    """``plate``: the generator paints the dancer over a clean picture of the target's room;
    ``paint``: it paints everything, as in the paper."""
    transfers: tuple[TransferConfig, ...] = ()
    """What a bare ``snakemake`` makes."""
    videos: dict[str, VideoConfig] = field(default_factory=dict)
    """Settings of single videos, by name."""
    canvas: CanvasConfig = field(default_factory=CanvasConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)
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
        if self.preset not in ("auto", *PRESETS):
            raise ValueError(unknown_preset(self.preset))
        check_choice(self, "background", ("plate", "paint"))
        if "enhance" in self.training.stages:
            check_enhancer(self.network)
        for name, video in self.videos.items():
            try:
                pose_of_video(self.pose, video)
            except ValueError as error:
                raise ValueError(f"videos.{name}: {error}") from error
