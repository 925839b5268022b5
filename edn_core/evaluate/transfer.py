"""How good is a transfer? There is no truth: pose, colours and steadiness beside references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edn_core.band import REACH, dancer_band, dancer_size
from edn_core.compose import Composer, read_background
from edn_core.config import PoseConfig
from edn_core.evaluate.files import NO_POSE, finished_footage, spread
from edn_core.evaluate.plots import COLUMNS, N_EXAMPLES, plot_transfer
from edn_core.evaluate.poses import find_poses
from edn_core.footage import Footage, shrunk
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, Person, read_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.metrics.colours import colour_distance, colour_intersection, lab_histogram
from edn_core.metrics.motion import backward_flow, flow_warping_error
from edn_core.metrics.parts import hand_changes, missing_parts
from edn_core.metrics.poses import POSE_GROUPS, inside, pose_errors, torso_length
from edn_core.metrics.table import Means, mean_columns
from edn_core.split import Split
from edn_core.store import write_json

SCHEMA = "edn-fidelity", 2
REFERENCE_FRAMES = 250  # of the target's and the source's video, for each reference
LIMB_WIDTH = 0.25  # of the torso: clothes and skin, little of the room
LOOKED_FOR = (
    *(f"pose_{group}_{unit}" for unit in ("px", "percent") for group in POSE_GROUPS),
    *(f"missed_{group}" for group in POSE_GROUPS),
)
SEEN = (
    *("missing_head", "missing_hands", "missing_feet", "hand_changes"),
    *("colour_intersection", "colour_distance", "flow_warping", "background_flicker"),
)
MEASURES = (*LOOKED_FOR, *SEEN)
SHORT_MEASURES = ("pose_body_percent", "pose_all_percent", "missed_body", "missed_all", *SEEN)
Row = dict[str, float]


@dataclass(frozen=True)
class TransferFiles:
    """What the evaluation of a transfer reads."""

    frames: Path  # synthesized pictures
    keypoints: Path  # what they were asked to show, in px of the target's video
    target_video: Path
    target_keypoints: Path
    source_video: Path
    source_keypoints: Path
    room: Path | None = None  # the target's; none where the whole picture is painted
    truth: Path | None = None  # what evaluate_truth wrote for the target; none: no poses compared


def evaluate_transfer(
    files: TransferFiles,
    split: Split,
    pose: PoseConfig,
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

    Writes JSON (``edn-fidelity``), which is returned, and a PNG of it over time. ``pose``,
    ``threads`` and ``device`` (auto, cpu or cuda) are of the pose backend, and unused without
    ``files.truth``.
    """
    target, target_keypoints = finished_footage(files.target_video, files.target_keypoints)
    source, source_keypoints = finished_footage(files.source_video, files.source_keypoints)
    painted = FrameReader(files.frames)
    background = read_background("room", files.room, painted.info.clip.size)
    frames = Composer(painted, background, target.halvings)
    asked = shrunk(read_keypoints(files.keypoints), target.halvings)
    numbers = range(len(frames))
    found: Iterator[Person | None] = repeat(None, len(frames))
    if files.truth:
        images = (frames[number] for number in numbers)
        found = find_poses(images, asked, numbers, pose, threads, device)
    examples: list[tuple[np.ndarray, Person, Person | None]] = []
    shown = set(spread(numbers, N_EXAMPLES))
    poses: list[Row] = []
    parts: list[Row] = []
    what = f"evaluate {asked.video} to {target_keypoints.video}"
    for number, person in enumerate(progress(found, what, len(frames))):
        wanted = inside(asked.person(number), frames.size)
        if person is not None:
            poses.append(pose_errors(person, wanted))
        if painted.info.channels == 4 and painted.has(number):
            parts.append(missing_parts(frames.matte(number, painted[number]), asked, number))
        if number in shown:
            examples.append((frames[number], wanted, person))
    steady = flicker_of(frames, asked, numbers[1:])
    own_poses = _own_poses(files.truth, target_keypoints, split) if files.truth else []
    own_numbers = spread(range(1, len(target)), REFERENCE_FRAMES)
    own_steady = flicker_of(target, target_keypoints, own_numbers)

    trained = spread(split.train_frames, REFERENCE_FRAMES)
    first, second = trained[: len(trained) // 2], trained[len(trained) // 2 :]
    early, late = (colours_of(target, target_keypoints, half) for half in (first, second))
    made = colours_of(frames, asked, numbers)
    strange = colours_of(source, source_keypoints, spread(range(len(source)), REFERENCE_FRAMES))
    columns = {
        "output": _means(asked, [*poses, *steady, *parts], _likeness(made, early + late)),
        "own_video": _means(target_keypoints, own_poses + own_steady, _likeness(late, early)),
        "stranger": mean_columns([_likeness(strange, early + late)], 1, MEASURES),
    }
    result = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "source": source_keypoints.video,
        "target": target_keypoints.video,
        "n_frames": len(frames),
        "torso_px": round(torso_length(asked), 3),
        "absent": {} if files.truth else dict.fromkeys(LOOKED_FOR, NO_POSE),
        **columns,
    }
    write_json(metrics_path, result)
    rows = {name: [row[name] for row in poses] for name in ("pose_all_px", "missed_all")}
    rows |= {name: [row[name] for row in steady] for name in ("flow_warping", "background_flicker")}
    plot_transfer(plot_path, result, rows, examples, asked.skeleton)
    LOGGER.info(
        f"{result['source']} to {result['target']}, {len(frames)} frames:\n{fidelity_table(result)}"
    )
    return result


