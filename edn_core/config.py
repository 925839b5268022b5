"""Every setting: one frozen dataclass per section, with default, unit and reason.

``config/config.yaml`` is the manual for people; presets give what a machine can bear; whatever
neither names keeps the default here.
"""

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Section = TypeVar("Section")

DANCERS = ("largest", "centre", "longest", "index", "box")
"""Ways to choose the dancer among several people."""


@dataclass(frozen=True)
class VideoConfig:
    """What is particular to one video (``videos: {name: {...}}``)."""

    start_s: float = 0.0
    """Seconds of the video to skip."""
    stop_s: float | None = None
    """Second to stop at; none: the end."""
    held_out: tuple[int, int] | None = None
    """Frames [first, last) kept out of training for evaluation; none: the last part."""
    dancer: str | None = None
    """Which of several people is followed here; none: as pose.dancer says."""
    dancer_index: int | None = None
    """As pose.dancer_index, for this video."""
    dancer_box: tuple[float, float, float, float] | None = None
    """As pose.dancer_box, for this video."""

    def __post_init__(self) -> None:
        if self.dancer is not None:
            _check_choice(self, "dancer", DANCERS)
        _check_dancer(self.dancer_index, self.dancer_box)
        if self.start_s < 0 or (self.stop_s is not None and self.stop_s <= self.start_s):
            raise ValueError(f"stop_s must lie after start_s, got {self.start_s} to {self.stop_s}")


@dataclass(frozen=True)
class CanvasConfig:
    """The pixel frame everything after frame extraction lives in."""

    pixels: int = 131_072
    """Pixel budget of a frame (131072 = 512 x 256, the paper's coarse size); the video's own aspect
    is kept and padded to multiples of 32."""
    jpeg_quality: int = 95
    """Quality of the stored photographs (4:4:4)."""

    def __post_init__(self) -> None:
        if self.pixels < 1024:
            raise ValueError(f"pixels must be at least 1024, got {self.pixels}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100, got {self.jpeg_quality}")


@dataclass(frozen=True)
class OpenposeConfig:
    """OpenPose's networks, from the public ``.pth`` files (``backend: openpose``)."""

    body: str | None = None
    """Body weights, of COCO-18 (body_pose_model.pth) or BODY_25 (body_25.pth); its shapes say
    which. The files are OpenPose's: academic, non-commercial use only."""
    hand: str | None = None
    """Hand weights (hand_pose_model.pth); none: no hands."""
    face: str | None = None
    """Face weights (facenet.pth); none: no face."""
    body_sha256: str | None = None
    """How the body file's SHA-256 begins; none: not checked."""
    hand_sha256: str | None = None
    """As body_sha256, for the hand file."""
    face_sha256: str | None = None
    """As body_sha256, for the face file."""
    net_height: int = 368
    """Rows a frame is scaled to before the body network (OpenPose's box size)."""
    scales: tuple[float, ...] = (1.0,)
    """Multiples of net_height whose maps are averaged; [0.5, 1.0, 1.5, 2.0] is slower and surer."""
    batch_size: int = 8
    """Frames per forward pass."""
    min_peak: float = 0.1
    """A heatmap peak below this is no joint (0..1)."""
    min_paf: float = 0.05
    """A sample of the part affinity field below this does not speak for a limb."""
    min_parts: int = 4
    """A person of fewer joints is none."""
    min_person: float = 0.4
    """A person whose mean score per joint is below this is none."""

    def __post_init__(self) -> None:
        _check_fractions(self, "min_peak")
        for name in ("net_height", "batch_size", "min_parts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales must be numbers above 0, got {list(self.scales)}")


