"""Where people are in a picture: a YOLOX detector (Ge et al., "YOLOX", 2021)."""

import cv2
import numpy as np

from edn_core.errors import Refused
from edn_core.pose.onnx_network import Network, output_shapes

PERSON = 0  # class of COCO's persons
PAD_VALUE = 114  # grey of the letterbox, as in training
STRIDES = (8, 16, 32)  # px per cell of the three grids
MIN_OVERLAP = 0.45  # boxes that overlap more (IoU) are of one person
OPEN_SIDE = 640  # px, for a detector that leaves the size of its input open


def find_boxes(detector: Network, image: np.ndarray, min_score: float) -> np.ndarray:
    """Boxes around people, the largest first: (N, 4) float64 x0, y0, x1, y1 px of the image.

    Two forms of export are understood: with non-maximum suppression inside (outputs ``dets`` (1, N,
    5) of x0, y0, x1, y1, score and ``labels`` (1, N), as mmdeploy's), and YOLOX' own (1, N, 5 +
    classes), a row per cell. The detector gets the (H, W, 3) uint8 RGB image scaled into the
    top-left part of its input, BGR, 0..255, the rest grey. Detections below ``min_score`` are left
    out. Raises Refused: the outputs have neither form.
    """
    size = detector.height or OPEN_SIDE, detector.width or OPEN_SIDE
    ratio = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * ratio)) for side in image.shape[:2])
    padded = np.full((*size, 3), PAD_VALUE, np.uint8)
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    padded[:height, :width] = cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR)
    outputs = detector.run(np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32))
    first, *others = outputs.values()
    n_cells = len(cell_grid(size)[0])
    if {"dets", "labels"} <= set(outputs) and outputs["dets"].shape[2:] == (5,):
        dets = outputs["dets"][0]
        is_person = (outputs["labels"][0] == PERSON) & (dets[:, 4] >= min_score)
        boxes = dets[is_person, :4].astype(np.float64)
    elif not others and first.ndim == 3 and first.shape[1] == n_cells and first.shape[2] > 5:
        boxes = decode_cells(first[0].astype(np.float64), size, min_score)
    else:
        expected = f"dets (1, N, 5) and labels (1, N), or one output (1, {n_cells}, 5 + classes)"
        remedy = "give a YOLOX detector as pose.wholebody.detector"
        raise Refused(detector.path, output_shapes(outputs), expected, remedy)
    boxes = boxes * np.tile([image.shape[1] / width, image.shape[0] / height], 2)
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)]
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes[np.argsort(-sides.prod(axis=1), kind="stable")]


def cell_grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The cells of YOLOX' three grids, row by row, for an input of (H, W) px.

    (N, 2) column and row of each cell, (N, 1) its px.
    """
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells), np.concatenate(strides)


def decode_cells(values: np.ndarray, size: tuple[int, int], min_score: float) -> np.ndarray:
    """People in YOLOX' own output, after non-maximum suppression: (N, 4) x0, y0, x1, y1 px.

    ``values`` are (N, 5 + classes) float64, a row per cell of cell_grid: x, y relative to the cell
    and the logarithms of width and height, all in cells; objectness; class scores (0..1).
    Objectness times class score below ``min_score`` is nobody.
    """
    cell, stride = cell_grid(size)
    centre, sides = (values[:, :2] + cell) * stride, np.exp(values[:, 2:4]) * stride
    scores = values[:, 4] * values[:, 5 + PERSON]
    boxes = np.concatenate([centre - sides / 2, sides], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), min_score, MIN_OVERLAP)
    found = boxes[np.array(kept, int).ravel()]
    return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)
