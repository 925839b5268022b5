"""What is made with a trained generator, and how it is judged."""

from dataclasses import dataclass

from edn_core.config.checks import check_choice, check_fractions


@dataclass(frozen=True)
class EvaluationConfig:
    """Which frames of a target are kept out of training, and what they are measured with."""

    test_fraction: float = 0.2
    """The last part of the target video, for evaluation."""
    validation_fraction: float = 0.05
    """The slice before it, which chooses the checkpoint."""
    alexnet: str | None = None
    """Path of torchvision's alexnet weight file (alexnet-owt-7be5be79.pth) for LPIPS; none: that
    column stays empty."""
    alexnet_sha256: str = "7be5be79"
    """How that file's SHA-256 begins; torchvision's published name carries these 8 digits, more may
    be given."""

    def __post_init__(self) -> None:
        check_fractions(self, "test_fraction", "validation_fraction")
        if self.test_fraction + self.validation_fraction > 0.9:
            raise ValueError("test_fraction and validation_fraction leave too little to train on")


@dataclass(frozen=True)
class SynthesisConfig:
    """How the frames of a transfer are synthesized."""

    chunks: int = 1
    """Pieces of the video synthesized side by side as one batch, which a GPU does faster; 1: one
    frame after the other, as in the paper."""
    warm_up_frames: int = 8
    """Frames synthesized before each piece and thrown away, so that its recurrence has settled
    (docs/synthesis.md); without meaning for 1 piece."""
    precision: str = "float32"
    """``float32``; or ``bfloat16``: products in half the bits (autocast), on GPUs and CPUs that
    have them: faster, and a grey level off here and there."""

    def __post_init__(self) -> None:
        if self.chunks < 1:
            raise ValueError(f"chunks must be at least 1, got {self.chunks}")
        if self.warm_up_frames < 0:
            raise ValueError(f"warm_up_frames must not be negative, got {self.warm_up_frames}")
        check_choice(self, "precision", ("float32", "bfloat16"))


@dataclass(frozen=True)
class AssemblyConfig:
    """The finished video."""

    mark: str = ""
    """Text written small into the lower right corner of every synthesized picture; empty: none.
    What the file says about itself is there with or without it."""


@dataclass(frozen=True)
class ForensicsConfig:
    """The detector of synthetic frames (``snakemake forensics``)."""

    train: tuple[str, ...] = ()
    """Targets it learns from; empty: all, each in turn left out for the test."""
    test: tuple[str, ...] = ()
    """Targets it is tested on; empty: those not in ``train``."""
    pairs: int = 2000
    """Pairs of frames per subject and class, at most, evenly spread."""
    steps: int = 200
    """Optimizer steps."""
    batch_size: int = 16
    """Pairs per step, half of them synthetic, all of one subject."""
    learning_rate: float = 1e-3
    """Adam; linear to 0."""
    channels: int = 16
    """Channels of the detector's first layer; 16 gives 211 000 weights."""
    crf: tuple[int, int] = (17, 32)
    """Both classes go through H.264 of a constant rate factor drawn from this range, so that the
    detector cannot tell them by how they were stored."""
    seed: int = 0
    """Of the weights and of the order of pairs."""

    def __post_init__(self) -> None:
        for name in ("pairs", "steps", "channels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.batch_size < 2 or self.batch_size % 2:
            raise ValueError(f"batch_size must be even and at least 2, got {self.batch_size}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not 1 <= self.crf[0] <= self.crf[1] <= 51:
            raise ValueError(f"crf must be [lowest, highest] in 1..51, got {list(self.crf)}")
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(f"train and test both name {both[0]}; a tested subject must be unseen")


@dataclass(frozen=True)
class DemoConfig:
    """How long the drawn demo dancers dance."""

    source_s: float = 10.0
    """Seconds of demo_source."""
    target_s: float = 16.0
    """Seconds of demo_target; the last part is held out of training."""

    def __post_init__(self) -> None:
        if min(self.source_s, self.target_s) <= 0:
            raise ValueError(f"seconds must be above 0, got {self.source_s} and {self.target_s}")


@dataclass(frozen=True)
class ReportConfig:
    """The page results/report.html."""

    max_video_mb: float = 30.0
    """Size of all its videos together, at most (MB); a third more in the page. Longer ones are made
    smaller, then shorter; 0: a still frame of each."""

    def __post_init__(self) -> None:
        if self.max_video_mb < 0:
            raise ValueError(f"max_video_mb must not be negative, got {self.max_video_mb}")


@dataclass(frozen=True)
class TransferConfig:
    """One transfer that a bare ``snakemake`` makes."""

    source: str
    """Name of the video the motion comes from."""
    target: str
    """Name of the video the looks come from."""