@dataclass(frozen=True)
class WholebodyConfig:
    """A detector and a 133-keypoint network as ONNX files (``backend: wholebody``)."""

    detector: str | None = None
    """YOLOX person detector (.onnx)."""
    pose: str | None = None
    """RTMW or DWPose network with SimCC outputs (.onnx)."""
    detector_sha256: str | None = None
    """How the detector file's SHA-256 begins; none: not checked."""
    pose_sha256: str | None = None
    """As detector_sha256, for the pose file."""
    min_detection: float = 0.5
    """A person the detector is less sure of is none (0..1)."""
    min_score: float = 0.3
    """A keypoint the network is less sure of is missing (0..1)."""

    def __post_init__(self) -> None:
        _check_fractions(self, "min_detection", "min_score")


@dataclass(frozen=True)
class PoseConfig:
    """How keypoints are found."""

    backend: str = "mediapipe"
    """``mediapipe``: MediaPipe's networks on LiteRT. ``openpose``: OpenPose's, ``wholebody``: RTMW
    or DWPose, both from weight files of your own. ``openpose_files``: keypoints found before."""
    dancer: str = "largest"
    """Which of several people is followed: the ``largest`` in the picture, the one nearest to its
    ``centre``, the one seen ``longest``, one by ``index`` from the left, or that in a ``box``."""
    dancer_index: int = 0
    """For ``index``: counted from the left, 0 first, where the most people are seen."""
    dancer_box: tuple[float, float, float, float] | None = None
    """For ``box``: x0, y0, x1, y1 in pixels of the video, around the dancer when first seen."""
    max_people: int = 3
    """People of a frame, at most (of a crowd the largest); each costs time."""
    models_folder: str = "resources/models"
    """Folder of the MediaPipe networks; fetched there when missing."""
    openpose_files: str = "openpose/{video}"
    """A video's keypoint files: a folder, or a zip or tar archive, of OpenPose's JSON or of
    OpenCV's YAML."""
    coordinates: str = "auto"
    """What the numbers in those files are: ``pixels`` of the video, ``fraction`` 0..1 or
    ``signed`` -1..1 of its size; ``auto`` tells from their range."""
    min_visibility: float = 0.5
    """A body point the network believes hidden more than this is missing (0..1)."""
    min_presence: float = 0.5
    """A hand or face whose presence is below this is missing (0..1)."""
    openpose: OpenposeConfig = field(default_factory=OpenposeConfig)
    wholebody: WholebodyConfig = field(default_factory=WholebodyConfig)

    def __post_init__(self) -> None:
        _check_fractions(self, "min_visibility", "min_presence")
        _check_choice(self, "dancer", DANCERS)
        _check_choice(self, "coordinates", ("auto", "pixels", "fraction", "signed"))
        if self.max_people < 1:
            raise ValueError(f"max_people must be at least 1, got {self.max_people}")
        if self.dancer == "box" and self.dancer_box is None:
            raise ValueError(
                "dancer is 'box', so dancer_box must say where: [x0, y0, x1, y1] in pixels of the "
                "video"
            )
        _check_dancer(self.dancer_index, self.dancer_box)


def pose_of_video(pose: PoseConfig, video: VideoConfig) -> PoseConfig:
    """The pose settings of one video: its own choice of the dancer over the general one.

    Raises:
        ValueError: the choice lacks its box, or comes with an index or a box that it does not use.
    """
    own = {name: getattr(video, name) for name in ("dancer", "dancer_index", "dancer_box")}
    merged = dataclasses.replace(pose, **{k: v for k, v in own.items() if v is not None})
    for choice in ("index", "box"):
        if own[f"dancer_{choice}"] is not None and merged.dancer != choice:
            raise ValueError(
                f"dancer_{choice} is given, but dancer is {merged.dancer!r}; add dancer: {choice}, "
                f"or take dancer_{choice} away"
            )
    return merged


