"""The default pose backend: MediaPipe's body, hand and face networks, run by LiteRT.

A detector finds a person's circle (hip centre and extent), the body network reads 33 points inside
it and names the circle for the next frame; hands and face are searched where the body points say.
Written after MediaPipe's graph descriptions (Apache-2.0; Bazarevsky et al., "BlazePose", 2020).
Nothing is smoothed here.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from edn_core.config import PoseConfig
from edn_core.keypoints import Person, missing_person
from edn_core.pose.backend import Backend, drop_unsure
from edn_core.pose.mediapipe_detector import BODY_SCALE, Network, detect, search_squares
from edn_core.pose.mediapipe_points import (
    FACE_MESH,
    N_HEAD_POINTS,
    blazepose_points,
    body_from_blazepose,
    face_from_mesh,
    with_score,
)
from edn_core.pose.models import MODELS, check_models, model_path
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
from edn_core.timeline import Clip


class Body(NamedTuple):
    """A body found: its 39 points (x px, y px, visibility) and where to look for it next."""

    points: np.ndarray
    circle: Region


Networks = dict[str, Network]  # by the names of their files
BODY_SIZE, RECROP_SIZE, HAND_SIZE, FACE_SIZE = 256, 256, 224, 192
MIN_BODY_PRESENCE = 0.5  # below: lost, search anew
MIN_HEATMAP = 0.5  # below: a point is not refined by its heatmap
SAME_BODY = 0.2  # of the circle's size: nearer to each other, two circles are of one person
SMALL = 0.6  # of the largest circle: somebody smaller is hardly the largest of the video
DETECT_EVERY = 8  # frames; between them nobody new is looked for unless somebody was lost
WARM_UP = 2  # frames after which a circle that was detected is as good as one that was followed
HAND_SCALE, HAND_SHIFT = 2.7, -0.1
FACE_SCALE, MESH_SCALE = 2.0, 1.5


def make(config: PoseConfig, video: Clip, threads: int = 1, device: str = "auto") -> Backend:
    """Load the networks; LiteRT computes on the CPU, where copies are faster than threads.

    Raises ValueError: a weight file is missing or wrong, or ai-edge-litert is not installed.
    """
    weights_sha256 = check_models(config.models_folder)
    networks = {one.name: _load_network(config.models_folder, one.name) for one in MODELS}

    def follow(images: Iterable[np.ndarray]) -> Iterator[list[Person]]:
        tracked: list[Region] = []
        for number, image in enumerate(images):
            bodies: list[Body] = []
            for circle in tracked:
                _add_body(networks, image, circle, bodies)
            # A run begins with a thorough look: people far away are small for the detector.
            squares = search_squares(image.shape[:2], number == 0 and config.max_people > 1)
            may_enter = number % DETECT_EVERY == 0 and len(bodies) < config.max_people
            if not bodies or len(bodies) < len(tracked) or may_enter:
                for circle in detect(networks["pose_detection"], image, squares):
                    if len(bodies) < config.max_people and not _is_known(circle, bodies):
                        _add_body(networks, image, circle, bodies)
            tracked = [body.circle for body in bodies]
            largest = max((body.circle.size for body in bodies), default=0)
            # Hands and faces cost more than the body: not of somebody who will not be chosen.
            enough = SMALL * largest if config.dancer == "largest" else 0
            yield [_read_person(networks, image, one, config, enough) for one in bodies]

    def find(images: list[np.ndarray], first: int) -> list[list[Person]]:
        return list(follow(images))

    return Backend(BODY_25, weights_sha256, find, follow, warm_up=WARM_UP, has_copies=True)


def _read_person(
    networks: Networks, image: np.ndarray, found: Body, config: PoseConfig, enough: float
) -> Person:
    """A body as a person; if its circle is larger than ``enough``, with hands and face."""
    size, points = image.shape[:2], found.points
    person = missing_person()
    person["body"] = drop_unsure(body_from_blazepose(points), config.min_visibility, size)
    if found.circle.size <= enough:
        return person
    face, presence = _read_face(networks["face_landmark"], image, points)
    if presence >= config.min_presence:
        person["face"] = drop_unsure(with_score(face_from_mesh(face), presence), 0, size)
    for side in ("left", "right"):
        # A hand without a visible wrist is a guess, often the other hand's.
        if person["body"][BODY_25.index(f"{side}_wrist"), 2] == 0:
            continue
        hand, presence = _read_hand(networks, image, points, side)
        if presence >= config.min_presence:
            person[f"hand_{side}"] = drop_unsure(with_score(hand, presence), 0, size)
    return person


def load_body_network(models_folder: str | Path) -> Network:
    """The body network alone; its output ``Identity_2`` is the outline (logits). Raises as make."""
    check_models(models_folder)
    return _load_network(models_folder, "pose_landmark_full")


def _load_network(models_folder: str | Path, name: str) -> Network:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except (ImportError, OSError) as error:
        raise ValueError(
            f"MediaPipe's networks need the package ai-edge-litert ({error}); "
            "install it with `pip install ai-edge-litert`"
        ) from error
    interpreter = Interpreter(str(model_path(models_folder, name)), num_threads=1)
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    outputs = {one["name"]: one["index"] for one in interpreter.get_output_details()}

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        interpreter.set_tensor(input_index, np.ascontiguousarray(image[None], np.float32))
        interpreter.invoke()
        return {output: interpreter.get_tensor(index)[0] for output, index in outputs.items()}

    return run


def _is_known(circle: Region, bodies: list[Body]) -> bool:
    """Whether the circle is around somebody found already, or around a part of his."""
    return any(
        math.hypot(circle.x - body.circle.x, circle.y - body.circle.y)
        < SAME_BODY * body.circle.size
        for body in bodies
    )


def _add_body(networks: Networks, image: np.ndarray, circle: Region, bodies: list[Body]) -> None:
    """Read the body in a circle; add it if there is one, and not one that was read before."""
    points, presence = _read_body(networks["pose_landmark_full"], image, circle)
    is_known = any(
        np.abs(points[:, :2] - body.points[:, :2]).mean() < SAME_BODY / 4 * body.circle.size
        for body in bodies
    )
    if presence >= MIN_BODY_PRESENCE and not is_known:
        line = blazepose_points(points, "circle_centre", "circle_edge")[:, :2]
        bodies.append(Body(points, region_around_line(line, scale=BODY_SCALE)))


def _look(
    network: Network, image: np.ndarray, region: Region, size: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a network says to a region of an image, and the way from its crop's px back."""
    crop, to_image = cut_region(image, region, size)
    return network(crop.astype(np.float32) / 255), to_image


