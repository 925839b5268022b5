"""From a video to its stick figure: window, keypoints, matte, normalization, labels."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Literal

from edn_core.config.checks import Amount, Count, Index, Must, Positive, Section, Share

Choice = Literal["largest", "centre", "longest", "index", "box"]
"""Ways to choose the dancer among several people."""
Coordinates = Literal["auto", "pixels", "fraction", "signed"]
"""Of the numbers in keypoint files: px of the video or its canvas, 0..1 or -1..1 of it."""
CanvasFit = Literal["auto", "stretched", "letterboxed", "cropped"]
"""How a video was put on a canvas of another aspect; auto: refused."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the video."""
Rate = Annotated[float, Must(lambda x: 0.5 <= x <= 1000, "be 0.5 to 1000")]
Odd = Annotated[int, Must(lambda n: n >= 1 and n % 2 == 1, "be odd and at least 1")]


def _check_box(box: Box | None) -> None:
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(
            f"dancer_box is {list(box)}; expected [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
        )


@dataclass(frozen=True)
class VideoConfig(Section):
    """What is particular to one video (``videos: {name: {...}}``)."""

    start_s: float = 0.0  # seconds of the video to skip
    stop_s: float | None = None  # second to stop at; none: the end
    fps: Rate | None = None  # pictures a second, of a folder of pictures
    held_out: tuple[int, int] | None = None  # frames [first, last); none: the last part
    dancer: Choice | None = None  # none: as pose.dancer says; so are the next two
    dancer_index: Index | None = None
    dancer_box: Box | None = None
    coordinates: Coordinates | None = None  # none: as pose.coordinates says; so are the next two
    canvas_fit: CanvasFit | None = None
    first_number: Index | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_box(self.dancer_box)
        if self.start_s < 0 or (self.stop_s is not None and self.stop_s <= self.start_s):
            raise ValueError(f"stop_s must lie after start_s, got {self.start_s} to {self.stop_s}")


@dataclass(frozen=True)
class CanvasConfig(Section):
    """The pictures that the networks see and paint."""

    pixels: Annotated[int, Must(lambda n: n >= 1024, "be at least 1024")] = 524_288
    """Of the window, its sides multiples of 32; with ``background: paint`` of the whole picture."""
    jpeg_quality: Annotated[int, Must(lambda n: 1 <= n <= 100, "be 1 to 100")] = 95
    """Of the stored photographs (4:4:4)."""


@dataclass(frozen=True)
class OpenposeConfig(Section):
    """OpenPose's networks, from its ``.pth`` files (academic, non-commercial use only)."""

    body: str | None = None  # body_pose_model.pth (COCO-18) or body_25.pth (BODY_25)
    hand: str | None = None  # hand_pose_model.pth; none: no hands
    face: str | None = None  # facenet.pth; none: no face
    body_sha256: str | None = None  # how the file's SHA-256 begins; none: not checked
    hand_sha256: str | None = None
    face_sha256: str | None = None
    net_height: Count = 368  # rows a frame is scaled to before the body network (OpenPose's box)
    scales: tuple[float, ...] = (1.0,)  # of net_height, whose maps are averaged
    batch_size: Count = 8  # frames per forward pass
    min_peak: Share = 0.1  # a heatmap peak below this is no joint (0..1)
    min_paf: float = 0.05  # a sample of the field below this does not speak for a limb
    min_parts: Count = 4  # a person of fewer joints is none
    min_person: float = 0.4  # nor is one whose mean score per joint is below this

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales must be numbers above 0, got {list(self.scales)}")


@dataclass(frozen=True)
class WholebodyConfig(Section):
    """A detector and a 133-keypoint network as ONNX files (``backend: wholebody``)."""

    detector: str | None = None  # YOLOX person detector (.onnx)
    pose: str | None = None  # RTMW or DWPose network with SimCC outputs (.onnx)
    detector_sha256: str | None = None  # how the file's SHA-256 begins; none: not checked
    pose_sha256: str | None = None
    min_detection: Share = 0.5  # a person the detector is less sure of is none (0..1)
    min_score: Share = 0.3  # a keypoint the network is less sure of is missing (0..1)


