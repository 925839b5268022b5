"""Pictures beside the truth, frame by frame: every column of an evaluation, in one pass."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise, tee
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from edn_core.band import BAND, dancer_band
from edn_core.compose import halved_affine
from edn_core.evaluate.files import EvaluationFiles, Measures, check_split, finished_footage
from edn_core.evaluate.poses import find_poses
from edn_core.evaluate.regions import box_mask, boxes_of, hands_mask
from edn_core.frames import FrameReader
from edn_core.keypoints import Person, read_keypoints
from edn_core.metrics import METRICS, region_mean, temporal_difference_error
from edn_core.metrics.images import overlap
from edn_core.metrics.motion import backward_flow, flow_warping_error
from edn_core.metrics.poses import pose_errors
from edn_core.networks.alexnet import Lpips, read_lpips
from edn_core.split import Split
from edn_core.threads import in_order

COUNTS = ("n_frames", "n_persons", "n_faces", "n_poses")
"""Held-out frames, and of these those with a person, a face and a pose found anew."""
Row = dict[str, float]
"""The numbers of one picture: names of columns; ``squared_error`` in place of PSNR."""


class Shown(NamedTuple):
    """What a method shows in place of a held-out frame."""

    image: np.ndarray  # (H, W, 3) uint8
    matte: np.ndarray | None = None  # (H, W) uint8; None: there is none to compare
    pose: Person | None = None  # found in the image; None where poses are not compared


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

    def with_poses(self, shown: Iterable[Shown], threads: int) -> Iterator[Shown]:
        """The same of all held-out frames with who is found in them, where poses are compared."""
        if self.poses is None:
            return iter(shown)
        shown, to_look_at = tee(shown)
        images, device = (one.image for one in to_look_at), self.device.type
        poses = find_poses(images, self.poses, self.test, self.measures.pose, threads, device)
        # The poses first: looking for them reads ahead, and the pictures are kept meanwhile.
        return (one._replace(pose=pose) for pose, one in zip(poses, shown, strict=True))


class Compared(NamedTuple):
    """A held-out frame, what each method shows in its place, and the numbers of each."""

    true: TrueFrame
    shown: tuple[Shown, ...]
    rows: dict[str, Row]  # and of the method ``truth``: the true frames themselves


def compare_methods(truth: Truth, methods: Mapping[str, Iterable[Shown]]) -> Iterator[Compared]:
    """Compare every held-out frame with what each method shows in its place.

    All methods at once: decoding, regions and flow of a true frame cost more than a picture.
    """

    def compare(pair: tuple[tuple[Any, ...], tuple[Any, ...]]) -> Compared:
        (_, before), (true, shown) = pair
        rows = {"truth": true.warping_error(true.previous, true.image)}
        for name, one, previous in zip(methods, shown, before, strict=True):
            rows[name] = compare_picture(true, one, previous)
        if truth.lpips is not None:
            values, maps = lpips_of(truth.lpips, [one.image for one in shown], true.image)
            for name, value, places in zip(methods, values, maps, strict=True):
                rows[name] |= _region_means("lpips", places, true.regions) | {"lpips": value}
        return Compared(true, shown, rows)

    frames = zip(truth, zip(*methods.values(), strict=True), strict=True)
    first: tuple[Any, ...] = None, [None] * len(methods)
    return in_order(compare, pairwise(chain([first], frames)), truth.measures.threads)


def compare_picture(true: TrueFrame, shown: Shown, previous: Shown | None) -> Row:
    """Every number of one picture but LPIPS; before the first there is none."""
    row: Row = {}
    for name, compare in METRICS.items():
        row |= _region_means(name, compare(shown.image, true.image), true.regions)
    if previous is not None and true.previous is not None:
        row["temporal_difference"] = temporal_difference_error(
            previous.image, shown.image, true.previous, true.image
        )
        row |= true.warping_error(previous.image, shown.image)
    if shown.matte is not None:
        row["outline_iou"] = overlap(shown.matte > 127, true.regions["_person"])
    if shown.pose is not None and true.pose is not None:
        row |= pose_errors(shown.pose, true.pose)
    return row


def lpips_of(
    lpips: Lpips, images: Sequence[np.ndarray], truth: np.ndarray
) -> tuple[list[float], np.ndarray]:
    """LPIPS of (H, W, 3) uint8 pictures: the published number of each, and maps (N, H, W)."""
    stacked = torch.from_numpy(np.stack([*images, truth])).to(lpips.shift.device)
    tensors = stacked.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        values, places = lpips(tensors[:-1], tensors[-1:])
    return values.tolist(), places.double().cpu().numpy()


def _region_means(name: str, values: np.ndarray, regions: dict[str, np.ndarray]) -> Row:
    return {name + suffix: region_mean(values, mask) for suffix, mask in regions.items()}
