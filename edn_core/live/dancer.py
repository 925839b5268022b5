"""A live picture in, the target in the same pose out."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from edn_core.checkpoint import load_generator
from edn_core.config import LabelConfig, NormalizationConfig, PoseConfig, StatisticsConfig
from edn_core.dataset import label_to_tensor
from edn_core.errors import Refused
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import read_info
from edn_core.keypoints import Person, from_people, missing_person
from edn_core.live.placing import LivePlacing
from edn_core.normalize import VideoStatistics, read_statistics
from edn_core.pose import BACKENDS
from edn_core.pose.backend import largest_people
from edn_core.pose.tracking import box_overlap
from edn_core.provenance import Provenance
from edn_core.render import describe_drawing, find_style, render_label
from edn_core.store import file_sha256
from edn_core.synthesize import face_arguments, load_networks, synthesize_step, to_levels

SAME_DANCER = 0.2  # overlap of the body's box with that of the frame before


@dataclass(frozen=True)
class LiveSettings:
    """How the live dancer is found and placed.

    Attributes:
        pose: backend and its thresholds; ``max_people`` above 1 follows the dancer among others
            by the overlap with where he was, and starts with the largest.
        statistics: thresholds for measuring him.
        normalization: horizontal placement and clamping.
        calibrate_s: seconds over which he is measured, from when he is first seen.
        device: runtime.device, for the pose backend.
        threads: of the pose backend's networks.
    """

    pose: PoseConfig = field(default_factory=lambda: PoseConfig(max_people=1))
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)
    calibrate_s: float = 3.0
    device: str = "auto"
    threads: int = 1


class LiveDancer:
    """Pose, placing, label and generator, with what each remembers of the frame before."""

    def __init__(
        self,
        generator_path: str | Path,
        statistics_path: str | Path,
        settings: LiveSettings,
        device: torch.device,
        source: str,
        size: tuple[int, int],
    ) -> None:
        """Load everything, and run it once on an empty picture: the first time takes longest.

        Args:
            generator_path: the target's ``edn-generator`` file.
            statistics_path: the target's ``edn-statistics`` file.
            settings: pose and placing.
            device: where the generator computes.
            source: name of the video, for pose backends that read files.
            size: (H, W) of the live pictures, px.

        Raises:
            ValueError: a file is missing or of another target, or the backend does not give the
                points that the generator was trained on.
        """
        trained = load_generator(generator_path)
        self.size = trained.height, trained.width
        target = _read_target(statistics_path, self.size)
        name = settings.pose.backend
        if name not in BACKENDS:
            raise ValueError(f"the pose backend is {name!r}; known backends: {', '.join(BACKENDS)}")
        self._backend = BACKENDS[name](settings.pose, source, settings.threads, settings.device)
        self._skeleton = self._backend.skeleton
        self._style = find_style(trained.label_style, f"{generator_path}: the label style")
        self._label = LabelConfig(trained.label_style, trained.label_config.get("thickness", 1.0))
        drawn = describe_drawing(self._label, self._skeleton)
        if drawn != trained.label_config:
            raise Refused(
                generator_path,
                f"was trained on labels drawn as {trained.label_config}",
                f"{drawn}, as this release draws them with pose backend {name}",
                "take the pose backend that the target was trained with (--backend), or train anew",
            )
        self.provenance = Provenance(source, target.video, file_sha256(generator_path))
        frames_path = Path(statistics_path).with_name("frames.zip")
        self._cut = (0, 0, trained.width, trained.height)
        if frames_path.is_file():
            self._cut = read_info(frames_path).picture_box
        self._networks, self._device = load_networks(trained, device), device
        self._placing = LivePlacing(
            target,
            self._skeleton,
            size,
            settings.statistics,
            settings.normalization,
            settings.calibrate_s,
        )
        self._body: np.ndarray | None = None
        self._previous = torch.zeros(1, 3, *self.size, device=device)
        self._backend.find([np.zeros((*size, 3), np.uint8)], 0)
        self._paint(missing_person(self._skeleton))
        self._previous = torch.zeros_like(self._previous)

    def dance(self, image: np.ndarray, number: int, time_s: float) -> np.ndarray:
        """The target in the pose of a picture.

        Args:
            image: (H, W, 3) uint8 RGB.
            number: of the frame in its video.
            time_s: when, by the source's clock; ascending.

        Returns:
            (h, w, 3) uint8 RGB, the target's canvas without its padding.
        """
        # A run of one frame: the backend looks for the dancer anew each time, which costs less
        # than showing it the frame before as well, and finds him as well (docs/training.md).
        people = self._backend.find([image], number)[0]
        person = missing_person(self._skeleton) | self._choose(people)
        x0, y0, x1, y1 = self._cut
        return self._paint(self._placing.place(person, time_s))[y0:y1, x0:x1]

    def _choose(self, people: list[Person]) -> Person:
        """The one who overlaps most with the dancer of the frame before, else the largest."""
        people = [person for person in people if (person["body"][:, 2] > 0).any()]
        if not people:
            return {}
        chosen = largest_people(people, 1)[0]
        if self._body is not None and len(people) > 1:
            overlaps = [box_overlap(_box(person["body"]), _box(self._body)) for person in people]
            if max(overlaps) >= SAME_DANCER:
                chosen = people[int(np.argmax(overlaps))]
        self._body = chosen["body"]
        return chosen

    @torch.no_grad()
    def _paint(self, person: Person) -> np.ndarray:
        """Label and generator: (H, W, 3) uint8."""
        height, width = self.size
        keypoints = from_people(
            [person], self._skeleton, width=width, height=height, fps=Fraction(1), video="live"
        )
        boxes = face_boxes(keypoints, face_box_size(height))
        drawn = render_label(person, self._skeleton, self.size, self._label)
        label = label_to_tensor(drawn, self._style)[None].to(self._device)
        self._previous = synthesize_step(
            self._networks, label, self._previous, *face_arguments(boxes, self._device)
        )
        levels: np.ndarray = to_levels(self._previous)[0].cpu().numpy()
        return levels


def default_statistics(generator: str | Path) -> Path:
    """results/models/{target}/{stage}/{generator} -> results/videos/{target}/statistics.json."""
    folder = Path(generator).absolute().parent.parent
    return folder.parent.parent / "videos" / folder.name / "statistics.json"


def _read_target(path: str | Path, size: tuple[int, int]) -> VideoStatistics:
    if not Path(path).is_file():
        remedy = "name the target's with --statistics, or run `snakemake statistics`"
        raise Refused(path, "no such file", "", remedy)
    target = read_statistics(path)
    if (target.height, target.width) != size:
        raise Refused(
            path,
            f"measured on {target.height} x {target.width}",
            f"{size[0]} x {size[1]}, as the generator was trained on",
            "give the statistics of the generator's own target",
        )
    return target


def _box(body: np.ndarray) -> np.ndarray:
    """(K, 3) -> x0, y0, x1, y1 px."""
    found = body[body[:, 2] > 0, :2]
    return np.concatenate([found.min(axis=0), found.max(axis=0)])
