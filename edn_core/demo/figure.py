"""The dancer's body, clothes, head and face, painted at the keypoints' places.

Head coordinates are parts of the head's half width and half height from its centre, y down.
"""

import cv2
import numpy as np

from edn_core.demo.choreography import Pose, unit
from edn_core.demo.dancers import SIDES, Colour, Dancer, Points
from edn_core.demo.painting import darker, paint_area, paint_limb, paint_line
from edn_core.skeleton import FINGERS, part_skeleton


def draw_legs(image: np.ndarray, dancer: Dancer, points: Points, metre: float) -> None:
    """Paint legs, shoes and hips; the foot nearer to the camera last."""
    thick = metre * dancer.girth
    for name, _ in sorted(SIDES, key=lambda side: -points[f"{side[0]}_ankle"][1]):
        hip, knee, ankle = (points[f"{name}_{joint}"] for joint in ("hip", "knee", "ankle"))
        heel, big, small = (points[f"{name}_{at}"] for at in ("heel", "big_toe", "small_toe"))
        upper = knee if dancer.has_long_trousers else hip + 0.82 * (knee - hip)
        end = 0.063 if dancer.has_long_trousers else 0.074
        shin_colour = dancer.trousers if dancer.has_long_trousers else dancer.skin
        paint_limb(image, knee, ankle, (0.058 * thick, 0.038 * thick), shin_colour)
        sock = knee + (ankle - knee) * 0.95
        paint_limb(image, sock, ankle, (0.041 * thick, 0.041 * thick), (226, 226, 230))
        toes = (big + small) / 2
        sole, shoe = np.array([0.0, 0.016 * metre]), (0.044 * metre, 0.048 * metre)
        for shift, colour in ((sole, darker(dancer.shoes, 0.55)), (0 * sole, dancer.shoes)):
            paint_limb(image, heel + shift, toes + shift, shoe, colour)
            paint_limb(image, ankle + shift, toes + shift, shoe, colour)
        paint_limb(image, toes, toes, (0.036 * metre, 0.036 * metre), darker(dancer.shoes, 0.92))
        lace = ankle + 0.55 * (toes - ankle) + np.array([[-0.022, 0], [0.022, 0]]) * metre
        paint_line(image, lace, darker(dancer.shoes), 2)
        if dancer.has_long_trousers:
            paint_limb(image, knee, sock, (0.062 * thick, 0.050 * thick), dancer.trousers)
        else:
            paint_limb(image, knee, upper, (0.058 * thick, 0.064 * thick), dancer.skin)
        paint_limb(image, hip, upper, (0.096 * thick, end * thick), dancer.trousers)
    hips = points["right_hip"], points["left_hip"]
    paint_limb(image, *hips, (0.092 * thick, 0.092 * thick), dancer.trousers)


def draw_torso(image: np.ndarray, dancer: Dancer, points: Points, metre: float) -> None:
    """Paint neck and top."""
    shoulders = (points["left_shoulder"] - points["right_shoulder"]) / 2
    hips = (points["left_hip"] - points["right_hip"]) / 2
    hips = hips * (1 + 0.085 * metre * dancer.girth / np.linalg.norm(hips))
    spine = points["mid_hip"] - points["neck"]

    def band(first: float, last: float, grow: float = 1.0) -> np.ndarray:
        down = np.linspace(first, last, 13)
        wide = np.interp(
            down, [-0.15, -0.1, -0.03, 0.06, 0.28, 0.66, 1.12], [0.3, 0.45, 1.0, 1.1, 0.9, 0.82, 1]
        )
        part = np.clip(down, 0, 1)[:, None]
        half = grow * wide[:, None] * (shoulders * (1 - part) + hips * part)
        middle = points["neck"] + down[:, None] * spine
        return np.concatenate([middle - half, (middle + half)[::-1]])

    neck, skin = (0.062 * metre, 0.052 * metre), darker(dancer.skin, 0.84)
    paint_limb(image, points["neck"], points["head"], neck, skin)
    paint_area(image, band(-0.13, 1.12), dancer.top, shoulders)
    for first, last in ((0.24, 0.34), (0.42, 0.52)):
        paint_area(image, band(first, last), dancer.top_stripe, shoulders)
    paint_area(image, band(1.06, 1.13, 1.01), darker(dancer.top), shoulders)
    collar = points["neck"] - 0.10 * spine
    around = np.radians(np.arange(0, 360, 24))
    neckline = np.stack([0.42 * np.cos(around), 0.1 * np.sin(around)], axis=1)
    paint_area(image, collar + neckline @ np.stack([shoulders, spine]), dancer.skin)
    paint_line(image, (collar + neckline @ np.stack([shoulders, spine]))[:9], darker(dancer.top), 2)
    badge = points["neck"] + 0.56 * shoulders + 0.15 * spine
    paint_limb(image, badge, badge, (0.022 * metre, 0.022 * metre), dancer.top_stripe)


