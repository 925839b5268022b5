"""Labels: the stick figure the generator reads, drawn from keypoints.

The figure of the method's release: coloured joints and limbs on white, eight black face dots, and
hands. Widths are the release's, which draws at 1080 rows, in proportion to the canvas height.
Unlike the release, positions are not rounded to pixels: on a canvas of 96 rows an arm is a pixel
wide, and a figure drawn there without anti-aliasing flickers.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edn_core.config import LabelConfig
from edn_core.frames import FramesInfo, FrameWriter
from edn_core.keypoints import Keypoints, Person
from edn_core.logs import progress
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, FACE_70, HAND_21, Skeleton

REFERENCE_HEIGHT = 1080  # rows of the canvas the release's widths are meant for
JOINT_RADIUS, LIMB_HALF_WIDTH = 8.0, 4.0
HAND_RADIUS, HAND_HALF_WIDTH = 3.0, 2.0
FACE_RADIUS = 4.0
MIN_FACE_SCORE = 0.2  # mean over the 70 points
MIN_HAND_SCORE = 0.05
LIMB_OPACITY = 0.6
MIN_DRAWN_WIDTH = 1.5  # px at drawing scale; thinner lines break up
_FRACTION_BITS = 4  # cv2's fixed point: 1/16 px
_ELLIPSE = np.stack([f(np.linspace(0, 2 * np.pi, 32, endpoint=False)) for f in (np.cos, np.sin)], 1)

Color = tuple[int, int, int]


def _colors(listed: str) -> tuple[Color, ...]:
    """Colours as the release writes them into its BGR canvas, turned into RGB."""
    numbers = [int(number) for number in listed.replace(",", " ").split()]
    rows = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return tuple((red, green, blue) for blue, green, red in rows)


# In the order of each skeleton's keypoints. A generator trained on one skeleton's colours does not
# understand another's.
PALETTES: dict[str, tuple[Color, ...]] = {
    EDN_23.name: _colors(
        "255,0,0 255,55,0 255,110,0 255,165,0 255,215,0 255,235,0 255,255,0 255,0,0 175,255,0 "
        "85,255,0 0,255,0 0,255,85 0,255,170 25,25,128 0,85,255 0,170,255 0,212,255 0,255,255 "
        "255,0,0 255,0,255 238,130,238 138,43,226 75,0,130"
    ),
    COCO_18.name: _colors(
        "255,0,0 255,85,0 255,170,0 255,255,0 170,255,0 85,255,0 0,255,0 0,255,85 0,255,170 "
        "0,255,255 0,170,255 0,85,255 0,0,255 85,0,255 170,0,255 255,0,255 255,0,170 255,0,85"
    ),
    BODY_25.name: _colors(
        "255,0,85 255,0,0 255,85,0 255,170,0 255,255,0 170,255,0 85,255,0 0,255,0 255,0,0 "
        "0,255,85 0,255,170 0,255,255 0,170,255 0,85,255 0,0,255 255,0,170 170,0,255 255,0,255 "
        "85,0,255 0,0,255 0,0,255 0,0,255 0,255,255 0,255,255 0,255,255"
    ),
    HAND_21.name: _colors(
        "230,53,40 231,115,64 233,136,31 213,160,13 217,200,19 170,210,35 139,228,48 83,214,45 "
        "77,192,46 83,213,133 82,223,190 80,184,197 78,140,189 86,112,208 83,73,217 123,46,183 "
        "189,102,255 218,83,232 229,65,189 236,61,141 255,102,145"
    ),
}
FACE_DOTS = (
    "nose_bridge_0",
    "nose_bridge_3",
    "jaw_8",
    "jaw_0",
    "jaw_16",
    "nostril_2",
    "right_pupil",
    "left_pupil",
)


@dataclass(frozen=True)
class LabelStyle:
    """One way to draw labels.

    Attributes:
        channels: planes of the label as the generator reads it.
        draw: (person, body skeleton, (H, W), thickness) -> (H, W, 3) uint8 RGB.
    """

    channels: int
    draw: Callable[[Person, Skeleton, tuple[int, int], float], np.ndarray]


def draw_stick_figure(
    person: Person, skeleton: Skeleton, size: tuple[int, int], thickness: float = 1.0
) -> np.ndarray:
    """Draw the stick figure of "Everybody Dance Now" on white.

    Order and colours of the release: body joints, body limbs (an ellipse each, 60 % opaque, in the
    colour of its first joint), face dots if the mean face score reaches 0.2, right hand, left hand
    (points with a score above 0.05).

    Args:
        person: part -> (K, 3) of x px, y px, score; what is missing, not finite or outside the
            canvas is not drawn.
        skeleton: of the body part.
        size: (H, W) of the canvas, px.
        thickness: multiplies all widths, which are those of the release times H / 1080.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = size
    unit = height / REFERENCE_HEIGHT * thickness
    label = np.full((height, width, 3), 255, np.uint8)
    points = {part: _seen(values) for part, values in person.items()}
    drawn = np.concatenate([one[~np.isnan(one[:, 0]), :2] for one in points.values()])
    margin = JOINT_RADIUS * unit + 1
    if len(drawn) == 0:
        return label
    # Only the part of the canvas where the person is gets drawn large.
    x0, y0 = np.maximum(np.floor(drawn.min(axis=0) - margin), 0).clip(max=[width, height])
    x1, y1 = np.minimum(np.ceil(drawn.max(axis=0) + margin) + 1, [width, height]).clip(min=0)
    x0, y0, x1, y1 = int(x0), int(y0), int(x1), int(y1)
    if x1 <= x0 or y1 <= y0:
        return label
    zoom = max(1, math.ceil(MIN_DRAWN_WIDTH / (2 * HAND_HALF_WIDTH * unit)))
    large = np.full(((y1 - y0) * zoom, (x1 - x0) * zoom, 3), 255, np.uint8)
    for values in points.values():
        values[:, :2] = (values[:, :2] - (x0, y0) + 0.5) * zoom - 0.5
    _draw_person(large, points, skeleton, unit * zoom)
    label[y0:y1, x0:x1] = cv2.resize(large, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return label


LABEL_STYLES = {"edn": LabelStyle(channels=3, draw=draw_stick_figure)}


def render_label(
    person: Person, skeleton: Skeleton, size: tuple[int, int], config: LabelConfig
) -> np.ndarray:
    """Draw one label in the configured style.

    Args:
        person: part -> (K, 3) of x px, y px, score.
        skeleton: of the body part.
        size: (H, W) of the canvas, px.
        config: style and thickness.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: unknown style; lists the known ones.
    """
    return label_style(config).draw(person, skeleton, size, config.thickness)


def label_style(config: LabelConfig) -> LabelStyle:
    """The configured style.

    Raises:
        ValueError: unknown style; lists the known ones.
    """
    if config.style not in LABEL_STYLES:
        raise ValueError(
            f"labels.style is {config.style!r}; known styles: {', '.join(LABEL_STYLES)}"
        )
    return LABEL_STYLES[config.style]


def render_labels(
    keypoints: Keypoints, config: LabelConfig, path: str | Path, canvas: FramesInfo | None = None
) -> None:
    """Draw the label of every frame into an ``edn-frames`` store (png, lossless).

    Args:
        keypoints: of a video, or of a source moved into a target's canvas.
        config: style and thickness.
        path: the store to write.
        canvas: the store whose canvas the keypoints lie in (padding and place in time are taken
            from it); none: the keypoints' own canvas without padding.

    Raises:
        ValueError: unknown style, or the canvas is not that of the keypoints.
    """
    draw = label_style(config).draw
    size = keypoints.height, keypoints.width
    if canvas is not None and canvas.size != size:
        raise ValueError(
            f"{path}: keypoints of {keypoints.video} lie in a canvas (H, W) of {size}, expected "
            f"{canvas.size} of {canvas.video}; normalize them to {canvas.video} first"
        )
    own_canvas = FramesInfo(
        video=keypoints.video,
        n_frames=len(keypoints),
        fps=keypoints.fps,
        width=keypoints.width,
        height=keypoints.height,
        source_width=keypoints.width,
        source_height=keypoints.height,
        scale=1.0,
        offset=(0, 0),
        stop_s=float(len(keypoints) / keypoints.fps),
    )
    info = (canvas or own_canvas).replaced(
        video=keypoints.video,
        n_frames=len(keypoints),
        fps=keypoints.fps,
        source_sha256="",
        style=config.style,
        # All that changes the drawing: another palette or thickness is another language.
        style_config={**dataclasses.asdict(config), "skeleton": keypoints.skeleton.name},
    )
    with FrameWriter(path, info, "png") as writer:
        for frame in progress(range(len(keypoints)), f"labels {keypoints.video}"):
            writer.append(draw(keypoints.person(frame), keypoints.skeleton, size, config.thickness))


def _seen(values: np.ndarray) -> np.ndarray:
    """(K, 3) float64 copy; NaN and score 0 where not seen or absurdly far away."""
    values = np.array(values, np.float64)
    with np.errstate(invalid="ignore"):
        is_missing = ~(values[:, 2] > 0) | ~(np.abs(values[:, :2]) < 1e6).all(axis=1)
    values[is_missing] = np.nan, np.nan, 0
    return values


def _draw_person(
    canvas: np.ndarray, points: dict[str, np.ndarray], skeleton: Skeleton, unit: float
) -> None:
    """Draw in place; points in px of the canvas, ``unit`` px of it for 1 px of the release."""
    body, colors = points["body"], PALETTES[skeleton.name]
    for point, color in zip(body, colors, strict=True):
        _dot(canvas, point, JOINT_RADIUS * unit, color)
    for first, second in skeleton.limbs:
        row = skeleton.index(first)
        other = body[skeleton.index(second)]
        _limb(canvas, body[row], other, LIMB_HALF_WIDTH * unit, colors[row])
    face = points.get("face")
    if face is not None and face[:, 2].mean() >= MIN_FACE_SCORE:
        for name in FACE_DOTS:
            _dot(canvas, face[FACE_70.index(name)], FACE_RADIUS * unit, (0, 0, 0))
    for part in ("hand_right", "hand_left"):
        if part in points:
            _draw_hand(canvas, points[part], unit)


def _draw_hand(canvas: np.ndarray, hand: np.ndarray, unit: float) -> None:
    hand[~(hand[:, 2] > MIN_HAND_SCORE)] = np.nan
    colors = PALETTES[HAND_21.name]
    for point, color in zip(hand, colors, strict=True):
        _dot(canvas, point, HAND_RADIUS * unit, color)
    for first, second in HAND_21.limbs:
        row = HAND_21.index(second)
        start = hand[HAND_21.index(first)]
        _limb(canvas, start, hand[row], HAND_HALF_WIDTH * unit, colors[row])


def _dot(canvas: np.ndarray, point: np.ndarray, radius: float, color: Color) -> None:
    """An opaque disc; nothing if the point is missing or out of sight."""
    height, width = canvas.shape[:2]
    x, y = point[:2]
    if -radius < x < width + radius and -radius < y < height + radius:
        factor = 1 << _FRACTION_BITS
        center = round(x * factor), round(y * factor)
        # cv2 also colours the pixels its outline runs through: half a pixel less all round.
        fixed = max(round((radius - 0.5) * factor), 1)
        cv2.circle(canvas, center, fixed, color, -1, cv2.LINE_AA, _FRACTION_BITS)


def _limb(
    canvas: np.ndarray, start: np.ndarray, end: np.ndarray, half_width: float, color: Color
) -> None:
    """A flat ellipse from start to end, blended; nothing if an end is missing."""
    along = (start[:2] - end[:2]) / 2
    length = math.hypot(*along)
    if not length > 0:  # NaN included
        return
    across = np.array([-along[1], along[0]]) / length * (half_width - 0.5)
    outline = (start[:2] + end[:2]) / 2 + _ELLIPSE @ np.stack([along, across])
    height, width = canvas.shape[:2]
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)) - 2, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)) + 3, [width, height]).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    region = canvas[y0:y1, x0:x1]
    painted = region.copy()
    fixed = np.round((outline - (x0, y0)) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillConvexPoly(painted, fixed, color, cv2.LINE_AA, _FRACTION_BITS)
    region[:] = cv2.addWeighted(region, 1 - LIMB_OPACITY, painted, LIMB_OPACITY, 0)
