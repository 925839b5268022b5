"""Pictures beside the truth, frame by frame: every column of an evaluation, in one pass."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import tee
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from edn_core.band import BAND, dancer_band
from edn_core.compose import halved_affine
from edn_core.evaluate.files import (
    EvaluationFiles,
    Measures,
    absent_columns,
    check_split,
    finished_halvings,
)
from edn_core.evaluate.poses import find_poses
from edn_core.evaluate.regions import box_mask, boxes_of, hands_mask
from edn_core.footage import Footage, shrunk
from edn_core.frames import FrameReader
from edn_core.keypoints import Person, read_keypoints
from edn_core.metrics import METRICS, region_mean, temporal_difference_error
from edn_core.metrics.motion import backward_flow, flow_warping_error
from edn_core.metrics.poses import pose_errors, torso_length
from edn_core.metrics.table import mean_columns
from edn_core.networks.alexnet import Lpips, read_lpips
from edn_core.split import Split
from edn_core.store import read_json, write_json

SCHEMA = "edn-metrics"
SCHEMA_VERSION = 3
COUNTS = ("n_frames", "n_persons", "n_faces", "n_poses")
"""Held-out frames, and of these those with a person, a face and a pose found anew."""
Row = dict[str, float]
"""The numbers of one picture: names of columns; ``squared_error`` in place of PSNR."""


@dataclass(frozen=True)
class TrueFrame:
    """A held-out frame, and what pictures of it are compared with.

    Attributes:
        number: of the frame in the video.
        image: (H, W, 3) uint8.
        regions: suffix of the column -> (H, W) bool.
        pose: found in the image itself; None where poses are not compared.
        previous: the frame before; None for the first.
    """

    number: int
    image: np.ndarray
    regions: dict[str, np.ndarray]
    pose: Person | None
    previous: np.ndarray | None

    @cached_property
    def flow(self) -> tuple[np.ndarray, np.ndarray] | None:
        """backward_flow from the frame before; the most costly number of all."""
        return None if self.previous is None else backward_flow(self.previous, self.image)

    def warping_error(self, previous: np.ndarray | None, output: np.ndarray) -> Row:
        """flow_warping of a picture and the one before it; empty for the first."""
        if previous is None or self.flow is None:
            return {}
        return {"flow_warping": flow_warping_error(previous, output, *self.flow)}


class Truth:
    """The held-out frames of a target, to be gone through once per method.

    Frames are the video's own, halved until the dancer is at most 512 px high: so presets and
    windows of all sizes compare.

    Attributes:
        frames: of the whole video.
        keypoints: in px of these frames.
        halvings: of the video's size.
    """

    def __init__(self, files: EvaluationFiles, split: Split) -> None:
        """Open the files.

        Raises:
            Refused: too few held-out frames.
        """
        check_split(split, files.video)
        self.split = split
        filmed = read_keypoints(files.keypoints)
        self.halvings = finished_halvings(filmed)
        self.frames = Footage(files.video, filmed.clip, self.halvings)
        self.keypoints = shrunk(filmed, self.halvings)
        self.poses = read_keypoints(files.truth) if files.truth else None
        self.boxes = boxes_of(self.keypoints)
        self._masks = FrameReader(files.masks) if files.masks else None

    def __iter__(self) -> Iterator[TrueFrame]:
        """The held-out frames in order; one at a time in memory."""
        previous: np.ndarray | None = None
        size = self.frames.size
        for number in self.split.test:
            image = self.frames[number]
            person = self.keypoints.person(number)
            yield TrueFrame(
                number=number,
                image=image,
                regions={
                    "": np.ones(size, bool),
                    "_person": self.person_mask(number),
                    "_face": box_mask(self.boxes[number], size),
                    "_hands": hands_mask(person, size),
                },
                pose=None if self.poses is None else self.poses.person(number),
                previous=previous,
            )
            previous = image

    def person_mask(self, number: int) -> np.ndarray:
        """Where the dancer is: (H, W) bool, by his matte or, without one, about his skeleton."""
        size = self.frames.size
        if self._masks is None:
            person, width = self.keypoints.person(number), BAND * size[0]
            return dancer_band(person, self.keypoints.skeleton, size, width)
        if not self._masks.has(number):
            return np.zeros(size, bool)
        to_frame = halved_affine(self._masks.info.to_video[number], self.halvings)
        return cv2.warpAffine(self._masks[number], to_frame, size[::-1]) > 127

    def count(self) -> dict[str, int]:
        """COUNTS of the held-out frames."""
        test = list(self.split.test)
        is_person, is_posed = (
            (one.score["body"][test] > 0).any(axis=1) if one else np.zeros(0)
            for one in (self.keypoints, self.poses)
        )
        is_face = self.boxes[test][:, 0] >= 0
        counts = (len(test), is_person.sum(), is_face.sum(), is_posed.sum())
        return dict(zip(COUNTS, map(int, counts), strict=True))


def compare_frames(
    truth: Truth, outputs: Iterable[np.ndarray], measures: Measures, device: torch.device
) -> Iterator[tuple[TrueFrame, np.ndarray, Row]]:
    """Compare a picture with every held-out frame.

    Args:
        truth: the held-out frames.
        outputs: (H, W, 3) uint8, one for each of them.
        measures: what to measure.
        device: of LPIPS and of pose backends that know a GPU.

    Yields:
        The true frame, the picture, its numbers.
    """
    poses: Iterable[Person | None] = (None for _ in truth.split.test)
    if truth.poses is not None and measures.pose is not None:
        outputs, to_look_at = tee(outputs)
        poses = find_poses(
            to_look_at,
            truth.poses,
            truth.split.test,
            truth.keypoints.clip,
            measures.pose,
            measures.threads,
            device.type,
        )
    lpips = lpips_network(measures, device)
    previous: np.ndarray | None = None
    compared: deque[tuple[TrueFrame, np.ndarray, Future[Row]]] = deque()
    # OpenCV and NumPy let go of the interpreter: pictures are made while others are compared.
    with ThreadPoolExecutor(measures.threads) as pool:
        # The poses first: looking for them reads ahead, and the pictures are kept meanwhile.
        for true, pose, output in zip(truth, poses, outputs, strict=True):
            row = pool.submit(compare_frame, true, output, previous, pose, lpips)
            compared.append((true, output, row))
            previous = output
            if len(compared) > 2 * measures.threads:
                yield _ready(*compared.popleft())
        while compared:
            yield _ready(*compared.popleft())


def _ready(
    true: TrueFrame, output: np.ndarray, row: Future[Row]
) -> tuple[TrueFrame, np.ndarray, Row]:
    return true, output, row.result()


def compare_frame(
    true: TrueFrame,
    output: np.ndarray,
    previous: np.ndarray | None = None,
    pose: Person | None = None,
    lpips: Lpips | None = None,
) -> Row:
    """Every number of one picture.

    Args:
        true: the frame it should be.
        output: (H, W, 3) uint8.
        previous: the picture before it; None for the first.
        pose: found in the output; None where poses are not compared.
        lpips: the network, where there are weights for it.
    """
    row: Row = {}
    for name, compare in METRICS.items():
        row |= _region_means(name, compare(output, true.image), true.regions)
    if lpips is not None:
        value, places = lpips_of(lpips, output, true.image)
        row |= _region_means("lpips", places, true.regions) | {"lpips": value}
    if previous is not None and true.previous is not None:
        row["temporal_difference"] = temporal_difference_error(
            previous, output, true.previous, true.image
        )
        row |= true.warping_error(previous, output)
    if pose is not None and true.pose is not None:
        row |= pose_errors(pose, true.pose)
    return row


def lpips_network(measures: Measures, device: torch.device) -> Lpips | None:
    """LPIPS on a device; None where no weights are configured."""
    evaluation = measures.evaluation
    if not evaluation.alexnet:
        return None
    return read_lpips(evaluation.alexnet, evaluation.alexnet_sha256).to(device)


def lpips_of(lpips: Lpips, output: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """LPIPS of two (H, W, 3) uint8 pictures: the published number, and its map (H, W)."""
    device = lpips.shift.device
    tensors = [
        torch.from_numpy(one).to(device).permute(2, 0, 1)[None].float() / 127.5 - 1
        for one in (output, truth)
    ]
    with torch.inference_mode():
        value, places = lpips(*tensors)
    return float(value), places[0].double().cpu().numpy()


def write_metrics(
    path: str | Path,
    truth: Truth,
    stage: str,
    rows: Mapping[str, list[Row]],
    measures: Measures,
) -> dict[str, Any]:
    """Write the means of every method's numbers (``edn-metrics``).

    Args:
        path: JSON to write.
        truth: what was compared with.
        stage: of the generator; "" for the baselines.
        rows: method -> numbers of each frame.
        measures: what was measured.

    Returns:
        What was written.
    """
    test = list(truth.split.test)
    # Where nobody's torso is seen, the picture's height stands in.
    torso = torso_length(truth.poses or truth.keypoints, test) or float(truth.keypoints.height)
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "video": truth.keypoints.video,
        "stage": stage,
        **truth.count(),
        "torso_px": round(torso, 3),
        "absent": absent_columns(measures, truth.poses is not None),
        "methods": {method: mean_columns(values, torso) for method, values in rows.items()},
    }
    write_json(path, content)
    return content


def read_metrics(path: str | Path) -> dict[str, Any]:
    """Read an ``edn-metrics`` file.

    Raises:
        Refused: not such a file, or another version; says how to remake it.
    """
    return read_json(path, (SCHEMA, SCHEMA_VERSION))


def _region_means(name: str, values: np.ndarray, regions: dict[str, np.ndarray]) -> Row:
    return {name + suffix: region_mean(values, mask) for suffix, mask in regions.items()}