def draw_arm(image: np.ndarray, dancer: Dancer, points: Points, metre: float, name: str) -> None:
    """Paint an arm and its hand."""
    thick = metre * dancer.girth
    shoulder, elbow, wrist = (points[f"{name}_{at}"] for at in ("shoulder", "elbow", "wrist"))
    sleeve = dancer.top if dancer.has_long_sleeves else dancer.skin
    paint_limb(image, shoulder, elbow, (0.056 * thick, 0.044 * thick), sleeve)
    paint_limb(image, elbow, wrist, (0.043 * thick, 0.029 * thick), sleeve)
    if dancer.has_long_sleeves:
        cuff = elbow + 0.88 * (wrist - elbow)
        paint_limb(image, cuff, wrist, (0.035 * thick, 0.033 * thick), dancer.top_stripe)
    else:
        half_way = shoulder + 0.55 * (elbow - shoulder)
        paint_limb(image, shoulder, half_way, (0.061 * thick, 0.060 * thick), dancer.top)
    joint = {part: points[f"{name}_{part}"] for part in part_skeleton("hand_left").keypoints}
    knuckles = [joint[f"{finger}_1"] for finger in FINGERS[1:]]
    palm = np.stack([wrist, joint["thumb_1"], *knuckles])
    palm = cv2.convexHull(palm.astype(np.float32))[:, 0]
    outline, width = darker(dancer.skin, 0.7), 0.019 * metre
    tips = [np.stack([joint[f"{finger}_{n}"] for n in range(1, 5)]) for finger in FINGERS]
    tips[0] = np.concatenate([wrist[None], tips[0]])
    for colour, wider in ((outline, 1.6), (dancer.skin, 0.0)):
        paint_line(image, np.concatenate([palm, palm[:1]]), colour, width + wider)
        paint_area(image, palm, dancer.skin)
        for finger in tips:
            paint_line(image, finger, colour, width + wider)


def draw_back_hair(image: np.ndarray, dancer: Dancer, points: Points) -> None:
    """Paint the hair that lies behind head and shoulders."""
    head, size = points["head"], float(points["head_size"])
    swing = 0.12 * size * unit(points["head"] - points["neck"])[0]
    if dancer.has_long_hair:
        low = points["neck"] + np.array([-swing, 0.02 * size])
        paint_limb(image, head, low, (0.44 * size, 0.46 * size), darker(dancer.hair, 0.85))
    else:
        for angle in np.radians(np.arange(-200, 21, 20)):
            curl = head + size * np.array([0.37 * np.cos(angle), 0.47 * np.sin(angle) - 0.03])
            paint_limb(image, curl, curl, (0.09 * size, 0.09 * size), dancer.hair)


def _face(pose: Pose, blink: float) -> Points:
    """The 70 face points, hairline and ears on the turned head, in head coordinates."""
    eye_angles = np.radians([180, 120, 60, 0, -60, -120])
    mouth_angles = np.radians(180 - 30 * np.arange(12))
    inner_angles = np.radians(180 - 45 * np.arange(8))
    steps = np.arange(5)
    flat: dict[str, np.ndarray] = {}
    jaw = np.radians(np.linspace(178, 2, 17))
    flat["jaw"] = np.stack([0.98 * np.cos(jaw), 0.05 + 0.93 * np.sin(jaw)], axis=1)
    for name, side in SIDES:
        eye_x = side * 0.40 + 0.20 * np.cos(eye_angles)
        eye_y = -0.06 - (0.13 - 0.11 * blink) * np.sin(eye_angles)
        arch = np.array([0.0, 0.05, 0.065, 0.05, 0.0])
        brow_x = side * 0.42 + 0.26 * (steps - 2) / 2
        flat[f"{name}_eye"] = np.stack([eye_x, eye_y], axis=1)
        flat[f"{name}_brow"] = np.stack([brow_x, -0.29 - arch - 0.05 * pose.mouth], axis=1)
        flat[f"{name}_pupil"] = np.array([[side * 0.40, -0.06]])
        flat[f"{name}_cheek"] = np.array([[side * 0.52, 0.34]])
        flat[f"{name}_ear"] = np.array([[side * 0.999, 0.02]])
    flat["nose_bridge"] = np.stack([np.zeros(4), np.linspace(-0.08, 0.22, 4)], axis=1)
    flat["nostril"] = np.stack(
        [0.09 * (steps - 2), 0.32 + 0.03 * (2 - np.abs(steps - 2)) / 2], axis=1
    )
    opening = 0.015 + 0.10 * pose.mouth
    smile = 0.08 * np.abs(np.cos(mouth_angles)) ** 2
    mouth_y = 0.58 + 0.3 * opening
    flat["outer_lip"] = np.stack(
        [0.31 * np.cos(mouth_angles), mouth_y - smile - (opening + 0.05) * np.sin(mouth_angles)],
        axis=1,
    )
    smile = 0.08 * np.abs(np.cos(inner_angles)) ** 2
    flat["inner_lip"] = np.stack(
        [0.25 * np.cos(inner_angles), mouth_y - smile - opening * np.sin(inner_angles)], axis=1
    )
    across = np.linspace(-1, 1, 9)
    flat["hairline"] = np.stack([0.98 * across, -0.56 + 0.46 * np.abs(across) ** 3], axis=1)

    depths = {"nose_bridge": 1.12, "nostril": 1.1, "jaw": 0.3}
    turned = {}
    cos_turn, sin_turn = np.cos(pose.head_turn), np.sin(pose.head_turn)
    cos_nod, sin_nod = np.cos(pose.nod), np.sin(pose.nod)
    for name, xy in flat.items():
        z = depths.get(name, 1.0) * np.sqrt(np.clip(1 - (xy**2).sum(axis=1), 0, 1))
        y = xy[:, 1] * cos_nod + z * sin_nod
        z = z * cos_nod - xy[:, 1] * sin_nod
        turned[name] = np.stack([xy[:, 0] * cos_turn + z * sin_turn, y], axis=1)
    return turned


