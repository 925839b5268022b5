"""What an evaluation reads, and what it measures beyond what it can always measure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edn_core.band import dancer_size
from edn_core.config import EvaluationConfig, PoseConfig, read_section
from edn_core.errors import Refused
from edn_core.footage import Footage, halvings_to, shrunk
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.metrics import ALL_COLUMNS
from edn_core.split import Split

Item = TypeVar("Item")
TALLEST = 512
"""Px; how high a dancer is in the frames that are compared, at most."""
# The one backend for which the rules give no poses of the true frames.
NO_POSE = "pose.backend openpose_files reads keypoints found before: nothing finds new ones"
NO_LPIPS = "evaluation.alexnet is not set (auto), or its file was not to be had"


@dataclass(frozen=True)
class EvaluationFiles:
    """What an evaluation reads beside generators: the target's video and what was made of it."""

    video: Path
    keypoints: Path  # smoothed
    labels: Path
    masks: Path | None = None  # none where the whole picture is painted, and so are the next two
    room: Path | None = None
    room_report: Path | None = None  # room.json, for the shadow at the feet
    truth: Path | None = None  # what evaluate_truth wrote; none: poses are not compared


@dataclass(frozen=True)
class Measures:
    """With what is measured."""

    pose: PoseConfig = field(default_factory=PoseConfig)  # unused without EvaluationFiles.truth
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)  # AlexNet's weight file
    threads: int = 1  # for the pose backend, and for comparing


PICTURES_ALONE = Measures()


def named_files(kind: Any, paths: Any) -> Any:
    """EvaluationFiles or TransferFiles from a rule's inputs by name; None for an empty one."""
    found = {one.name: paths.get(one.name) for one in fields(kind)}
    return kind(**{name: Path(path) if path else None for name, path in found.items()})


def read_measures(pose: dict[str, Any], evaluation: dict[str, Any], threads: int) -> Measures:
    """Measures from what a rule passes on: ``pose`` and ``evaluation`` section, and threads."""
    return Measures(
        read_section(PoseConfig, pose, "pose"),
        read_section(EvaluationConfig, evaluation, "evaluation"),
        threads,
    )


def check_split(split: Split, path: str | Path) -> None:
    """Refuse a split that holds fewer than two of a video's frames out of training.

    Raises:
        Refused: names the video's file.
    """
    if len(split.test) < 2:
        found, remedy = f"{len(split.test)} held-out frames", "raise evaluation.test_fraction"
        raise Refused(path, found, "at least 2", remedy)


def finished_halvings(keypoints: Keypoints, tallest: float = TALLEST) -> int:
    """How often the frames of a video are halved to be compared: until the dancer is no taller."""
    return halvings_to(dancer_size(keypoints) or keypoints.height, tallest)


def finished_footage(video: Path, keypoints_path: Path) -> tuple[Footage, Keypoints]:
    """The frames of a video as they are compared, and the keypoints in them."""
    filmed = read_keypoints(keypoints_path)
    halvings = finished_halvings(filmed)
    return Footage(video, filmed.clip, halvings), shrunk(filmed, halvings)


def absent_columns(evaluation: EvaluationConfig, has_poses: bool) -> dict[str, str]:
    """Columns that cannot be measured and why."""
    reasons = {} if has_poses else {"pose": NO_POSE, "missed": NO_POSE}
    if not evaluation.alexnet:
        reasons["lpips"] = NO_LPIPS
    kinds = {name: name.split("_")[0] for name in ALL_COLUMNS}
    return {name: reasons[kind] for name, kind in kinds.items() if kind in reasons}


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, evenly spread from the first to the last."""
    chosen = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[i] for i in chosen]
