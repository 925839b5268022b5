"""The ``wholebody`` backend: a person detector and a 133-keypoint network, run by ONNX Runtime.

A YOLOX network (Ge et al., "YOLOX", 2021) finds the people; RTMW or DWPose reads body, feet, face
and hands of each from an upright crop (Jiang et al., "RTMPose", 2023; Yang et al., "DWPose", 2023;
keypoints: Jin et al., "Whole-Body Human Pose Estimation in the Wild", 2020). Weights are files of
the user's own.
"""

import cv2
import numpy as np

from edn_core.config import PoseConfig
from edn_core.errors import Refused
from edn_core.keypoints import Person
from edn_core.logs import LOGGER
from edn_core.pose.backend import Backend, drop_unsure
from edn_core.pose.models import check_weight_files, weight_files
from edn_core.pose.onnx_network import Network, choose_providers, load_network, output_shapes
from edn_core.pose.regions import to_image_points
from edn_core.skeleton import BODY_25, FACE_70, HAND_21, WHOLEBODY_133, convert
from edn_core.timeline import Clip

PADDING = 1.25  # crop per box
# The means and deviations of mmpose's configurations are in RGB order (bgr_to_rgb=True there), and
# the networks were trained so. rtmlib feeds the same networks BGR pictures, which costs accuracy.
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
SPLIT_RATIO = 2.0  # SimCC bins per px
BATCH_SIZE = 8  # people per forward pass, where the network takes any number

# The detector.
PERSON = 0  # class of COCO's persons
PAD_VALUE = 114  # grey of the letterbox, as in training
STRIDES = (8, 16, 32)  # px per cell of the three grids
MIN_OVERLAP = 0.45  # boxes that overlap more (IoU) are of one person
OPEN_SIDE = 640  # px, for a detector that leaves the size of its input open


def make(config: PoseConfig, video: Clip, threads: int = 1, device: str = "auto") -> Backend:
    """Load both networks; CUDA needs the package onnxruntime-gpu.

    Raises ValueError: a file is not set, missing, another one or no such network; ONNX Runtime is
    not installed, or without CUDA where it is asked for.
    """
    settings = config.wholebody
    paths = weight_files(config)
    weights_sha256 = check_weight_files(config)
    providers = choose_providers(device)
    detector, network = (load_network(path, threads, providers) for path in paths.values())
    if device == "cuda" and network.provider == "CPUExecutionProvider":
        found = "is 'cuda' but onnxruntime could not load CUDA (its message is above)"
        remedy = (
            "install the CUDA and cuDNN that onnxruntime-gpu asks for, or set it to auto or cpu"
        )
        raise Refused("runtime.device", found, "", remedy)
    # What they say to a black picture shows whether they are networks of the kind expected.
    black = np.zeros((network.height, network.width, 3), np.uint8)
    find_boxes(detector, black, settings.min_detection)
    read_crops(network, black[None])
    LOGGER.info("pose: %s and %s on %s", *paths.values(), network.provider)

    def find(images: list[np.ndarray], first: int) -> list[list[Person]]:
        people: list[list[Person]] = [[] for _ in images]
        found = [
            (number, box)
            for number, image in enumerate(images)
            for box in find_boxes(detector, image, settings.min_detection)[: config.max_people]
        ]
        step = network.batch_size or BATCH_SIZE
        for some in (found[start : start + step] for start in range(0, len(found), step)):
            cuts = [cut_box(images[number], box, black.shape[:2]) for number, box in some]
            points = read_crops(network, np.stack([crop for crop, _ in cuts]))
            for (number, _), (_, to_image), one in zip(some, cuts, points, strict=True):
                one[:, :2] = to_image_points(one[:, :2], to_image)
                person = person_from_wholebody(one, settings.min_score, images[number].shape[:2])
                if (person["body"][:, 2] > 0).any():
                    people[number].append(person)
        return people

    return Backend(BODY_25, weights_sha256, find)


def cut_box(
    image: np.ndarray, box: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a box (x0, y0, x1, y1 px) out of an image, with a margin, in the network's (H, W).

    (H, W, 3) uint8, black outside the image; and (2, 3) float64, crop px -> image px.
    """
    height, width = size
    centre = (box[:2] + box[2:]) / 2
    sides = (box[2:] - box[:2]) * PADDING
    step = max(sides[0] / width, sides[1] / height)  # image px per crop px
    corner = centre - step * np.array([width, height]) / 2
    to_image = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_image, (width, height), flags=flags), to_image


def read_crops(network: Network, crops: np.ndarray) -> np.ndarray:
    """Read the 133 keypoints of every (H, W, 3) uint8 RGB crop; no more than the network takes.

    The network has SimCC outputs: per keypoint a score for each half px along x and along y. (N,
    133, 3) float64 x px, y px of the crop, score 0..1. Raises Refused: the outputs are not those of
    a SimCC network of 133 keypoints.
    """
    n_crops, height, width, _ = crops.shape
    n_bins = [(len(WHOLEBODY_133), int(side * SPLIT_RATIO)) for side in (width, height)]
    batch = np.zeros((max(n_crops, network.batch_size), 3, height, width), np.float32)
    batch[:n_crops] = ((crops - MEAN) / DEVIATION).transpose(0, 3, 1, 2)
    outputs = network.run(batch)
    values = list(outputs.values())
    if {"simcc_x", "simcc_y"} <= set(outputs):
        values = [outputs["simcc_x"], outputs["simcc_y"]]
    if [value.shape[1:] for value in values] != n_bins:
        expected = "simcc_x (N, {}, {}) and simcc_y (N, {}, {})".format(*n_bins[0], *n_bins[1])
        remedy = "give a whole-body network (RTMW, DWPose) as pose.wholebody.pose"
        raise Refused(network.path, output_shapes(outputs), expected, remedy)
    return decode_simcc(*values)[:n_crops]


def decode_simcc(along_x: np.ndarray, along_y: np.ndarray) -> np.ndarray:
    """Keypoints at the likeliest bin of each axis (Li et al., "SimCC", 2022).

    (N, K, W * 2) and (N, K, H * 2) scores -> (N, K, 3) float64 x px, y px, mean of the two highest
    scores, in 0..1.
    """
    xy = [values.argmax(axis=-1) / SPLIT_RATIO for values in (along_x, along_y)]
    score = (along_x.max(axis=-1) + along_y.max(axis=-1)) / 2
    return np.stack([*xy, score.clip(0, 1)], axis=-1).astype(np.float64)


def person_from_wholebody(points: np.ndarray, min_score: float, size: tuple[int, int]) -> Person:
    """A person with a BODY_25 body from COCO-WholeBody's (133, 3) x px, y px, score 0..1.

    Neck, mid-hip and pupils are means, as sure as their least sure point. Points below
    ``min_score`` or outside the image of (H, W) ``size`` are missing.
    """

    def hand(side: str) -> np.ndarray:
        return points[[WHOLEBODY_133.index(f"{side}_hand_{name}") for name in HAND_21.keypoints]]

    parts = {
        "body": convert(points, WHOLEBODY_133, BODY_25, derive=True),
        "face": convert(points, WHOLEBODY_133, FACE_70, derive=True),
        "hand_left": hand("left"),
        "hand_right": hand("right"),
    }
    return {part: drop_unsure(found, min_score, size) for part, found in parts.items()}


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
