"""How good is a transfer? There is no truth: pose, colours and steadiness beside references."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.config import PoseConfig
from edn_core.evaluate.files import why_no_pose
from edn_core.evaluate.model import spread
from edn_core.evaluate.poses import find_poses, read_truth
from edn_core.evaluate.steadiness import (
    colours_in,
    colours_of,
    flicker_of,
    limb_width,
    pairs_of,
    reach_of,
)
from edn_core.evaluate.transfer_plot import TransferSeries, plot_transfer
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, Person, read_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.metrics import (
    POSE_GROUPS,
    colour_distance,
    colour_intersection,
    inside,
    pose_errors,
    torso_length,
)
from edn_core.split import Split
from edn_core.store import write_json

SCHEMA = "edn-fidelity"
SCHEMA_VERSION = 1
REFERENCE_FRAMES = 250  # of the target's and the source's video, for each reference
N_EXAMPLES = 5
MEASURES = (
    *(f"pose_{group}_{unit}" for unit in ("px", "percent") for group in POSE_GROUPS),
    *(f"missed_{group}" for group in POSE_GROUPS),
    *("colour_intersection", "colour_distance", "flow_warping", "background_flicker"),
)
SHORT_MEASURES = (
    *("pose_body_percent", "pose_all_percent", "missed_body", "missed_all"),
    *("colour_intersection", "colour_distance", "flow_warping", "background_flicker"),
)

COLUMNS = ("output", "own_video", "stranger")
"""The output; the target's own video, what is to be had; the source's dancer, another person."""

Row = dict[str, float]


@dataclass(frozen=True)
class TransferFiles:
    """What the evaluation of a transfer reads.

    Attributes:
        frames: synthesized frames.
        keypoints: what they were asked to show, in the target's canvas.
        target_frames: frames of the target's own video.
        target_keypoints: its keypoints.
        source_frames: frames of the source's video.
        source_keypoints: its keypoints.
        truth: what evaluate_truth wrote for the target; none: no reference for the pose.
    """

    frames: Path
    keypoints: Path
    target_frames: Path
    target_keypoints: Path
    source_frames: Path
    source_keypoints: Path
    truth: Path | None = None


def transfer_files(paths: Any) -> TransferFiles:
    """TransferFiles from a rule's inputs by name; ``truth`` may be empty."""
    found = {one.name: paths.get(one.name) for one in fields(TransferFiles)}
    return TransferFiles(**{name: Path(path) for name, path in found.items() if path})


def evaluate_transfer(
    files: TransferFiles,
    split: Split,
    pose: PoseConfig | None,
    metrics_path: str | Path,
    plot_path: str | Path,
    threads: int = 1,
    device: str = "auto",
) -> dict[str, Any]:
    """Measure a transfer without any truth.

    Pose fidelity: the pose found anew in the output against the one it was asked to show, beside
    the same of the target's true held-out frames against the target's keypoints. Appearance: the
    colours of the dancer against those of the target's training frames, beside those of the
    second half of these against the first, and of the source's dancer. Steadiness: the flow warping
    error along the output's own flow and the flicker of the background, beside those of the
    target's own video. Memory does not grow with the length but by a few numbers a frame.

    Args:
        files: what to read.
        split: the target's frames, divided as in training.
        pose: pose settings; none: poses are not compared.
        metrics_path: JSON to write (``edn-fidelity``).
        plot_path: PNG to write.
        threads: for the pose backend.
        device: for it too: auto, cpu or cuda.

    Returns:
        What was written to ``metrics_path``.

    Raises:
        ValueError: frames and keypoints are not of one transfer.
    """
    frames, asked = _opened(files.frames, files.keypoints)
    target, target_keypoints = _opened(files.target_frames, files.target_keypoints)
    source, source_keypoints = _opened(files.source_frames, files.source_keypoints)
    why = why_no_pose(pose)
    examples: list[tuple[np.ndarray, Person, Person | None]] = []
    poses: list[Row] = []
    shown = set(spread(list(range(len(frames))), N_EXAMPLES))
    found: Iterable[Person | None] = (None for _ in range(len(frames)))
    if pose is not None and not why:
        found = find_poses(
            (frames[number] for number in range(len(frames))),
            (asked.person(number) for number in range(len(frames))),
            frames.info,
            pose,
            asked.skeleton,
            threads,
            device,
        )
    colours = np.zeros(0)
    steady: list[Row] = []
    previous: np.ndarray | None = None
    width, reach = limb_width(asked), reach_of(asked)
    what = f"evaluate {asked.video} to {target.info.video}"
    for number, person in enumerate(progress(found, what, len(frames))):
        image, wanted = frames[number], inside(asked.person(number), frames.info.size)
        if person is not None:
            poses.append(pose_errors(person, wanted))
        in_frame = colours_in(image, asked, number, width)
        colours = in_frame if previous is None else colours + in_frame
        if previous is not None:
            steady.append(flicker_of(previous, image, asked, number, reach))
        previous = image
        if number in shown:
            examples.append((image, wanted, person))
    own = _target_reference(target, target_keypoints, split, files.truth if not why else None)
    halves, trained = _halves(target, target_keypoints, split)
    stranger = colours_of(
        source, source_keypoints, spread(list(range(len(source))), REFERENCE_FRAMES)
    )
    columns = {
        "output": _means(poses, steady, _torso(asked)) | _likeness(colours, trained),
        "own_video": own | _likeness(halves[1], halves[0]),
        "stranger": _likeness(stranger, trained),
    }
    result = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "source": source.info.video,
        "target": target.info.video,
        "n_frames": len(frames),
        "torso_px": round(_torso(asked), 3),
        "absent": (
            {name: why for name in MEASURES if name.startswith(("pose", "missed"))} if why else {}
        ),
        **{
            column: {name: _number(values.get(name)) for name in MEASURES}
            for column, values in columns.items()
        },
    }
    write_json(metrics_path, result)
    series = TransferSeries(poses, steady, colours, trained, stranger, examples, asked.skeleton)
    plot_transfer(plot_path, result, series)
    LOGGER.info(f"{result['source']} to {result['target']}, {len(frames)} frames:")
    for line in fidelity_table(result).splitlines():
        LOGGER.info(line)
    return result


