"""A live picture in, the target in the same pose in his room out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from edn_core.checkpoint import TrainedGenerator, load_generator
from edn_core.compose import compose, read_background
from edn_core.config import LabelConfig, NormalizationConfig, PoseConfig, StatisticsConfig
from edn_core.dataset import label_to_tensor
from edn_core.errors import Refused
from edn_core.face import face_boxes
from edn_core.frames import FramesInfo
from edn_core.keypoints import Keypoints, Person, missing_person
from edn_core.live.placing import LivePlacing
from edn_core.normalize import VideoStatistics, read_statistics
from edn_core.pose import make_backend
from edn_core.pose.backend import largest_people
from edn_core.pose.tracking import box_overlap
from edn_core.provenance import Provenance
from edn_core.render import describe_drawing, find_style, line_width
from edn_core.shadow import casting, read_shadow
from edn_core.store import file_sha256
from edn_core.synthesize import (
    face_arguments,
    load_networks,
    synthesize_step,
    to_levels,
    to_picture,
)
from edn_core.tidy import tidying
from edn_core.timeline import Clip
from edn_core.window import Window, frames_info, in_window, read_window

SAME_DANCER = 0.2  # overlap of the body's box with that of the frame before


@dataclass(frozen=True)
class LiveSettings:
    """How the live dancer is found and placed.

    ``pose.max_people`` above 1 follows the dancer among others by the overlap with where he was,
    and starts with the largest.
    """

    pose: PoseConfig = field(default_factory=lambda: PoseConfig(max_people=1))
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)
    calibrate_s: float = 3.0  # over which he is measured, from when he is first seen
    device: str = "auto"  # runtime.device, for the pose backend
    threads: int = 1  # of the pose backend's networks
    background: str = "room"  # what stands behind him, as assembly.background says it
    room: str | Path | None = None  # the target's room.png; none: that beside his statistics


class Seen(NamedTuple):
    """A live frame, as it is given to the generator."""

    inside: Keypoints  # in px of the window, after those of the frames before
    info: FramesInfo  # where the window lies in them
    label: np.ndarray  # (h, w, 3) uint8
    is_there: bool  # whether anybody was seen


class LiveDancer:
    """Pose, placing, window, label and generator, with what each remembers of the frames before.

    The window follows as it does in a film, but knows the past alone: its centre is late by a
    fraction of window.CENTRE_S, its size by one of normalize.HEIGHT_S.
    """

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

        ``device`` is where the generator computes, ``source`` names the video, for pose backends
        that read files, ``size`` is (H, W) of the live pictures, px. Raises ValueError: a file is
        missing or of another target, or the backend does not give the points that the generator was
        trained on.
        """
        trained = load_generator(generator_path)
        self._window = _find_window(trained, generator_path, statistics_path)
        self._target = _read_target(statistics_path, self._window)
        self._shadow: np.ndarray | None = None
        room = Path(settings.room or Path(statistics_path).with_name("room.png"))
        if trained.has_matte:
            self._background = _read_background(settings.background, room, self._window)
            report = room.with_suffix(".json")
            self._shadow = read_shadow(report if report.is_file() else None)
        elif settings.background == "room" and settings.room is None:
            self._background = None  # it is painted
        else:
            found = "paints the whole picture, background and all"
            raise Refused(generator_path, found, "", "leave --background and --room out")
        unknown = Clip(n_frames=0, fps=Fraction(1), video=source, width=size[1], height=size[0])
        self._backend = make_backend(settings.pose, unknown, settings.threads, settings.device)
        self._followed = self._follow()
        self._skeleton = self._backend.skeleton
        self._style = find_style(trained.label_style, f"{generator_path}: the label style")
        self._thickness = trained.label_config.get("thickness", 1.0)
        labels = LabelConfig(trained.label_style, self._thickness)
        drawn = describe_drawing(labels, self._skeleton)
        if drawn != trained.label_config:
            raise Refused(
                generator_path,
                f"was trained on labels drawn as {trained.label_config}",
                f"{drawn}, as this release draws them with pose backend {settings.pose.backend}",
                "take the pose backend that the target was trained with (--backend), or train anew",
            )
        self.provenance = Provenance(source, self._target.video, file_sha256(generator_path))
        self._face_side, self._has_matte = trained.face_side, trained.has_matte
        self._networks, self._device = load_networks(trained, device), device
        self._placing = LivePlacing(
            self._target,
            self._skeleton,
            size,
            settings.statistics,
            settings.normalization,
            settings.calibrate_s,
        )
        self._body: np.ndarray | None = None
        self._previous = torch.zeros(1, 3, *self._window.size, device=device)
        self._find(np.zeros((*size, 3), np.uint8), 0)
        self._followed = self._follow()  # a run's first picture is looked at thoroughly
        self._paint(self._draw(self._placing.nobody()))
        self._previous = torch.zeros_like(self._previous)

    def dance(self, image: np.ndarray, number: int, time_s: float) -> np.ndarray:
        """The target in the pose of a (H, W, 3) uint8 RGB picture, frame ``number`` of its video.

        ``time_s`` is the source's clock, ascending. (H, W, 3) uint8 RGB, as large as the target's
        video: the room where nobody is seen; (H, W, 4) on a transparent background.
        """
        return self.paint(self.see(image, number, time_s))

    def see(self, image: np.ndarray, number: int, time_s: float) -> Seen:
        """What ``dance`` paints: all until the network; a thread may do so while another paints."""
        person = missing_person(self._skeleton) | self._choose(self._find(image, number))
        return self._draw(self._placing.place(person, time_s))

    def _find(self, image: np.ndarray, number: int) -> list[Person]:
        """Everybody in a picture, looked for where they were in the one before."""
        if self._followed is None:
            return self._backend.find([image], number)[0]
        self._image = image
        return next(self._followed)

    def _follow(self) -> Iterator[list[Person]] | None:
        return self._backend.follow(self._images()) if self._backend.follow else None

    def _images(self) -> Iterator[np.ndarray]:
        while True:
            yield self._image

    def _draw(self, placed: Keypoints) -> Seen:
        """The last frame's label, and where it is."""
        info = frames_info(self._window, placed, self._target)
        inside = in_window(placed, info)
        thickness = line_width(self._thickness, info)
        label = self._style.draw(inside.person(-1), self._skeleton, info.size, thickness)
        return Seen(inside, info, label, bool((placed.score["body"][-1] > 0).any()))

    def paint(self, seen: Seen) -> np.ndarray:
        """What ``dance`` gives, of what ``see`` saw; in the order of time."""
        info = seen.info
        if self._has_matte and not seen.is_there:
            self._previous = torch.zeros_like(self._previous)
            if self._background is None:
                return np.zeros((*info.clip.size, 4), np.uint8)
            return self._background
        picture = tidying(seen.inside, info.figure_px)(-1, self._paint(seen))
        picture = casting(self._shadow, seen.inside, info.figure_px)(-1, picture)
        return compose(picture, info.to_video[-1], self._background, info.clip.size)

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
    def _paint(self, seen: Seen) -> np.ndarray:
        """The generator alone: (h, w, 3 or 4) uint8."""
        boxes = face_boxes(seen.inside, self._face_side)[-1:]
        label = label_to_tensor(seen.label, self._style)[None].to(self._device)
        output = synthesize_step(
            self._networks, label, self._previous, *face_arguments(boxes, self._device)
        )
        self._previous = output[:, :3]
        return to_picture(to_levels(output)[0].cpu())


