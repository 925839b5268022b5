"""Networks, and the staged training of one target."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from edn_core.config.checks import refuse_below, refuse_no_fraction, refuse_not_above_0, shown

STAGES = ("body", "temporal", "enhance", "face")
"""Every training stage, in the order in which they can stand; ``enhance`` may be left out."""
Precision = Literal["float32", "bfloat16"]
"""``bfloat16``: products in half the bits (autocast), where the machine has them."""
Vgg19Input = Literal["reference", "imagenet"]
VGG19_INPUTS = get_args(Vgg19Input)


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks (defaults: pix2pixHD's coarse generator and EDN's face networks)."""

    generator_channels: int = 64  # of the generator's first layer (ngf)
    downsamplings: int = 4  # times the generator halves its input
    residual_blocks: int = 9  # at the lowest resolution
    discriminator_channels: int = 64  # of the discriminator's first layer (ndf)
    discriminator_scales: int = 2  # copies, each at half the resolution of the one before
    discriminator_layers: int = 3  # strided layers of each
    enhancer_residual_blocks: int = 3  # it has half the generator's channels
    face_generator_channels: int = 64  # these four: the same for the face
    face_downsamplings: int = 3
    face_residual_blocks: int = 5
    face_discriminator_channels: int = 64

    def __post_init__(self) -> None:
        refuse_below(1, self, *(one.name for one in dataclasses.fields(self)))
        if self.downsamplings > 5:
            raise ValueError("downsamplings may be at most 5: windows are multiples of 32")
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
            f"network.downsamplings is {network.downsamplings}, expected at most 4: windows are "
            "multiples of 32, and before the enhance stage the generator sees half of one"
        )


@dataclass(frozen=True)
class StageConfig:
    """How one training stage is trained."""

    steps: int | None = None  # optimizer steps. Give steps or epochs, not both
    epochs: int | None = None  # passes over the training frames
    batch_size: int = 1  # frame pairs per step; 1 as in pix2pixHD
    learning_rate: float = 2e-4
    """Adam, both sides (pix2pixHD); constant for the first half, then linear to 0."""
    gan: float = 1.0  # weight of the least-squares GAN loss
    feature_matching: float = 10.0  # its weight: the paper's lambda_FM
    perceptual: float = 5.0  # of the VGG19 loss (the paper's lambda_P); needs training.vgg19
    l1: float = 20.0  # of the L1 loss that stands in where no VGG19 weights are given
    matte: float = 3.0  # of the L1 loss between the painted and the true matte
    person: float = 4.0
    """The dancer's pixels count 1 + so many times in that L1 loss of the picture."""
    ema_decay: float = 0.995  # the saved generator is a running average of the weights; 0: the last
    validations: int = 10  # times that the validation slice is synthesized; the best is kept

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(
                f"give steps or epochs, one of the two; got {self.steps}, {self.epochs}"
            )
        refuse_below(1, self, "steps", "epochs", "batch_size", "validations")
        refuse_below(0, self, "gan", "feature_matching", "perceptual", "l1")
        refuse_below(0, self, "matte", "person")
        refuse_not_above_0(self, "learning_rate")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be at least 0 and below 1, got {self.ema_decay}")


@dataclass(frozen=True)
class AugmentationConfig:
    """Training frames changed at random, which the paper does not do (docs/training.md)."""

    mirror: float = 0.0  # part of the pairs of frames that is shown mirrored, label and all (0..1)
    shift: float = 0.0  # pairs are moved by up to this part of the window's width and height

    def __post_init__(self) -> None:
        refuse_no_fraction(self, "mirror")
        if not 0 <= self.shift <= 0.5:
            raise ValueError(f"shift must lie in 0..0.5, got {self.shift}")


@dataclass(frozen=True)
class TrainingConfig:
    """The staged training of one target."""

    # The paper's coarse stage takes 5 epochs, its longest 30; the release doubles the perceptual
    # weight at full size.
    body: StageConfig = field(default_factory=lambda: StageConfig(epochs=5))
    temporal: StageConfig = field(default_factory=lambda: StageConfig(epochs=30))
    enhance: StageConfig = field(default_factory=lambda: StageConfig(epochs=30, perceptual=10.0))
    face: StageConfig = field(default_factory=lambda: StageConfig(epochs=5))
    stages: tuple[str, ...] = ("body", "temporal", "face")
    """Each starts from the one before. Those before ``enhance`` train at half the window."""
    fix_coarse: float = 0.0
    """First part of enhance (0..1) in which the coarse generator stays fixed (pix2pixHD: 0.1)."""
    keep: Literal["best", "last"] = "best"  # of the checkpoints, by the validation slice
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    precision: Precision = "float32"
    seed: int = 0
    """Of weights and order of frames; on a CPU the same seed and threads give the same bytes."""
    vgg19: str | None = None  # path of torchvision's vgg19-dcbb9e9d.pth; none: L1 stands in
    vgg19_sha256: str = "dcbb9e9d"
    """How its SHA-256 begins: the published name carries 8 digits, more may be given."""
    vgg19_input: Vgg19Input = "reference"
    """In [-1, 1] as in pix2pixHD; or by the mean and deviation that VGG19 was trained with."""

    def __post_init__(self) -> None:
        refuse_no_fraction(self, "fix_coarse")
        without = tuple(name for name in STAGES if name != "enhance")
        number = len(self.stages)
        if not self.stages or self.stages not in (STAGES[:number], without[:number]):
            raise ValueError(
                f"stages must be the first of {', '.join(without)} in this order, enhance between "
                f"temporal and face if wanted, got {shown(list(self.stages))}"
            )


OPTION_STAGES = {"fix_coarse": ("enhance",)}
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