def fidelity_table(result: dict[str, Any]) -> str:
    """A line per measure: the output beside its references."""
    lines = [f"{'':22}" + "".join(f"{words:>17}" for words, _ in COLUMNS.values())]
    for name in SHORT_MEASURES:
        values = (result[column][name] for column in COLUMNS)
        cells = ("-" if value is None else f"{value:.4g}" for value in values)
        lines.append(f"{name:22}" + "".join(f"{cell:>17}" for cell in cells))
    return "\n".join(lines)


def _own_poses(truth_path: Path, keypoints: Keypoints, split: Split) -> list[Row]:
    """Pose errors of the target's own true frames."""
    truth = read_keypoints(truth_path)
    return [
        pose_errors(truth.person(number), inside(keypoints.person(number), keypoints.clip.size))
        for number in split.test
    ]


def flicker_of(
    frames: Composer | Footage, keypoints: Keypoints, numbers: Sequence[int]
) -> list[Row]:
    """Flicker of some frames, each against the one before it.

    Args:
        frames: of the video.
        keypoints: of the dancer in it.
        numbers: of the frames, from 1 on.

    Returns:
        Per frame ``flow_warping``: flow_warping_error along the frames' own flow, 0 to 1;
        ``background_flicker``: mean absolute change of brightness far from the dancer, grey levels
        0 to 255, NaN where nothing is far.
    """
    reach = REACH * dancer_size(keypoints)
    rows = []
    for number in progress(numbers, f"flicker of {keypoints.video}"):
        images = frames[number - 1], frames[number]
        size = images[0].shape[:2]
        near = np.zeros(size, bool)
        for one in (number - 1, number):
            near |= dancer_band(keypoints.person(one), keypoints.skeleton, size, reach)
        before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.int16) for one in images)
        change = np.abs(after - before)[~near]
        rows.append(
            {
                "flow_warping": flow_warping_error(*images, *backward_flow(*images)),
                "background_flicker": float(change.mean()) if change.size else float("nan"),
            }
        )
    return rows


def colours_of(
    frames: Composer | Footage, keypoints: Keypoints, numbers: Sequence[int]
) -> np.ndarray:
    """Colours of the dancer over some frames, see lab_histogram; zeros where nobody is seen."""
    total = lab_histogram(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), bool))
    width = LIMB_WIDTH * torso_length(keypoints)
    for number in numbers:
        person = keypoints.person(number)
        band = dancer_band(person, keypoints.skeleton, keypoints.clip.size, width)
        total += lab_histogram(frames[number], band)
    return total


def _likeness(colours: np.ndarray, reference: np.ndarray) -> Row:
    return {
        "colour_intersection": colour_intersection(colours, reference),
        "colour_distance": colour_distance(colours, reference),
    }


def _means(keypoints: Keypoints, rows: list[Row], likeness: Row) -> Means:
    once = likeness | {"hand_changes": hand_changes(keypoints)}
    return mean_columns([*rows, once], torso_length(keypoints), MEASURES)