@dataclass(frozen=True)
class SmoothingConfig:
    """How keypoints are smoothed over time."""

    method: str = "median_savgol"
    """``median_savgol``: a median of 3 frames, which removes a single wild one, then
    Savitzky-Golay: on the demo a third of the release's jitter, and fast moves are nearer to the
    truth (docs/smoothing.md). ``median``: the running median of the release; ``savgol``;
    ``one_euro``: a One-Euro filter run both ways in time; ``none``: only gaps are filled."""
    window_s: float = 0.25
    """Time that the median and the parabola span (seconds): an odd number of frames, at
    least 5, so that 30 and 60 frames per second come out alike."""
    window_frames: int | None = None
    """Exactly so many frames instead (odd): 7 is the release's median; 1 switches it off."""
    max_gap_frames: int = 4
    """Longer gaps stay empty: a guessed arm is worse than none."""

    def __post_init__(self) -> None:
        _check_choice(self, "method", ("median_savgol", "median", "savgol", "one_euro", "none"))
        if self.window_s <= 0:
            raise ValueError(f"window_s must be above 0, got {self.window_s}")
        if self.window_frames is not None and (
            self.window_frames < 1 or self.window_frames % 2 == 0
        ):
            raise ValueError(f"window_frames must be odd and at least 1, got {self.window_frames}")
        if self.max_gap_frames < 0:
            raise ValueError(f"max_gap_frames must not be negative, got {self.max_gap_frames}")


@dataclass(frozen=True)
class StatisticsConfig:
    """How a video's ankle and height levels are measured (paper, global pose normalization)."""

    min_score: float = 0.1
    """Ankles and heads less certain than this do not count (0..1)."""
    far_fraction: float = 0.7
    """The far level lies about this part of (close - median) above the median (the paper's
    alpha)."""
    tolerance: float = 0.05
    """Half width of a level's cluster, as part of the ankle range; widened to 2x and 4x while the
    cluster is empty (the paper's epsilon)."""
    min_frames: int = 20
    """Fewer good frames than this: one scale and one shift serve the whole video."""
    min_range: float = 0.02
    """An ankle range below this part of the frame height is no change of depth."""
    level_window_s: float = 1.0
    """Running median of the foot level over this time (seconds), so that a jump does not read as
    walking away; 0 switches it off."""

    def __post_init__(self) -> None:
        _check_fractions(self, "min_score", "far_fraction", "tolerance", "min_range")
        if self.level_window_s < 0:
            raise ValueError(f"level_window_s must not be negative, got {self.level_window_s}")


@dataclass(frozen=True)
class NormalizationConfig:
    """How the source's keypoints are moved into the target's frame."""

    mode: str = "paper"
    """``paper``: pivot on the frame's own ankles, as in the paper; ``edn_release``: number for
    number what the published code does; ``limbs``: as paper, then every limb gets the target's
    length."""
    horizontal: str = "scaled"
    """``scaled``: sideways movement is centred and scaled between canvases of different size;
    ``keep``: x stays, the paper's way (both videos share one frame)."""
    max_extrapolation: float = 0.25
    """How far beyond close or far the scale still changes, as part of the range; a jump must not
    read as walking far away."""

    def __post_init__(self) -> None:
        _check_choice(self, "mode", ("paper", "edn_release", "limbs"))
        _check_choice(self, "horizontal", ("scaled", "keep"))
        if self.max_extrapolation < 0:
            raise ValueError(
                f"max_extrapolation must not be negative, got {self.max_extrapolation}"
            )


@dataclass(frozen=True)
class LabelConfig:
    """How the stick figure is drawn."""

    style: str = "edn"
    """``edn``: the paper's coloured stick figure with face points and hands; ``facing``: the same
    with the near side drawn over the far side and front told from back; ``limb_index``: one class
    per limb (1..17), fed one-hot."""
    thickness: float = 1.0
    """Multiplies all line widths, which are in proportion to canvas height / 1080; small canvases
    want more than 1."""

    def __post_init__(self) -> None:
        if not 0 < self.thickness <= 20:
            raise ValueError(f"thickness must be above 0 and at most 20, got {self.thickness}")


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
VIEWS = ("colour", "translation", "cutout")
STAGES = ("body", "temporal", "enhance", "face")
"""Every training stage, in the order in which they can stand; ``enhance`` may be left out."""