def default_statistics(generator: str | Path) -> Path:
    """results/models/{target}/{stage}/{generator} -> results/videos/{target}/statistics.json."""
    folder = Path(generator).absolute().parent.parent
    return folder.parent.parent / "videos" / folder.name / "statistics.json"


def _find_window(
    trained: TrainedGenerator, generator: str | Path, statistics: str | Path
) -> Window:
    """The window that a generator was trained in; of one that was imported, its target's."""
    if trained.window is not None:
        return Window(**trained.window)
    beside = Path(statistics).with_name("window.json")
    if not beside.is_file():
        found = "does not say in what window it paints"
        raise Refused(generator, found, str(beside), f"run `snakemake {beside}`")
    window = read_window(beside)
    if window.size != (trained.height, trained.width):
        found = f"is of {window.width}x{window.height}"
        expected = f"{trained.width}x{trained.height}, as {generator} paints"
        raise Refused(beside, found, expected, "set background: paint and a canvas.pixels to fit")
    return window


def _read_target(path: str | Path, window: Window) -> VideoStatistics:
    if not Path(path).is_file():
        remedy = "name the target's with --statistics, or run `snakemake statistics`"
        raise Refused(path, "no such file", "", remedy)
    target = read_statistics(path)
    found, expected = (
        f"{one.video} of {width} x {height}"
        for one, width, height in (
            (target, target.width, target.height),
            (window, window.video_width, window.video_height),
        )
    )
    if found != expected:
        remedy = "give the statistics of the generator's own target"
        raise Refused(path, f"measured on {found}", f"{expected}, as it was trained on", remedy)
    return target


def _read_background(what: str, room: Path, window: Window) -> np.ndarray | None:
    if what == "room" and not room.is_file():
        remedy = f"run `snakemake {room}`, name it with --room, or give a --background"
        raise Refused(room, "no such file", "", remedy)
    return read_background(what, room, (window.video_height, window.video_width))


def _box(body: np.ndarray) -> np.ndarray:
    """(K, 3) -> x0, y0, x1, y1 px."""
    found = body[body[:, 2] > 0, :2]
    return np.concatenate([found.min(axis=0), found.max(axis=0)])