def draw_head(
    image: np.ndarray, dancer: Dancer, points: Points, pose: Pose, blink: float
) -> Points:
    """Paint hair, head and face; gives the face points, (N, 2) px each."""
    centre = points["head"]
    up = unit(points["head"] - points["neck"])
    axes = np.stack([[-up[1], up[0]], -up])
    size = points["head_size"] * np.array([[0.36], [0.5]])
    axes = axes * size

    def place(xy: np.ndarray) -> np.ndarray:
        return centre + xy @ axes

    def oval(x: float, y: float, half_width: float, half_height: float) -> np.ndarray:
        angles = np.radians(np.arange(0, 360, 12))
        xy = [x + half_width * np.cos(angles), y + half_height * np.sin(angles)]
        return place(np.stack(xy, axis=1))

    face = _face(pose, blink)
    skin, lips = dancer.skin, (176, 62, 66)
    for name, _ in SIDES:
        x, y = face[f"{name}_ear"][0]
        paint_area(image, oval(x, y, 0.16, 0.22), darker(skin, 0.92))
    paint_area(image, oval(0, 0, 1, 1), skin, axes[0] * 1.05)
    for name, _ in SIDES:
        x, y = face[f"{name}_cheek"][0]
        paint_area(image, oval(x, y, 0.19 * np.sqrt(1 - min(x * x, 0.9)), 0.11), _blush(skin))
    for name, _ in SIDES:
        eye, pupil = place(face[f"{name}_eye"]), place(face[f"{name}_pupil"])[0]
        paint_area(image, eye, (250, 250, 248) if blink < 0.6 else darker(skin))
        if blink < 0.6:
            radius = 0.115 * float(np.linalg.norm(axes[0]))
            paint_limb(image, pupil, pupil, (radius, radius), (44, 32, 28))
        paint_line(image, eye[:4], darker(dancer.hair, 0.8), 1)
        paint_line(image, place(face[f"{name}_brow"]), dancer.hair, 0.04 * float(size[1, 0]))
    nose = place(face["nose_bridge"])
    breadth = 0.11 * float(np.linalg.norm(axes[0]))
    paint_limb(image, nose[1], nose[3], (0.5 * breadth, breadth), darker(skin, 0.95))
    paint_line(image, place(face["nostril"]), darker(skin, 0.66), 1)
    paint_area(image, place(face["outer_lip"]), lips)
    paint_area(image, place(face["inner_lip"]), (96, 26, 34) if pose.mouth < 0.4 else (70, 16, 24))
    dome = np.radians(np.linspace(2, -182, 25))
    wide = 1.2 if dancer.has_long_hair else 1.06
    crown = place(np.stack([wide * np.cos(dome), 0.02 + 1.1 * np.sin(dome)], axis=1))
    paint_area(image, np.concatenate([crown, place(face["hairline"])]), dancer.hair, axes[0] * 1.1)
    return {name: place(xy) for name, xy in face.items()}


def _blush(skin: Colour) -> Colour:
    return (min(255, skin[0] + 8), max(0, skin[1] - 16), max(0, skin[2] - 14))
