"""The default pose backend: MediaPipe's body, hand and face networks, run by LiteRT.

A detector finds a person's circle (hip centre and extent), the body network reads 33 points inside
it and names the circle for the next frame; hands and face are searched where the body points say.
Written after MediaPipe's graph descriptions (Apache-2.0; Bazarevsky et al., "BlazePose", 2020).
One person per video is followed; nothing is smoothed here.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from edn_core.config import PoseConfig
from edn_core.keypoints import Person, missing_person
from edn_core.pose.backend import Backend
from edn_core.pose.mediapipe_points import (
    N_HEAD_POINTS,
    blazepose_points,
    body_from_blazepose,
    drop_unsure,
    face_from_mesh,
    face_mesh_points,
    with_score,
)
from edn_core.pose.models import check_models, model_path
from edn_core.pose.regions import (
    Region,
    box_region,
    cut_region,
    make_region,
    region_around_line,
    to_image_points,
    turn_to,
)
from edn_core.skeleton import BODY_25

Network = Callable[[np.ndarray], dict[str, np.ndarray]]
"""(H, W, 3) float32 -> outputs by name, without their batch dimension."""

DETECTOR_SIZE, BODY_SIZE, RECROP_SIZE, HAND_SIZE, FACE_SIZE = 224, 256, 256, 224, 192
MIN_DETECTION = 0.5  # MediaPipe's min_detection_confidence
MIN_OVERLAP = 0.3  # detections that overlap more (IoU) are of one person
MIN_BODY_PRESENCE = 0.5  # below: lost, search anew
MIN_HEATMAP = 0.5  # below: a point is not refined by its heatmap
BODY_SCALE = 1.25
HAND_SCALE, HAND_SHIFT = 2.7, -0.1
FACE_SCALE, MESH_SCALE = 2.0, 1.5


def make(config: PoseConfig, video: str, threads: int = 1) -> Backend:
    """Load the networks for one video.

    Args:
        config: folder of the networks and thresholds.
        video: unused; every video starts without a dancer in sight.
        threads: threads per network; the result does not depend on it.

    Raises:
        ValueError: a weight file is missing or wrong, or ai-edge-litert is not installed.
    """
    weights_sha256 = check_models(config.models_folder)
    detector, body_network, recrop, hand_network, face_network = (
        _load_network(config, name, threads)
        for name in (
            "pose_detection",
            "pose_landmark_full",
            "hand_recrop",
            "hand_landmark_full",
            "face_landmark",
        )
    )
    last: Region | None = None  # the dancer's circle, the last time he was seen
    is_tracked = False  # whether he was seen in the frame before

    def find_body(image: np.ndarray) -> np.ndarray | None:
        """(39, 3) x px, y px, visibility; None for nobody."""
        nonlocal last, is_tracked
        regions = [last] if is_tracked and last is not None else []
        is_detected = False
        while True:
            for region in regions:
                points, presence = _read_body(body_network, image, region)
                if presence >= MIN_BODY_PRESENCE:
                    last, is_tracked = _circle(points), True
                    return points
            if is_detected:
                is_tracked = False
                return None
            regions, is_detected = _detect(detector, image, last), True

    def find(image: np.ndarray, frame: int) -> list[Person]:
        points = find_body(image)
        if points is None:
            return []
        size = image.shape[:2]
        person = missing_person()
        person["body"] = drop_unsure(body_from_blazepose(points), config.min_visibility, size)
        face, presence = _read_face(face_network, image, points)
        if presence >= config.min_presence:
            person["face"] = drop_unsure(with_score(face_from_mesh(face), presence), 0, size)
        for side in ("left", "right"):
            # A hand without a visible wrist is a guess, often the other hand's.
            if person["body"][BODY_25.index(f"{side}_wrist"), 2] == 0:
                continue
            hand, presence = _read_hand(recrop, hand_network, image, points, side)
            if presence >= config.min_presence:
                person[f"hand_{side}"] = drop_unsure(with_score(hand, presence), 0, size)
        return [person]

    return Backend(skeleton=BODY_25, weights_sha256=weights_sha256, find=find)


def _load_network(config: PoseConfig, name: str, threads: int) -> Network:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ValueError(
            f"pose backend mediapipe needs the package ai-edge-litert ({error}); "
            "install it with `pip install ai-edge-litert`"
        ) from error
    interpreter = Interpreter(
        str(model_path(config.models_folder, name)), num_threads=max(1, threads)
    )
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    outputs = {one["name"]: one["index"] for one in interpreter.get_output_details()}

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        interpreter.set_tensor(input_index, np.ascontiguousarray(image[None], np.float32))
        interpreter.invoke()
        return {output: interpreter.get_tensor(index)[0] for output, index in outputs.items()}

    return run


def detector_anchors() -> np.ndarray:
    """Centres the detector's boxes are relative to: (2254, 2) x, y as part of the input's side.

    Two per cell of the 8-pixel grid, two of the 16-pixel grid, three times two of the 32-pixel
    grid, row by row.
    """
    centres = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        n_cells = DETECTOR_SIZE // stride
        y, x = np.mgrid[:n_cells, :n_cells]
        cells = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / n_cells
        centres.append(np.repeat(cells, per_cell, axis=0))
    return np.concatenate(centres)


_ANCHORS = detector_anchors()


def _detect(network: Network, image: np.ndarray, last: Region | None) -> list[Region]:
    """Circles of all people, the likeliest dancer first: nearest to the last one, else largest."""
    height, width = image.shape[:2]
    square = make_region(np.array([width / 2, height / 2]), max(height, width), 0.0)
    crop, to_image = cut_region(image, square, DETECTOR_SIZE)
    outputs = network(crop.astype(np.float32) / 127.5 - 1)
    scores = expit(outputs["Identity_1"][:, 0].astype(np.float64))
    is_likely = scores >= MIN_DETECTION
    # Per anchor: box centre, box size, then points, of which the first two span the circle.
    values = outputs["Identity"][is_likely].reshape(-1, 6, 2) / DETECTOR_SIZE
    values[:, [0, 2, 3, 4, 5]] += _ANCHORS[is_likely, None]
    lines = merge_detections(values[:, 0], values[:, 1], values[:, 2:4], scores[is_likely])
    regions = [
        region_around_line(to_image_points(line * DETECTOR_SIZE, to_image), scale=BODY_SCALE)
        for line in lines
    ]
    if last is None:
        return sorted(regions, key=lambda region: -region.size)
    return sorted(regions, key=lambda region: np.hypot(region.x - last.x, region.y - last.y))


def merge_detections(
    centres: np.ndarray, sizes: np.ndarray, points: np.ndarray, scores: np.ndarray
) -> list[np.ndarray]:
    """Weighted non-maximum suppression: boxes that overlap the best one are averaged with it.

    Args:
        centres: (N, 2) of the boxes.
        sizes: (N, 2) width and height of the boxes.
        points: (N, P, 2) each box's points.
        scores: (N,) 0..1, the weights.

    Returns:
        (P, 2) averaged points per person, best score first.
    """
    low, high = centres - sizes / 2, centres + sizes / 2
    people = []
    remaining = np.argsort(-scores, kind="stable")
    while len(remaining):
        best = remaining[0]
        overlap = np.minimum(high[remaining], high[best]) - np.maximum(low[remaining], low[best])
        shared = overlap.clip(min=0).prod(axis=1)
        union = sizes[remaining].prod(axis=1) + sizes[best].prod() - shared
        is_same = shared > MIN_OVERLAP * union
        is_same[0] = True
        same = remaining[is_same]
        people.append(np.average(points[same], axis=0, weights=scores[same]))
        remaining = remaining[~is_same]
    return people


def _circle(points: np.ndarray) -> Region:
    """Where to look for the body in the next frame."""
    line = blazepose_points(points, "circle_centre", "circle_edge")[:, :2]
    return region_around_line(line, scale=BODY_SCALE)


def _read_body(network: Network, image: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
    """(39, 3) x px, y px, visibility; and how surely there is a body."""
    crop, to_image = cut_region(image, region, BODY_SIZE)
    outputs = network(crop.astype(np.float32) / 255)
    # Per point: x, y, depth, visibility (logit), presence (logit).
    values = outputs["Identity"].reshape(39, 5).astype(np.float64)
    xy = refine_by_heatmaps(values[:, :2] / BODY_SIZE, outputs["Identity_3"]) * BODY_SIZE
    points = np.column_stack([to_image_points(xy, to_image), expit(values[:, 3])])
    return points, float(outputs["Identity_1"][0])


def refine_by_heatmaps(xy: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Move points to the centroid of the 7 x 7 heatmap values around them.

    Args:
        xy: (K, 2) as part of the crop's side.
        heatmaps: (S, S, K) logits.

    Returns:
        (K, 2); points outside the crop, or whose heatmap is nowhere sure, stay.
    """
    size, n_points = heatmaps.shape[0], len(xy)
    cells = np.floor(xy * size).astype(int)
    is_inside = ((cells >= 0) & (cells < size)).all(axis=1)
    # (K, 7, 7) windows; beyond the heatmap's edge the weight is 0.
    steps = np.arange(-3, 4)
    rows = cells[:, 1, None, None] + steps[:, None] + np.zeros((7, 7), int)
    columns = cells[:, 0, None, None] + steps[None, :] + np.zeros((7, 7), int)
    is_valid = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    logits = heatmaps[
        rows.clip(0, size - 1), columns.clip(0, size - 1), np.arange(n_points)[:, None, None]
    ]
    weights = np.where(is_valid, expit(logits.astype(np.float64)), 0)
    is_sure = is_inside & (weights.max(axis=(1, 2)) >= MIN_HEATMAP)
    total = np.where(is_sure, weights.sum(axis=(1, 2)), 1)
    centroid = np.stack(
        [(weights * columns).sum(axis=(1, 2)), (weights * rows).sum(axis=(1, 2))], axis=1
    )
    return np.where(is_sure[:, None], centroid / total[:, None] / size, xy)


