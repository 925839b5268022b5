"""What an evaluation reads, and what it measures beyond what it can always measure."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from edn_core.config import EvaluationConfig, PoseConfig, read_section
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints
from edn_core.metrics import ALL_COLUMNS, torso_length
from edn_core.networks.alexnet import Lpips, read_lpips
from edn_core.split import Split
from edn_core.store import check_schema, read_json

SCHEMA = "edn-metrics"
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class EvaluationFiles:
    """What an evaluation reads: a generator, and the target's frames, labels and keypoints.

    Attributes:
        generator: ``edn-generator`` file; unused for the baselines.
        frames: the target's frames.
        labels: the target's labels; unused for the baselines.
        keypoints: the target's keypoints, smoothed.
        truth: keypoints found in the true frames at the size of the canvas (evaluate_truth); none:
            poses are not compared.
    """

    generator: Path
    frames: Path
    labels: Path
    keypoints: Path
    truth: Path | None = None


@dataclass(frozen=True)
class Measures:
    """What is measured beyond the pictures themselves, and with what.

    Attributes:
        pose: the target's pose settings; none: no pose is looked for in the output.
        evaluation: AlexNet's weight file for LPIPS.
        threads: for the pose backend.
    """

    pose: PoseConfig | None = None
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    threads: int = 1


def target_files(paths: Any) -> EvaluationFiles:
    """EvaluationFiles from a rule's inputs by name; one that is missing or empty is not used."""
    found = {one.name: paths.get(one.name) or "" for one in fields(EvaluationFiles)}
    named = {name: Path(path) for name, path in found.items() if name != "truth"}
    return EvaluationFiles(**named, truth=Path(found["truth"]) if found["truth"] else None)


def read_measures(pose: dict[str, Any], evaluation: dict[str, Any], threads: int) -> Measures:
    """Measures from what a rule passes on: ``pose`` and ``evaluation`` section, and threads."""
    return Measures(
        read_section(PoseConfig, pose, "pose"),
        read_section(EvaluationConfig, evaluation, "evaluation"),
        threads,
    )


def check_split(split: Split, frames: FrameReader) -> None:
    """Refuse a split that holds too few frames out of training.

    Raises:
        ValueError: fewer than 2 held-out frames.
    """
    if len(split.test) < 2:
        raise ValueError(
            f"{frames.path}: {len(split.test)} held-out frames, expected at least 2; "
            "raise evaluation.test_fraction"
        )


def absent_columns(measures: Measures, has_truth: bool) -> dict[str, str]:
    """Columns that cannot be measured and why."""
    reasons = {}
    if not measures.evaluation.alexnet:
        reasons["lpips"] = (
            "evaluation.alexnet is not set: give the path of torchvision's alexnet-owt-7be5be79.pth"
        )
    why = why_no_pose(measures.pose)
    if not why and not has_truth:
        why = "the pose of the true frames was not estimated"
    if why:
        reasons["pose"] = reasons["missed"] = why
    return {
        name: reasons[name.split("_")[0]] for name in ALL_COLUMNS if name.split("_")[0] in reasons
    }


def why_no_pose(pose: PoseConfig | None) -> str:
    """Why poses cannot be found in synthesized frames; "" where they can."""
    if pose is None:
        return "no pose settings were given"
    if pose.backend == "openpose_files":
        return "pose.backend openpose_files reads keypoints found before: nothing finds new ones"
    return ""


def torso_of(keypoints: Keypoints, split: Split) -> float:
    """Length of the torso in the held-out frames, px; the canvas's height where it is unseen."""
    return torso_length(keypoints, list(split.test)) or float(keypoints.height)


def metrics_file(
    frames: FrameReader,
    stage: str,
    counts: dict[str, int],
    torso_px: float,
    absent: dict[str, str],
    methods: dict[str, Any],
) -> dict[str, Any]:
    """The content of an ``edn-metrics`` file."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "video": frames.info.video,
        "stage": stage,
        **counts,
        "torso_px": round(torso_px, 3),
        "absent": absent,
        "methods": methods,
    }


def read_metrics(path: str | Path) -> dict[str, Any]:
    """Read an ``edn-metrics`` file.

    Raises:
        ValueError: not such a file, or another version; says how to remake it.
    """
    content = read_json(path)
    check_schema(
        path, (content.get("schema"), content.get("schema_version")), (SCHEMA, SCHEMA_VERSION)
    )
    return content


def lpips_network(measures: Measures, device: torch.device) -> Lpips | None:
    """LPIPS on a device; None where no weights are configured."""
    evaluation = measures.evaluation
    if not evaluation.alexnet:
        return None
    return read_lpips(evaluation.alexnet, evaluation.alexnet_sha256).to(device)