@dataclass(frozen=True)
class PoseConfig(Section):
    """How keypoints are found."""

    backend: str = "mediapipe"  # one of edn_core.pose.BACKENDS
    dancer: Choice = "largest"  # which of several people is followed
    dancer_index: Index = 0  # from the left, 0 first, where the most people are seen
    dancer_box: Box | None = None  # around the dancer when first seen
    max_people: Count = 3  # of a frame, at most (of a crowd the largest); each costs time
    models_folder: str = "resources/models"  # MediaPipe's networks; fetched when missing
    openpose_files: str = "openpose/{video}"  # folder, zip or tar of JSON or YAML files
    coordinates: Coordinates = "auto"  # of the numbers in them; auto: told from their range
    canvas_fit: CanvasFit = "auto"  # of the video on the canvas that they name
    first_number: Index | None = None  # of the file of the video's first frame; none: told
    min_visibility: Share = 0.5  # a body point believed hidden more than this is missing (0..1)
    min_presence: Share = 0.5  # a hand or face whose presence is below this is missing (0..1)
    openpose: OpenposeConfig = field(default_factory=OpenposeConfig)
    wholebody: WholebodyConfig = field(default_factory=WholebodyConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_box(self.dancer_box)
        if self.dancer == "box" and self.dancer_box is None:
            raise ValueError(
                "dancer is 'box', so dancer_box must say where: [x0, y0, x1, y1] in pixels of the "
                "video"
            )


def pose_of_video(pose: PoseConfig, video: VideoConfig) -> PoseConfig:
    """The pose settings of one video: its own over the general ones.

    Raises ValueError: the choice lacks its box, or comes with an index or a box that it does not
    use.
    """
    chosen, read = ("dancer", "dancer_index", "dancer_box"), ("coordinates", "canvas_fit")
    own = {name: getattr(video, name) for name in (*chosen, *read, "first_number")}
    merged = dataclasses.replace(pose, **{k: v for k, v in own.items() if v is not None})
    for choice in ("index", "box"):
        if own[f"dancer_{choice}"] is not None and merged.dancer != choice:
            raise ValueError(
                f"dancer_{choice} is given, but dancer is {merged.dancer!r}; add dancer: {choice}, "
                f"or take dancer_{choice} away"
            )
    return merged


@dataclass(frozen=True)
class MatteConfig:
    """How the dancer's outline is found."""

    by: Literal["network", "skeleton"] = "network"  # skeleton: for machines that cannot have it


@dataclass(frozen=True)
class SmoothingConfig(Section):
    """How keypoints are smoothed over time."""

    method: Literal["median_savgol", "median", "none"] = "median_savgol"  # median: the release's
    window_s: Positive = 0.25  # that median and parabola span; at least 5 frames
    window_frames: Odd | None = None  # exactly so many instead: 7 as in the release; 1: off
    max_gap_frames: Index = 4  # longer gaps stay empty: a guessed arm is worse than none
    hand_fade_s: Amount = 0.25  # that a lost hand stays on its wrist; 0: it blinks


@dataclass(frozen=True)
class StatisticsConfig(Section):
    """How a video's ankle and height levels are measured (paper, global pose normalization)."""

    min_score: Share = 0.1  # ankles and heads less certain than this do not count (0..1)
    far_fraction: Share = 0.7  # of the way from the median to close, above it (the paper's alpha)
    tolerance: Share = 0.05  # half a cluster's width, part of the ankle range (the paper's epsilon)
    min_frames: int = 20  # fewer good frames: one scale and one shift serve the whole video
    min_range: Share = 0.02  # a range below this part of the height is no change of depth
    level_window_s: Amount = 1.0  # of the level's running median: a jump is no walk; 0: off


@dataclass(frozen=True)
class NormalizationConfig(Section):
    """How the source's keypoints are moved into the target's frame."""

    mode: Literal["paper", "edn_release", "limbs"] = "paper"  # paper: about the frame's own ankles
    horizontal: Literal["scaled", "keep"] = "scaled"  # keep: x stays, as in the paper
    max_extrapolation: Amount = 0.25  # part of the range beyond which the scale is held
    as_shown: Share = 1.0  # how far head and feet are drawn back to what was shown; 0: as danced


@dataclass(frozen=True)
class LabelConfig(Section):
    """How the stick figure is drawn."""

    style: str = "edn"  # one of edn_core.render.LABEL_STYLES
    thickness: Annotated[float, Must(lambda x: 0 < x <= 20, "be above 0 and at most 20")] = 1.0
    """Multiplies line widths, which go with the figure's size; few pixels want more than 1."""