@dataclass(frozen=True)
class AugmentationConfig:
    """Training frames changed at random, which the paper does not do (docs/ablations.md)."""

    mirror: float = 0.0
    """Part of the runs of frames that is shown mirrored, right and left changing places in the
    label (0..1)."""
    shift: float = 0.0
    """Runs of frames are moved by up to this part of the canvas's width and height."""
    discriminator: tuple[str, ...] = ()
    """What is done to true and synthesized frames alike before they are judged: ``colour``,
    ``translation``, ``cutout`` (Zhao et al. 2020), for target videos of a few seconds."""

    def __post_init__(self) -> None:
        _check_fractions(self, "mirror")
        if not 0 <= self.shift <= 0.5:
            raise ValueError(f"shift must lie in 0..0.5, got {self.shift}")
        unknown = [name for name in self.discriminator if name not in VIEWS]
        if unknown:
            raise ValueError(f"discriminator names {unknown[0]!r}; known: {', '.join(VIEWS)}")


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
    unroll_frames: int = 2
    """Frames in a row that temporal and enhance are trained on, each fed the output before."""
    warm_up_frames: int = 0
    """Frames before those that are only synthesized, so that the first one, too, is fed an output;
    0: it is fed zeros, as in the paper."""
    hand_crops: float = 0.0
    """Weight of the image term once more, on a box around each hand, as part of its weight on the
    whole picture; 0: none, as in the paper."""
    doubtful_fraction: float = 0.0
    """Part of the training frames, those whose pose is most doubtful, that is left out (0..0.5)."""
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
        _check_choice(self, "vgg19_input", VGG19_INPUTS)
        _check_choice(self, "precision", ("float32", "bfloat16"))
        _check_fractions(self, "fix_coarse")
        _check_choice(self, "keep", ("best", "last"))
        if self.unroll_frames < 2:
            raise ValueError(f"unroll_frames must be at least 2, got {self.unroll_frames}")
        for name in ("warm_up_frames", "hand_crops"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.doubtful_fraction <= 0.5:
            raise ValueError(f"doubtful_fraction must lie in 0..0.5, got {self.doubtful_fraction}")
        without = tuple(name for name in STAGES if name != "enhance")
        number = len(self.stages)
        if not self.stages or self.stages not in (STAGES[:number], without[:number]):
            raise ValueError(
                f"stages must be the first of {', '.join(without)} in this order, enhance between "
                f"temporal and face if wanted, got {', '.join(self.stages) or 'none'}"
            )


OPTION_STAGES = {
    "fix_coarse": ("enhance",),
    "unroll_frames": ("temporal", "enhance"),
    "warm_up_frames": ("temporal", "enhance"),
    "hand_crops": ("body", "temporal", "enhance"),
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
        _check_fractions(self, "test_fraction", "validation_fraction")
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
        _check_choice(self, "precision", ("float32", "bfloat16"))


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
class RuntimeConfig:
    """What changes speed but no result; nothing here makes a stage run again."""

    device: str = "auto"
    """``auto``: CUDA where there is one, else CPU; or ``cpu``, ``cuda``."""
    gpus_per_training: int = 1
    """GPUs that train one stage together, a process for each; every batch (batch_size) is divided
    among them. On CPUs: processes."""
    loader_workers: int = 0
    """Processes that decode training frames; 0 where frames fit in memory."""
    frame_cache_mb: int = 1024
    """Decoded training frames kept in memory, at most (MB)."""
    checkpoint_every_s: float = 60.0
    """Seconds between resume points of a training."""
    log_every_s: float = 10.0
    """Seconds between lines of metrics.jsonl and TensorBoard scalars."""
    resident_frames: str = "auto"
    """Frames and labels of a training stay on the device, as bytes: ``auto`` where they fit into
    a quarter of a GPU's free memory, or frame_cache_mb on a CPU; ``always``; ``never``."""
    compile: str = "auto"
    """torch.compile of the networks: ``auto`` on CUDA only (on a CPU it costs a minute and brings
    nothing more); ``always``; ``never``."""
    channels_last: str = "auto"
    """Channels innermost in memory: ``auto`` on CUDA with compiled networks; ``always``;
    ``never``."""
    cuda_graphs: str = "auto"
    """The whole step recorded once and replayed, so that starting its kernels costs nothing:
    ``auto`` where it can be (CUDA, one GPU); ``never``."""

    def __post_init__(self) -> None:
        _check_choice(self, "device", ("auto", "cpu", "cuda"))
        for name in ("resident_frames", "compile", "channels_last"):
            _check_choice(self, name, ("auto", "always", "never"))
        _check_choice(self, "cuda_graphs", ("auto", "never"))
        if self.gpus_per_training < 1:
            raise ValueError(f"gpus_per_training must be at least 1, got {self.gpus_per_training}")


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
        _check_choice(self, "background", ("plate", "paint"))
        if "enhance" in self.training.stages:
            check_enhancer(self.network)
        for name, video in self.videos.items():
            try:
                pose_of_video(self.pose, video)
            except ValueError as error:
                raise ValueError(f"videos.{name}: {error}") from error


_SMALL_NETWORK = {
    "generator_channels": 24,
    "downsamplings": 3,
    "residual_blocks": 4,
    "discriminator_channels": 24,
    "discriminator_scales": 2,
    "face_generator_channels": 32,
    "face_downsamplings": 1,  # a face box of 32 px has no detail to spare
    "face_residual_blocks": 4,
    "face_discriminator_channels": 24,
}

_GPU_TRAINING = {"body": {"epochs": 5}, "face": {"epochs": 5}, "precision": "bfloat16"}
# The paper's 5 epochs of pairs at half size, 30 at full size, 5 for the face; body goes before.
_IN_TWO_SIZES = {
    **_GPU_TRAINING,
    "stages": list(STAGES),
    "temporal": {"epochs": 5},
    "enhance": {"epochs": 30},
}
# A resume point of the full-size networks is several GB.
_GPU_RUNTIME = {"loader_workers": 4, "checkpoint_every_s": 600.0}

PRESETS: dict[str, dict[str, Any]] = {
    # A preview in minutes on two cores: sizes and rates measured in docs/presets.md.
    "cpu": {
        "canvas": {"pixels": 12_288},
        "labels": {"thickness": 2.0},
        "network": _SMALL_NETWORK,
        "training": {
            "body": {"steps": 400, "learning_rate": 1e-3},
            "temporal": {"steps": 200, "learning_rate": 1e-3},
            "face": {"steps": 1100, "learning_rate": 1e-3, "batch_size": 2},
        },
    },
    # By the memory of the GPU; edn_core/training/cost.py counts what they need, docs/presets.md has
    # the table. The networks are pix2pixHD's. The epochs are named, also where they are the
    # defaults, so that a file which sets something else of a stage keeps them.
    "8gb": {
        "training": {**_GPU_TRAINING, "temporal": {"epochs": 30}},
        "runtime": {**_GPU_RUNTIME, "resident_frames": "never"},  # no memory to spare
    },
    "12gb": {
        "canvas": {"pixels": 294_912},
        "training": _IN_TWO_SIZES,
        "runtime": {**_GPU_RUNTIME, "resident_frames": "never"},
    },
    "24gb": {"canvas": {"pixels": 524_288}, "training": _IN_TWO_SIZES, "runtime": _GPU_RUNTIME},
    "80gb": {"canvas": {"pixels": 2_097_152}, "training": _IN_TWO_SIZES, "runtime": _GPU_RUNTIME},
}

FORMER_PRESETS = {"gpu": "8gb, 12gb, 24gb or 80gb, by the memory of the GPU"}
"""Names that earlier versions had, and what took their place."""


def unknown_preset(name: Any) -> str:
    """What is wrong with the name of a preset, and which there are."""
    if isinstance(name, str) and name in FORMER_PRESETS:
        return f"preset {name!r} has become {FORMER_PRESETS[name]}; or auto, which chooses by it"
    return f"preset is {name!r}; known: {', '.join(('auto', *PRESETS))}"


def _check_dancer(index: int | None, box: tuple[float, float, float, float] | None) -> None:
    if index is not None and index < 0:
        raise ValueError(f"dancer_index must not be negative, got {index}")
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(
            f"dancer_box is {list(box)}; expected [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
        )


def _check_fractions(section: Any, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(section, name) <= 1:
            raise ValueError(f"{name} must lie in 0..1, got {getattr(section, name)}")


def _check_choice(section: Any, name: str, known: tuple[str, ...]) -> None:
    if getattr(section, name) not in known:
        raise ValueError(f"{name} is {getattr(section, name)!r}; known: {', '.join(known)}")


def read_section(cls: type[Section], values: dict[str, Any] | None, name: str) -> Section:
    """Make a section's dataclass from the values of the config file.

    Args:
        cls: one of the dataclasses of this module.
        values: what the file says under that name; None for nothing.
        name: dotted place in the file, "" for the whole file.

    Returns:
        The section, sub-sections included.

    Raises:
        ValueError: an unknown key (the nearest known one is named), a wrong type or an impossible
            value; the message begins with the place.
    """
    place = f"config.yaml: {name}" if name else "config.yaml"
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ValueError(f"{place} is {values!r}; expected a section of settings")
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(hints)}"
            raise ValueError(f"{place} has no key {key!r}; {hint}")
    converted = {
        key: _convert(hints[key], value, f"{name}.{key}" if name else key)
        for key, value in values.items()
    }
    try:
        return cls(**converted)
    except TypeError as error:
        raise ValueError(f"{place}: {str(error).replace('__init__() ', '')}") from error
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _convert(hint: Any, value: Any, name: str) -> Any:
    """Turn a YAML value into the field's type, or say what was expected."""
    if dataclasses.is_dataclass(hint):
        return read_section(typing.cast(type, hint), value, name)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        return _convert(arguments[0], value, name)
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is Ellipsis:
            return tuple(
                _convert(arguments[0], item, f"{name}[{i}]") for i, item in enumerate(value)
            )
        if len(arguments) == len(value):
            return tuple(
                _convert(one, item, name) for one, item in zip(arguments, value, strict=True)
            )
    elif origin is dict and isinstance(value, dict):
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and type(value) is hint:
        return value
    raise ValueError(f"config.yaml: {name} is {value!r}; expected {_type_name(hint)}")


def _type_name(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    return names.get(hint) or {tuple: "a list", dict: "a section of settings"}.get(
        origin, str(hint)
    )


def check_config(values: dict[str, Any], schema_path: str | Path) -> None:
    """Check a configuration against the closed schema, then every value.

    Args:
        values: what the config files and --config say.
        schema_path: ``workflow/schemas/config.schema.yaml`` (types; no key beyond those it names).

    Raises:
        ValueError: one line for the first thing that is wrong; an unknown key comes with the
            nearest known one.
    """
    import jsonschema  # here, so that benchmarks.gpu runs where there is little besides torch
    import yaml

    # Under a preset, as in use: a stage's steps may come from there. Which one changes no verdict.
    read_section(Config, with_preset(values, "8gb"), "")
    schema = yaml.safe_load(Path(schema_path).read_text())
    for error in jsonschema.Draft202012Validator(schema).iter_errors(values):
        place = ".".join(str(part) for part in error.absolute_path)
        raise ValueError(f"config.yaml: {place or 'the file'}: {error.message}")


def with_preset(values: dict[str, Any], preset: str) -> dict[str, Any]:
    """Put a preset's values under those of the config file.

    A stage for which the file gives ``steps`` loses the preset's ``epochs``, and the other way
    round: they are one setting in two units.

    Args:
        values: what the config file says.
        preset: a key of PRESETS.

    Returns:
        A new dict; the file's values win.
    """
    return _merged(PRESETS[preset], values)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    if "steps" in over or "epochs" in over:
        merged.pop("steps", None)
        merged.pop("epochs", None)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        elif value is not None or not isinstance(merged.get(key), dict):
            merged[key] = value  # a section left empty in the file (None) takes nothing away
    return merged
