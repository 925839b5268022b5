"""Networks, and the staged training of one target."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from edn_core.config.checks import Amount, Count, Must, Positive, Section, Share, shown

STAGES = ("body", "temporal", "enhance", "face")
"""Every training stage, in the order in which they can stand; ``enhance`` may be left out."""
Precision = Literal["float32", "bfloat16"]
"""``bfloat16``: products in half the bits (autocast), where the machine has them."""
Vgg19Input = Literal["reference", "imagenet"]


@dataclass(frozen=True)
class NetworkConfig(Section):
    """Sizes of the networks (defaults: pix2pixHD's coarse generator and EDN's face networks)."""

    generator_channels: Count = 64  # of the generator's first layer (ngf)
    downsamplings: Count = 4  # times the generator halves its input
    residual_blocks: Count = 9  # at the lowest resolution
    discriminator_channels: Count = 64  # of the discriminator's first layer (ndf)
    discriminator_scales: Count = 2  # copies, each at half the resolution of the one before
    discriminator_layers: Count = 3  # strided layers of each
    enhancer_residual_blocks: Count = 3  # it has half the generator's channels
    face_generator_channels: Count = 64  # these four: the same for the face
    face_downsamplings: Count = 3
    face_residual_blocks: Count = 5
    face_discriminator_channels: Count = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.downsamplings > 4:
            raise ValueError(
                "downsamplings may be at most 4: windows are multiples of 32, and the generator "
                "sees half of one"
            )
        if self.face_downsamplings > 3:
            raise ValueError("face_downsamplings may be at most 3: face boxes start at 32 px")


def check_enhancer(network: NetworkConfig) -> None:
    """Refuse, with a ValueError, sizes that a local enhancer cannot have."""
    if network.generator_channels % 2:
        raise ValueError(
            f"network.generator_channels is {network.generator_channels}, expected an even number: "
            "the local enhancer of the enhance stage has half as many"
        )


@dataclass(frozen=True)
class StageConfig(Section):
    """How one training stage is trained."""

    steps: Count | None = None  # optimizer steps. Give steps or epochs, not both
    epochs: Count | None = None  # passes over the training frames
    batch_size: Count = 1  # frame pairs per step; 1 as in pix2pixHD
    learning_rate: Positive = 2e-4  # Adam, both sides (pix2pixHD); from the middle linear to 0
    gan: Amount = 1.0  # weight of the least-squares GAN loss
    feature_matching: Amount = 10.0  # its weight: the paper's lambda_FM
    perceptual: Amount = 5.0  # of the VGG19 loss (the paper's lambda_P); needs training.vgg19
    l1: Amount = 20.0  # of the L1 loss that stands in where no VGG19 weights are given
    matte: Amount = 10.0  # of the L1 loss between the painted and the true matte
    person: Amount = 4.0  # the dancer's pixels count 1 + so many times in l1
    ema_decay: Annotated[float, Must(lambda x: 0 <= x < 1, "be at least 0 and below 1")] = 0.995
    """The saved generator is a running average of the weights; 0: the last."""
    validations: Count = 10  # of the validation slice at most; fewer where they took above a tenth

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(
                f"give steps or epochs, one of the two; got {self.steps}, {self.epochs}"
            )
        super().__post_init__()


@dataclass(frozen=True)
class TrainingConfig(Section):
    """The staged training of one target."""

    # The paper's coarse stage takes 5 epochs, its longest 30; the release doubles the perceptual
    # weight at full size.
    body: StageConfig = field(default_factory=lambda: StageConfig(epochs=5))
    temporal: StageConfig = field(default_factory=lambda: StageConfig(epochs=30))
    enhance: StageConfig = field(default_factory=lambda: StageConfig(epochs=30, perceptual=10.0))
    face: StageConfig = field(default_factory=lambda: StageConfig(epochs=5))
    stages: tuple[str, ...] = ("body", "temporal", "face")  # each starts from the one before
    minutes: Positive | None = None  # for all stages, shared as their steps or epochs would cost
    fix_coarse: Share = 0.0  # of enhance, in which the coarse generator is fixed (pix2pixHD: 0.1)
    keep: Literal["best", "last"] = "best"  # of checkpoints and start, by the validation slice
    precision: Precision = "float32"
    seed: int = 0  # of weights and order of frames
    vgg19: str | None = None
    """Torchvision's vgg19-dcbb9e9d.pth: a path, an address or auto (edn_core.weights). None: L1."""
    vgg19_sha256: str = "dcbb9e9d"  # how it begins: the published name carries 8 digits
    vgg19_input: Vgg19Input = "reference"  # in [-1, 1]; or by VGG19's own mean and deviation

    def __post_init__(self) -> None:
        super().__post_init__()
        without = tuple(name for name in STAGES if name != "enhance")
        number = len(self.stages)
        if not self.stages or self.stages not in (STAGES[:number], without[:number]):
            raise ValueError(
                f"stages must be the first of {', '.join(without)} in this order, enhance between "
                f"temporal and face if wanted, got {shown(list(self.stages))}"
            )


def training_options(training: TrainingConfig, stage: str) -> dict[str, Any]:
    """What a stage's training depends on, for its rule's params: another value reruns it.

    Without the stages' own sections, ``stages``, the place of the VGG19 file and ``minutes``, of
    which a stage has its share (resources.stage_minutes); of VGG19's options
    nothing where no file is given.
    """
    left_out = {*STAGES, "stages", "vgg19", "minutes"}
    if not training.vgg19:
        left_out |= {"vgg19_sha256", "vgg19_input"}
    if stage != "enhance":
        left_out.add("fix_coarse")
    options = dataclasses.asdict(training)
    return {name: value for name, value in options.items() if name not in left_out}