def _read_body(network: Network, image: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
    """(39, 3) x px, y px, visibility; and how surely there is a body."""
    outputs, to_image = _look(network, image, region, BODY_SIZE)
    # Per point: x, y, depth, visibility (logit), presence (logit).
    values = outputs["Identity"].reshape(39, 5).astype(np.float64)
    xy = refine_by_heatmaps(values[:, :2] / BODY_SIZE, outputs["Identity_3"]) * BODY_SIZE
    points = np.column_stack([to_image_points(xy, to_image), expit(values[:, 3])])
    return points, float(outputs["Identity_1"][0])


def refine_by_heatmaps(xy: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Move points to the centroid of the 7 x 7 heatmap values around them.

    (K, 2) points as part of the crop's side, by (S, S, K) logits; points outside the crop, or whose
    heatmap is nowhere sure, stay.
    """
    size = heatmaps.shape[0]
    cells = np.floor(xy * size).astype(int)
    is_inside = ((cells >= 0) & (cells < size)).all(axis=1)
    cells = cells.clip(0, size - 1)
    # (K, 7, 7) windows; beyond the heatmap's edge the weight is 0.
    rows = cells[:, 1, None, None] + np.arange(-3, 4)[:, None]
    columns = cells[:, 0, None, None] + np.arange(-3, 4)
    padded = np.pad(heatmaps, ((3, 3), (3, 3), (0, 0)), constant_values=-np.inf)
    logits = padded[rows + 3, columns + 3, np.arange(len(xy))[:, None, None]]
    weights = expit(logits.astype(np.float64))
    is_sure = is_inside & (weights.max(axis=(1, 2)) >= MIN_HEATMAP)
    total = np.where(is_sure, weights.sum(axis=(1, 2)), 1)
    centroid = np.stack(
        [(weights * columns).sum(axis=(1, 2)), (weights * rows).sum(axis=(1, 2))], axis=1
    )
    return np.where(is_sure[:, None], centroid / total[:, None] / size, xy)


def _read_hand(
    networks: Networks, image: np.ndarray, points: np.ndarray, side: str
) -> tuple[np.ndarray, float]:
    """(21, 2) px of one hand, and how surely there is one."""
    names = (f"{side}_{name}" for name in ("wrist", "index", "little"))
    wrist, index, little = blazepose_points(points, *names)[:, :2]
    palm = (2 * index + little) / 3
    reach = 2 * float(np.hypot(*(palm - wrist)))
    upright = turn_to(np.stack([wrist, palm]))
    region = make_region(palm, reach, upright, HAND_SCALE, HAND_SHIFT)
    outputs, to_image = _look(networks["hand_recrop"], image, region, RECROP_SIZE)
    line = to_image_points(outputs["output_crop"].reshape(2, 2), to_image)
    region = region_around_line(line, direction_deg=-90, shift=HAND_SHIFT)
    outputs, to_image = _look(networks["hand_landmark_full"], image, region, HAND_SIZE)
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
        corners = mesh[[FACE_MESH["right_eye_0"], FACE_MESH["left_eye_3"]]]
        region = box_region(mesh, turn_to(corners, direction_deg=0), MESH_SCALE)
        mesh, presence = _read_mesh(network, image, region)
    return mesh, presence


def _read_mesh(network: Network, image: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
    outputs, to_image = _look(network, image, region, FACE_SIZE)
    xy = outputs["conv2d_21"].reshape(468, 3)[:, :2]
    return to_image_points(xy, to_image), float(expit(outputs["conv2d_31"].ravel()[0]))
