"""What shows a target's held-out frames: his generators, and what needs no training."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edn_core.checkpoint import load_generator
from edn_core.compose import Composer, read_background
from edn_core.evaluate.compare import Shown, Truth
from edn_core.evaluate.files import EvaluationFiles, spread
from edn_core.face import face_boxes
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.metrics.poses import nearest_pose
from edn_core.render import draw_label, find_style
from edn_core.shadow import casting, read_shadow
from edn_core.split import Split
from edn_core.synthesize import check_labels, load_networks, synthesize
from edn_core.threads import in_order
from edn_core.tidy import tidying
from edn_core.window import in_window

BASELINE_FRAMES = 2000  # enough neighbours; a long video would take hours to search
MEAN_FRAMES = 200  # more change nothing that can be seen


class Studio:
    """Where the generators of a target paint his held-out frames, from their own labels."""

    def __init__(self, files: EvaluationFiles, truth: Truth) -> None:
        self._labels, self._truth = FrameReader(files.labels), truth
        info = self._labels.info
        self._placed = in_window(read_keypoints(files.keypoints), info)
        self._tidy = tidying(self._placed, info.figure_px)
        self._cast = casting(read_shadow(files.room_report), self._placed, info.figure_px)
        background = read_background("room", files.room, info.clip.size)
        self._finished = Composer(self._labels, background, truth.frames.halvings)
        self._has_masks = files.masks is not None

    def label(self, number: int) -> np.ndarray:
        """The label of a frame at its place in the finished frame: (H, W, 3) uint8, on white."""
        white = np.full((*self._finished.size, 3), 255, np.uint8)
        return draw_label(self._labels, number, self._finished.to_frame[number], white)

    def painted(self, generator: Path) -> tuple[str, Iterator[Shown]]:
        """The stage of a generator, and what it shows: one frame after the other, finished.

        Raises:
            Refused: labels of another window.
        """
        trained, test = load_generator(generator), self._truth.test
        threads, device = self._truth.measures.threads, self._truth.device
        check_labels(trained, self._labels, generator)
        networks = load_networks(trained, device)
        style = find_style(trained.label_style, f"{generator}: the label style")
        boxes = face_boxes(self._placed, trained.face_side)[test.start : test.stop]
        read = in_order(self._labels.get, test, threads)
        painted = synthesize(networks, read, boxes, device, style)
        has_matte = trained.has_matte and self._has_masks

        def finish(painted: tuple[int, np.ndarray | None]) -> Shown:
            number, picture = painted[0], self._tidy(*painted)
            image = self._finished.put(number, self._cast(number, picture))
            return Shown(image, self._finished.matte(number, picture) if has_matte else None)

        return trained.stage, in_order(finish, zip(test, painted, strict=True), threads)


def baselines(truth: Truth, split: Split) -> tuple[Iterator[Shown], Shown]:
    """What a generator has to beat.

    Returns:
        For every held-out frame the training frame whose pose is nearest (the paper's baseline, by
        d(p, p')); the mean training frame.
    """
    known = spread(split.train_frames, BASELINE_FRAMES)
    people = [truth.keypoints.person(frame) for frame in known]
    nearest = [known[nearest_pose(truth.keypoints.person(frame), people)] for frame in truth.test]
    averaged, total = spread(known, MEAN_FRAMES), np.zeros((*truth.frames.size, 3))
    kept = {}
    # Gone through once, forwards; in memory they are compressed.
    for frame in sorted({*nearest, *averaged}):
        if frame in averaged:
            total += truth.frames[frame]
        if frame in nearest:
            kept[frame] = cv2.imencode(".png", truth.frames[frame])[1]
    mean = (total / len(averaged)).round().astype(np.uint8)

    def show(frame: int) -> Shown:
        image = cv2.imdecode(kept[frame], cv2.IMREAD_COLOR)
        assert image is not None
        return Shown(image)

    return in_order(show, nearest, truth.measures.threads), Shown(mean)