def _read_hand(
    recrop: Network, network: Network, image: np.ndarray, points: np.ndarray, side: str
) -> tuple[np.ndarray, float]:
    """(21, 2) px of one hand, and how surely there is one."""
    names = (f"{side}_{name}" for name in ("wrist", "index", "little"))
    wrist, index, little = blazepose_points(points, *names)[:, :2]
    palm = (2 * index + little) / 3
    reach = 2 * float(np.hypot(*(palm - wrist)))
    upright = turn_to(np.stack([wrist, palm]))
    region = make_region(palm, reach, upright, HAND_SCALE, HAND_SHIFT)
    crop, to_image = cut_region(image, region, RECROP_SIZE)
    line = recrop(crop.astype(np.float32) / 255)["output_crop"].reshape(2, 2)  # crop px
    line = to_image_points(line, to_image)
    region = region_around_line(line, direction_deg=-90, shift=HAND_SHIFT)
    crop, to_image = cut_region(image, region, HAND_SIZE)
    outputs = network(crop.astype(np.float32) / 255)
    xy = outputs["Identity"].reshape(21, 3)[:, :2]
    return to_image_points(xy, to_image), float(outputs["Identity_1"][0])


def _read_face(network: Network, image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """(468, 2) px of the face mesh, and how surely there is a face.

    Looks twice: first where the body network's head points are, then exactly where the first look
    put the face.
    """
    names = ("right_eye", "left_eye", "right_mouth", "left_mouth", "nose")
    features = blazepose_points(points, *names)[:, :2]
    extent = float(np.ptp(points[:N_HEAD_POINTS, :2], axis=0).max())
    level = turn_to(features[:2], direction_deg=0)
    region = make_region(features.mean(axis=0), extent, level, FACE_SCALE)
    mesh, presence = _read_mesh(network, image, region)
    if presence >= 0.5:
        corners = face_mesh_points(mesh, "right_eye_0", "left_eye_3")
        region = box_region(mesh, turn_to(corners, direction_deg=0), MESH_SCALE)
        mesh, presence = _read_mesh(network, image, region)
    return mesh, presence


def _read_mesh(network: Network, image: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
    crop, to_image = cut_region(image, region, FACE_SIZE)
    outputs = network(crop.astype(np.float32) / 255)
    xy = outputs["conv2d_21"].reshape(468, 3)[:, :2]
    return to_image_points(xy, to_image), float(expit(outputs["conv2d_31"].ravel()[0]))
