"""Networks, and the staged training of one target."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from edn_core.config.checks import check_choice, check_fractions, shown


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks (defaults: pix2pixHD's coarse generator and EDN's face networks)."""

    generator_channels: int = 64
    """Channels of the generator's first layer (ngf)."""
    downsamplings: int = 4
    """Times the generator halves its input."""
    residual_blocks: int = 9
    """Residual blocks at the lowest resolution."""
    discriminator_channels: int = 64
    """Channels of the discriminator's first layer (ndf)."""
    discriminator_scales: int = 2
    """Copies of the discriminator, each at half the resolution of the one before."""
    discriminator_layers: int = 3
    """Strided layers of each discriminator."""
    enhancer_residual_blocks: int = 3
    """Residual blocks of the local enhancer; it has half the generator's channels, and one more
    discriminator scale."""
    face_generator_channels: int = 64
    """As generator_channels, for the face."""
    face_downsamplings: int = 3
    """As downsamplings, for the face."""
    face_residual_blocks: int = 5
    """As residual_blocks, for the face."""
    face_discriminator_channels: int = 64
    """As discriminator_channels, for the face."""

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            if getattr(self, one.name) < 1:
                raise ValueError(f"{one.name} must be at least 1, got {getattr(self, one.name)}")
        if self.downsamplings > 5:
            raise ValueError("downsamplings may be at most 5: canvases are multiples of 32")
        if self.face_downsamplings > 3:
            raise ValueError("face_downsamplings may be at most 3: face boxes start at 32 px")


def check_enhancer(network: NetworkConfig) -> None:
    """Refuse sizes that a local enhancer cannot have.

    Raises:
        ValueError: names the setting, what it is and what it may be.
    """
    if network.generator_channels % 2:
        raise ValueError(
            f"network.generator_channels is {network.generator_channels}, expected an even number: "
            "the local enhancer of the enhance stage has half as many"
        )
    if network.downsamplings > 4:
        raise ValueError(
            f"network.downsamplings is {network.downsamplings}, expected at most 4: canvases are "
            "multiples of 32, and before the enhance stage the generator sees half of one"
        )