def fidelity_table(result: dict[str, Any]) -> str:
    """A line per measure: the output beside its references."""
    names = [name for name in SHORT_MEASURES if name not in result["absent"]]
    titles = ("output", "target's video", "source's dancer")
    lines = [f"{'':22}" + "".join(f"{title:>17}" for title in titles)]
    for name in names:
        values = (result[column][name] for column in COLUMNS)
        cells = ("-" if value is None else f"{value:.4g}" for value in values)
        lines.append(f"{name:22}" + "".join(f"{cell:>17}" for cell in cells))
    return "\n".join(lines)


def _opened(frames_path: Path, keypoints_path: Path) -> tuple[FrameReader, Keypoints]:
    """Frames and their keypoints, which must be of one length and canvas."""
    frames, keypoints = FrameReader(frames_path), read_keypoints(keypoints_path)
    found = (len(keypoints), keypoints.height, keypoints.width)
    expected = (len(frames), *frames.info.size)
    if found != expected:
        raise ValueError(
            f"{keypoints_path}: {found[0]} frames of {found[2]} x {found[1]}, but {frames_path} "
            f"has {expected[0]} of {expected[2]} x {expected[1]}; they are not of one video: "
            "delete both and run again"
        )
    return frames, keypoints


def _target_reference(
    target: FrameReader, keypoints: Keypoints, split: Split, truth_path: Path | None
) -> Row:
    """What the target's own video has of pose errors and flicker."""
    truth = read_truth(truth_path, keypoints)
    poses = []
    if truth is not None:
        size = target.info.size
        for number in split.test:
            expected = inside(keypoints.person(number), size)
            poses.append(pose_errors(truth.person(number), expected))
    reach = reach_of(keypoints)
    numbers = spread(list(range(1, len(target))), REFERENCE_FRAMES)
    steady = [
        flicker_of(previous, image, keypoints, number, reach)
        for number, previous, image in progress(
            pairs_of(target, numbers), f"flicker of {target.info.video}", len(numbers)
        )
    ]
    return _means(poses, steady, _torso(keypoints))


def _halves(
    target: FrameReader, keypoints: Keypoints, split: Split
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Colours of the target's dancer in the halves of the training frames, and in both."""
    chosen = spread(split.train_frames, REFERENCE_FRAMES)
    middle = len(chosen) // 2
    first, second = (
        colours_of(target, keypoints, half) for half in (chosen[:middle], chosen[middle:])
    )
    return (first, second), first + second


def _likeness(colours: np.ndarray, reference: np.ndarray) -> Row:
    return {
        "colour_intersection": colour_intersection(colours, reference),
        "colour_distance": colour_distance(colours, reference),
    }


def _means(poses: list[Row], steady: list[Row], torso_px: float) -> Row:
    means = {}
    for rows in (poses, steady):
        for name in rows[0] if rows else ():
            values = [row[name] for row in rows if np.isfinite(row[name])]
            means[name] = float(np.mean(values)) if values else float("nan")
    for group in POSE_GROUPS:
        means[f"pose_{group}_percent"] = (
            100 * means.get(f"pose_{group}_px", float("nan")) / torso_px
        )
    return means


def _torso(keypoints: Keypoints) -> float:
    return torso_length(keypoints, range(len(keypoints))) or float(keypoints.height)


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 6)
