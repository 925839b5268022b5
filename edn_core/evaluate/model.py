"""How good is a target's generator? Measured on frames nobody trained on (paper, section 5)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edn_core.checkpoint import load_generator
from edn_core.compose import Composer, read_background
from edn_core.evaluate.compare import Row, Truth, compare_frames, write_metrics
from edn_core.evaluate.files import PICTURES_ALONE, EvaluationFiles, Measures, spread
from edn_core.evaluate.plots import N_EXAMPLES, plot_rows
from edn_core.face import face_boxes
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.loose import tidying
from edn_core.metrics.images import overlap
from edn_core.metrics.table import metrics_table
from edn_core.render import draw_label, find_style
from edn_core.shadow import casting, read_shadow
from edn_core.split import Split
from edn_core.synthesize import check_labels, load_networks, synthesize
from edn_core.threads import in_order
from edn_core.window import in_window

ERROR_GAIN = 3  # small differences are hard to see


def evaluate_model(
    files: EvaluationFiles,
    split: Split,
    device: torch.device,
    metrics_path: str | Path,
    plot_path: str | Path,
    measures: Measures = PICTURES_ALONE,
) -> dict[str, Any]:
    """Measure a generator on the held-out frames of its target.

    The frames are synthesized from their own labels, one after the other, finished, and compared
    with the video's own. Memory does not grow with the length of the video but by a few numbers a
    frame. Writes the mean of each column as JSON (``edn-metrics``), which is returned, and a PNG of
    columns over time and example frames.

    Raises:
        Refused: too few held-out frames, or labels of another window.
    """
    assert files.generator and files.labels
    truth, test = Truth(files, split, measures, device), split.test
    trained, labels = load_generator(files.generator), FrameReader(files.labels)
    check_labels(trained, labels, files.generator)
    networks = load_networks(trained, device)
    style = find_style(trained.label_style, f"{files.generator}: the label style")
    placed = in_window(read_keypoints(files.keypoints), labels.info)
    boxes = face_boxes(placed, trained.face_side)[test.start : test.stop]
    tidy = tidying(placed, labels.info.figure_px)
    cast = casting(read_shadow(files.room_report), placed, labels.info.figure_px)
    read = in_order(labels.get, test, measures.threads)
    painted = synthesize(networks, read, boxes, device, style)
    background = read_background("room", files.room, labels.info.clip.size)
    finished = Composer(labels, background, truth.frames.halvings)
    mattes: list[np.ndarray | None] = []

    def finish(painted: tuple[int, np.ndarray | None]) -> tuple[np.ndarray | None, np.ndarray]:
        number = painted[0]
        picture = tidy(*painted)
        matte = finished.matte(number, picture) if trained.has_matte else None
        return matte, finished.put(number, cast(number, picture))

    def outputs() -> Iterator[np.ndarray]:
        for matte, picture in in_order(finish, zip(test, painted, strict=True), measures.threads):
            mattes.append(matte)
            yield picture

    rows: list[Row] = []
    examples: list[np.ndarray] = []
    shown = set(spread(test, N_EXAMPLES))
    compared = compare_frames(truth, outputs())
    for true, output, row in progress(compared, f"evaluate {trained.stage}", len(test)):
        matte = mattes[len(rows)]
        if matte is not None and files.masks is not None:
            row["outline_iou"] = overlap(matte > 127, true.regions["_person"])
            mattes[len(rows)] = None
        rows.append(row)
        if true.number in shown:
            white = np.full_like(true.image, 255)
            label = draw_label(labels, true.number, finished.to_frame[true.number], white)
            error = np.abs(output.astype(np.int16) - true.image) * ERROR_GAIN
            error_shown = 255 - error.clip(0, 255).astype(np.uint8)
            examples.append(np.concatenate([label, true.image, output, error_shown], axis=1))
    result = write_metrics(metrics_path, truth, trained.stage, {"model": rows})
    title = f"{len(test)} held-out frames of {result['video']}, stage {trained.stage}"
    subtitle = "label | truth | model | 3 x difference, white is none"
    plot_rows(plot_path, test, {trained.stage: rows}, examples, title, subtitle)
    LOGGER.info(f"{title}:\n{metrics_table(result['methods'])}")
    return result