@dataclass(frozen=True)
class StageConfig:
    """How one training stage is trained."""

    steps: int | None = None
    """Optimizer steps. Give steps or epochs, not both."""
    epochs: int | None = None
    """Passes over the training frames."""
    batch_size: int = 1
    """Frame pairs per step; 1 as in pix2pixHD."""
    learning_rate: float = 2e-4
    """Adam, both sides (pix2pixHD); constant for the first half, then linear to 0."""
    gan: float = 1.0
    """Weight of the least-squares GAN loss."""
    feature_matching: float = 10.0
    """Weight of feature matching (the paper's lambda_FM)."""
    perceptual: float = 5.0
    """Weight of the VGG19 perceptual loss (the paper's lambda_P); needs training.vgg19."""
    l1: float = 20.0
    """Weight of the L1 loss that stands in where no VGG19 weights are given."""
    ema_decay: float = 0.995
    """The saved generator is a running average of the weights; 0 saves the last weights."""
    validations: int = 10
    """Times per stage the validation slice is synthesized: the best checkpoint is kept, a sample
    goes to TensorBoard."""

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(
                f"give steps or epochs, one of the two; got {self.steps}, {self.epochs}"
            )
        for name in ("steps", "epochs", "batch_size", "validations"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        for name in ("gan", "feature_matching", "perceptual", "l1"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be at least 0 and below 1, got {self.ema_decay}")


VGG19_INPUTS = ("reference", "imagenet")
STAGES = ("body", "temporal", "enhance", "face")
"""Every training stage, in the order in which they can stand; ``enhance`` may be left out."""


@dataclass(frozen=True)
class AugmentationConfig:
    """Training frames changed at random, which the paper does not do (docs/ablations.md)."""

    mirror: float = 0.0
    """Part of the pairs of frames that is shown mirrored, right and left changing places in the
    label (0..1)."""
    shift: float = 0.0
    """Pairs of frames are moved by up to this part of the canvas's width and height."""

    def __post_init__(self) -> None:
        check_fractions(self, "mirror")
        if not 0 <= self.shift <= 0.5:
            raise ValueError(f"shift must lie in 0..0.5, got {self.shift}")


@dataclass(frozen=True)
class TrainingConfig:
    """The staged training of one target."""

    body: StageConfig = field(default_factory=lambda: StageConfig(epochs=5))
    """Frame by frame (the paper's coarse stage takes 5 epochs)."""
    temporal: StageConfig = field(default_factory=lambda: StageConfig(epochs=30))
    """Two frames in a row (30 epochs, as the paper's longest stage)."""
    enhance: StageConfig = field(default_factory=lambda: StageConfig(epochs=30, perceptual=10.0))
    """The local enhancer at full size (30 epochs; the release doubles the perceptual weight)."""
    face: StageConfig = field(default_factory=lambda: StageConfig(epochs=5))
    """Residual on the face, body generator frozen (5 epochs)."""
    stages: tuple[str, ...] = ("body", "temporal", "face")
    """In this order; each starts from the one before. With ``enhance`` between temporal and face,
    body and temporal are trained at half the canvas."""
    fix_coarse: float = 0.0
    """First part of the enhance stage (0..1) in which the coarse generator's weights stay fixed
    (pix2pixHD fixes it for 10 of 100 epochs)."""
    keep: str = "best"
    """``best``: the checkpoint that is best on the validation slice is kept; ``last``: the last."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Training frames changed at random."""
    precision: str = "float32"
    """``float32``; or ``bfloat16``: products in half the bits (autocast), where a GPU has them."""
    seed: int = 0
    """Seeds weights and order of frames; on CPU the same seed and number of threads give the
    same bytes."""
    vgg19: str | None = None
    """Path of torchvision's vgg19 weight file (vgg19-dcbb9e9d.pth); none: an L1 term stands in."""
    vgg19_sha256: str = "dcbb9e9d"
    """How that file's SHA-256 begins; torchvision's published name carries these 8 digits, more may
    be given."""
    vgg19_input: str = "reference"
    """How images enter VGG19: ``reference``: in [-1, 1] as they are, as in pix2pixHD; ``imagenet``:
    by the mean and deviation that VGG19 was trained with."""

    def __post_init__(self) -> None:
        check_choice(self, "vgg19_input", VGG19_INPUTS)
        check_choice(self, "precision", ("float32", "bfloat16"))
        check_fractions(self, "fix_coarse")
        check_choice(self, "keep", ("best", "last"))
        without = tuple(name for name in STAGES if name != "enhance")
        number = len(self.stages)
        if not self.stages or self.stages not in (STAGES[:number], without[:number]):
            raise ValueError(
                f"stages must be the first of {', '.join(without)} in this order, enhance between "
                f"temporal and face if wanted, got {shown(list(self.stages))}"
            )


OPTION_STAGES = {
    "fix_coarse": ("enhance",),
}
"""Options of TrainingConfig that only these stages read; the others concern every stage."""


def training_options(training: TrainingConfig, stage: str) -> dict[str, Any]:
    """What a stage's training depends on, for its rule's params: another value reruns it.

    Args:
        training: the whole section.
        stage: one of STAGES.

    Returns:
        Options by name, without the stages' own sections, ``stages`` and the place of the VGG19
        file; of VGG19's options nothing where no file is given.
    """
    left_out = {*STAGES, "stages", "vgg19"}
    if not training.vgg19:
        left_out |= {"vgg19_sha256", "vgg19_input"}
    return {
        name: value
        for name, value in dataclasses.asdict(training).items()
        if name not in left_out and stage in OPTION_STAGES.get(name, STAGES)
    }
