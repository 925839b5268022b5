"""Small ONNX networks with the inputs and outputs of YOLOX and of RTMW or DWPose.

They find what was painted, so a test knows the answer: people are around the brightest spot, and
each keypoint is at the spot of its part's colour.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edn_core.skeleton import HAND_21, WHOLEBODY_133

COLOURS = {"body": (1, 0, 0), "face": (0, 1, 0), "left_hand": (0, 0, 1), "right_hand": (1, 1, 0)}
"""RGB of the spot at which the pose network puts all points of a part."""
HALF_BOX = (50.0, 80.0)
"""Half the width and height of the box that a detector puts around the spot, px of its input."""
FAINT = 24.0
"""A picture nowhere brighter than this above the padding shows nobody."""


def save(path: Path, nodes: list, constants: dict, source: tuple, outputs: list[tuple]) -> Path:
    """Write a network of some nodes; ``source`` and ``outputs`` are names and shapes."""
    infos = [helper.make_tensor_value_info(*one) for one in outputs]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(source[0], TensorProto.FLOAT, source[1])],
        infos,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def node(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def _brightest() -> list:
    """Score 0..1 (1,1) of the brightest pixel, its column and row (1,1) as floats."""
    return [
        node("ReduceMean", "images", "grey", axes=[1], keepdims=0),  # (1, H, W)
        node("ReduceMax", "grey", "along_x", axes=[1], keepdims=0),
        node("ReduceMax", "grey", "along_y", axes=[2], keepdims=0),
        node("ArgMax", "along_x", "x_index", axis=1, keepdims=1),
        node("ArgMax", "along_y", "y_index", axis=1, keepdims=1),
        node("Cast", "x_index", "x", to=TensorProto.FLOAT),
        node("Cast", "y_index", "y", to=TensorProto.FLOAT),
        node("ReduceMax", "along_x", "top", axes=[1], keepdims=1),
        node("Sub", "top padding", "above"),
        node("Greater", "above faint", "is_bright"),
        node("Cast", "is_bright", "score", to=TensorProto.FLOAT),
    ]


_BRIGHTEST = {"padding": np.float32(114), "faint": np.float32(FAINT)}


def suppressed_detector(path: Path, size: Sequence[int] = (640, 640), label: int = 0) -> Path:
    """As mmdeploy exports YOLOX: dets (1, N, 5), labels (1, N). Beside the spot's box a smaller one
    of another class (first) and a faint one."""
    width, height = HALF_BOX
    boxes = np.array(
        [[-9, -9, 9, 9, 0.9], [-width, -height, width, height, 0.8], [-20, -20, 20, 20, 0.1]],
        np.float32,
    )
    nodes = [
        *_brightest(),
        node("Mul", "x to_x", "at_x"),
        node("Mul", "y to_y", "at_y"),
        node("Add", "at_x at_y", "at"),  # (1, 5)
        node("Mul", "boxes_score score", "scored"),
        node("Add", "boxes_place at", "placed"),
        node("Add", "placed scored", "dets"),
    ]
    constants = {
        **_BRIGHTEST,
        "to_x": np.array([[1, 0, 1, 0, 0]], np.float32),
        "to_y": np.array([[0, 1, 0, 1, 0]], np.float32),
        "boxes_place": (boxes * (1, 1, 1, 1, 0)).astype(np.float32)[None],
        "boxes_score": (boxes * (0, 0, 0, 0, 1)).astype(np.float32)[None],
        "classes": np.array([[1, label, 0]], np.int64),
    }
    nodes.append(node("Identity", "classes", "labels"))
    outputs = [("dets", TensorProto.FLOAT, [1, 3, 5]), ("labels", TensorProto.INT64, [1, 3])]
    return save(path, nodes, constants, ("images", [1, 3, *size]), outputs)


def cell_detector(path: Path, values: np.ndarray, size: Sequence[int] = (416, 416)) -> Path:
    """As YOLOX' own export: (1, N, 85). The given cells, as sure as the picture is bright."""
    scores = values.copy()
    scores[:, :4] = scores[:, 5:] = 0
    nodes = [
        *_brightest(),
        node("Mul", "objectness score", "scored"),
        node("Add", "cells scored", "output"),
    ]
    constants = {**_BRIGHTEST, "objectness": scores[None], "cells": (values - scores)[None]}
    outputs = [("output", TensorProto.FLOAT, [1, *values.shape])]
    return save(path, nodes, constants, ("images", [1, 3, *size]), outputs)


def part_of(keypoint: str) -> str:
    """The part of COLOURS that a keypoint of WHOLEBODY_133 belongs to."""
    for side in ("left_hand", "right_hand"):
        if keypoint.startswith(side) and keypoint.removeprefix(f"{side}_") in HAND_21.keypoints:
            return side
    names = WHOLEBODY_133.keypoints
    return "body" if names.index(keypoint) < names.index("jaw_0") else "face"


def pose_network(
    path: Path,
    size: Sequence[int] = (384, 288),
    batch: int | str = "batch",
    n_points: int = len(WHOLEBODY_133),
) -> Path:
    """As RTMW and DWPose: simcc_x (N, 133, 2W), simcc_y (N, 133, 2H) of a normalized RGB crop.

    Each keypoint is at the strongest pixel of its part's colour; the scores are 0..1.
    """
    height, width = size
    # What a channel's share of a colour is worth, after (x - mean) / deviation.
    weights = [
        [3 * on / sum(COLOURS[part_of(name)]) - 1 for on in COLOURS[part_of(name)]]
        for name in WHOLEBODY_133.keypoints[:n_points]
    ]
    nodes = [
        node("Conv", "input weights", "colour", kernel_shape=[1, 1]),
        node("Sigmoid", "colour", "sure"),
        node("ReduceMax", "sure", "profile_x", axes=[2], keepdims=0),
        node("ReduceMax", "sure", "profile_y", axes=[3], keepdims=0),
    ]
    for axis in "xy":
        nodes.append(
            helper.make_node(
                "Resize",
                [f"profile_{axis}", "", "twice"],
                [f"simcc_{axis}"],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        )
    constants = {
        "weights": np.array(weights, np.float32)[:, :, None, None],
        "twice": np.array([1, 1, 2], np.float32),
    }
    outputs = [
        ("simcc_x", TensorProto.FLOAT, [batch, n_points, 2 * width]),
        ("simcc_y", TensorProto.FLOAT, [batch, n_points, 2 * height]),
    ]
    return save(path, nodes, constants, ("input", [batch, 3, height, width]), outputs)


def write_wholebody_networks(folder: Path) -> dict[str, str]:
    """A detector and a pose network: the settings of pose.wholebody that name them."""
    return {
        "detector": str(suppressed_detector(folder / "detector.onnx")),
        "pose": str(pose_network(folder / "pose.onnx")),
    }
