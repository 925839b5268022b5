"""Where keypoints come from."""

import dataclasses
from dataclasses import dataclass, field

from edn_core.config.checks import check_choice, check_dancer, check_fractions
from edn_core.config.videos import DANCERS, VideoConfig


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
        check_fractions(self, "min_peak")
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
        check_fractions(self, "min_detection", "min_score")


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
        check_fractions(self, "min_visibility", "min_presence")
        check_choice(self, "dancer", DANCERS)
        check_choice(self, "coordinates", ("auto", "pixels", "fraction", "signed"))
        if self.max_people < 1:
            raise ValueError(f"max_people must be at least 1, got {self.max_people}")
        if self.dancer == "box" and self.dancer_box is None:
            raise ValueError(
                "dancer is 'box', so dancer_box must say where: [x0, y0, x1, y1] in pixels of the "
                "video"
            )
        check_dancer(self.dancer_index, self.dancer_box)


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
