"""What is made with a trained generator, how it is judged, and what changes speed only."""

from dataclasses import dataclass
from typing import Annotated, Literal

from edn_core.config.checks import Amount, Count, Index, Must, Positive, Section, Share
from edn_core.config.training import Precision


@dataclass(frozen=True)
class TransferConfig:
    """One transfer that a bare ``snakemake`` makes."""

    source: str  # name of the video the motion comes from
    target: str  # name of the video the looks come from


@dataclass(frozen=True)
class SynthesisConfig(Section):
    """How the frames of a transfer are synthesized."""

    chunks: Count = 1  # pieces of the video synthesized side by side, which a GPU does faster
    warm_up_frames: Index = 8  # before each further piece, thrown away: it has settled then
    precision: Precision = "float32"  # bfloat16: faster, and a grey level off here and there


@dataclass(frozen=True)
class EvaluationConfig(Section):
    """Which frames of a target are kept out of training, and what they are measured with."""

    test_fraction: Share = 0.2  # the last part of the target video, for evaluation
    validation_fraction: Share = 0.05  # the slice before it, which chooses the checkpoint
    alexnet: str | None = None  # torchvision's alexnet-owt-7be5be79.pth, as training.vgg19
    alexnet_sha256: str = "7be5be79"  # how it begins: the published name carries 8 digits

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_fraction + self.validation_fraction > 0.9:
            raise ValueError("test_fraction and validation_fraction leave too little to train on")


@dataclass(frozen=True)
class AssemblyConfig:
    """The finished video."""

    background: str = "room"
    """``room``, ``transparent`` (.webm and .mov), a colour ``#rrggbb`` or a picture file."""
    sound: bool = True  # the source's; without it the film is silent
    mark: str = ""  # text written small into the lower right corner of every picture


@dataclass(frozen=True)
class ForensicsConfig(Section):
    """The detector of synthetic frames (``snakemake forensics``)."""

    train: tuple[str, ...] = ()  # targets it learns from; empty: all, each in turn left out
    test: tuple[str, ...] = ()  # targets it is tested on; empty: those not in ``train``
    pairs: Count = 2000  # pairs of frames per subject and class, at most, evenly spread
    steps: Count = 200  # optimizer steps
    batch_size: Annotated[int, Must(lambda n: n >= 2 and n % 2 == 0, "be even and at least 2")] = (
        16  # pairs per step, half of them synthetic, all of one subject
    )
    learning_rate: Positive = 1e-3  # Adam; linear to 0
    channels: Count = 16  # of the detector's first layer; 16 gives 211 000 weights
    crf: tuple[int, int] = (17, 32)  # H.264 that both classes go through: storage tells nothing
    seed: int = 0  # of the weights and of the order of pairs

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.crf[0] <= self.crf[1] <= 51:
            raise ValueError(f"crf must be [lowest, highest] in 1..51, got {list(self.crf)}")
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(f"train and test both name {both[0]}; a tested subject must be unseen")


@dataclass(frozen=True)
class DemoConfig(Section):
    """How long the drawn demo dancers dance."""

    source_s: Positive = 10.0  # seconds of demo_source
    target_s: Positive = 16.0  # seconds of demo_target; the last part is held out of training


@dataclass(frozen=True)
class ReportConfig(Section):
    """The page results/report.html."""

    max_video_mb: Amount = 30.0  # all its videos together, at most; 0: a still frame of each


Switch = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class RuntimeConfig(Section):
    """What changes speed but no result; nothing here makes a stage run again."""

    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: CUDA where there is one
    gpus_per_training: Count = 1  # that train one stage together, a process for each
    loader_workers: int = 0  # threads that decode training frames; 0 where frames fit in memory
    frame_cache_mb: int = 1024  # decoded training frames kept in memory, at most (MB)
    checkpoint_every_s: float = 60.0  # seconds between resume points of a training
    stop_margin_s: float = 60.0  # before its job's end, plus a step: a training saves and stops
    log_every_s: float = 10.0  # seconds between lines of metrics.jsonl and TensorBoard scalars
    resident_frames: Switch = "auto"  # frames stay on the device, as bytes; auto: where they fit
    compile: Switch = "auto"  # torch.compile; auto: on CUDA, where it pays
    cuda_graphs: Literal["auto", "never"] = "auto"  # a step recorded once; auto: CUDA, one GPU
