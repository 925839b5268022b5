"""Pictures beside the truth, frame by frame: every column of an evaluation, in one pass."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise, repeat, tee
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
    finished_footage,
)
from edn_core.evaluate.poses import find_poses
from edn_core.evaluate.regions import box_mask, boxes_of, hands_mask
from edn_core.frames import FrameReader
from edn_core.keypoints import Person, read_keypoints
from edn_core.metrics import METRICS, region_mean, temporal_difference_error
from edn_core.metrics.motion import backward_flow, flow_warping_error
from edn_core.metrics.poses import pose_errors, torso_length
from edn_core.metrics.table import mean_columns
from edn_core.networks.alexnet import Lpips, read_lpips
from edn_core.split import Split
from edn_core.store import write_json
from edn_core.threads import in_order

SCHEMA = "edn-metrics", 3
COUNTS = ("n_frames", "n_persons", "n_faces", "n_poses")
"""Held-out frames, and of these those with a person, a face and a pose found anew."""
Row = dict[str, float]
"""The numbers of one picture: names of columns; ``squared_error`` in place of PSNR."""


@dataclass(frozen=True)
class TrueFrame:
    """A held-out frame, and what pictures of it are compared with."""

    number: int  # of the frame in the video
    image: np.ndarray  # (H, W, 3) uint8
    regions: dict[str, np.ndarray]  # suffix of the column -> (H, W) bool
    pose: Person | None  # found in the image itself; None where poses are not compared
    previous: np.ndarray | None  # the frame before; None for the first

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
    """The held-out frames of a target, to be gone through once per method, and what is measured.

    Frames are the video's own, halved until the dancer is at most 512 px high: so presets and
    windows of all sizes compare. Keypoints, and boxes (T, 4) about the face, are those of the whole
    video, in px of these frames.
    """

    def __init__(
        self, files: EvaluationFiles, split: Split, measures: Measures, device: torch.device
    ) -> None:
        """Open the files.

        Raises:
            Refused: too few held-out frames.
        """
        check_split(split, files.video)
        self.test, self.measures, self.device = split.test, measures, device
        self.frames, self.keypoints = finished_footage(files.video, files.keypoints)
        # Found in the held-out frames; None: poses are not compared.
        self.poses = read_keypoints(files.truth) if files.truth else None
        self.boxes = boxes_of(self.keypoints)
        self.lpips: Lpips | None = None
        if alexnet := measures.evaluation.alexnet:
            self.lpips = read_lpips(alexnet, measures.evaluation.alexnet_sha256).to(device)
        self._masks = FrameReader(files.masks) if files.masks else None

    def __iter__(self) -> Iterator[TrueFrame]:
        """The held-out frames in order; one at a time in memory."""
        previous: np.ndarray | None = None
        size = self.frames.size
        for number in self.test:
            image = self.frames[number]
            regions = {
                "": np.ones(size, bool),
                "_person": self.person_mask(number),
                "_face": box_mask(self.boxes[number], size),
                "_hands": hands_mask(self.keypoints.person(number), size),
            }
            pose = self.poses.person(number) if self.poses else None
            yield TrueFrame(number, image, regions, pose, previous)
            previous = image

    def person_mask(self, number: int) -> np.ndarray:
        """Where the dancer is: (H, W) bool, by his matte or, without one, about his skeleton."""
        size = self.frames.size
        if self._masks is None:
            person, width = self.keypoints.person(number), BAND * size[0]
            return dancer_band(person, self.keypoints.skeleton, size, width)
        if not self._masks.has(number):
            return np.zeros(size, bool)
        to_frame = halved_affine(self._masks.info.to_video[number], self.frames.halvings)
        return cv2.warpAffine(self._masks[number], to_frame, size[::-1]) > 127

    def count(self) -> dict[str, int]:
        """COUNTS of the held-out frames."""
        is_held_out = slice(self.test.start, self.test.stop)
        persons, poses = (
            one.is_seen[is_held_out].sum() if one else 0 for one in (self.keypoints, self.poses)
        )
        faces = (self.boxes[is_held_out, 0] >= 0).sum()
        return dict(zip(COUNTS, map(int, (len(self.test), persons, faces, poses)), strict=True))

    def find_poses(
        self, images: Iterable[np.ndarray], numbers: Sequence[int]
    ) -> Iterator[Person | None]:
        """Who is found in pictures of these frames; None where poses are not compared."""
        if self.poses is None:
            return repeat(None, len(numbers))
        pose, threads = self.measures.pose, self.measures.threads
        return find_poses(images, self.poses, numbers, pose, threads, self.device.type)


Compared = tuple[TrueFrame, np.ndarray, Row]
"""A held-out frame, the picture (H, W, 3) uint8 it was compared with, and the picture's numbers."""


def compare_frames(truth: Truth, outputs: Iterable[np.ndarray]) -> Iterator[Compared]:
    """Compare every held-out frame with a picture of its own."""
    outputs, to_look_at = tee(outputs) if truth.poses else (outputs, ())
    poses = truth.find_poses(to_look_at, truth.test)

    # The poses first: looking for them reads ahead, and the pictures are kept meanwhile.
    columns = zip(truth, poses, outputs, strict=True)
    first: tuple[Any, ...] = (None, None, None)

    def compare(pair: tuple[tuple[Any, ...], tuple[Any, ...]]) -> Compared:
        (*_, before), (true, pose, output) = pair
        return true, output, compare_frame(true, output, before, pose, truth.lpips)

    return in_order(compare, pairwise(chain([first], columns)), truth.measures.threads)


def compare_frame(
    true: TrueFrame,
    output: np.ndarray,
    previous: np.ndarray | None,
    pose: Person | None,
    lpips: Lpips | None,
) -> Row:
    """Every number of one picture (H, W, 3) uint8.

    Before the first picture there is none, a pose is found only where poses are compared, and a
    network where there are weights for it.
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
    path: str | Path, truth: Truth, stage: str, rows: Mapping[str, list[Row]]
) -> dict[str, Any]:
    """Write the means of every method's numbers of each frame (``edn-metrics``), and return them.

    The stage is the generator's, "" for the baselines.
    """
    torso = torso_length(truth.poses or truth.keypoints, truth.test.start, truth.test.stop)
    content = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "video": truth.keypoints.video,
        "stage": stage,
        **truth.count(),
        "torso_px": round(torso, 3),
        "absent": absent_columns(truth.measures.evaluation, truth.poses is not None),
        "methods": {method: mean_columns(values, torso) for method, values in rows.items()},
    }
    write_json(path, content)
    return content


def _region_means(name: str, values: np.ndarray, regions: dict[str, np.ndarray]) -> Row:
    return {name + suffix: region_mean(values, mask) for suffix, mask in regions.items()}
