"""Pictures for people: the preview of a video, the plot of a normalization."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from edn_core.compose import even
from edn_core.face import face_box_size, face_boxes
from edn_core.footage import Footage, halvings_to, shrunk
from edn_core.keypoints import Keypoints
from edn_core.logs import progress
from edn_core.normalize import TORSO, VideoStatistics, measure_frames, measure_level
from edn_core.skeleton import PARTS, Skeleton, part_skeleton
from edn_core.store import write_beside
from edn_core.video import encode

MIN_HEIGHT, MAX_HEIGHT = 480, 800  # px, of pictures to look at
# Sides in different colours: left and right changing places is the commonest fault of a pose.
RIGHT, LEFT, MIDDLE = (255, 120, 0), (0, 200, 255), (255, 255, 0)
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (190, 190, 190)
ENDS = ("close", "far")  # of a dancer's depth
_FRACTION_BITS = 4  # cv2's fixed point: 1/16 px


def write_preview(video_path: str | Path, keypoints: Keypoints, path: str | Path) -> None:
    """Write an mp4 of a video with its keypoints drawn over it.

    The dancer's right side is orange, the left side blue, the middle yellow; the face box is white.
    Other people are grey; where there are any, a yellow arrowhead points at the dancer.
    What is doubted of keypoints from files stands at the top throughout.
    Large pictures are halved, small ones enlarged by a whole number to at least 480 px of height.
    """
    halvings = halvings_to(keypoints.height, MAX_HEIGHT)
    frames = Footage(video_path, keypoints.clip, halvings)
    drawn_over = shrunk(keypoints, halvings)
    boxes = face_boxes(drawn_over, face_box_size(drawn_over.height))

    def drawn() -> Iterator[np.ndarray]:
        for frame in progress(range(len(frames)), f"preview {keypoints.video}"):
            picture = draw_keypoints(frames[frame], drawn_over, frame, boxes[frame])
            people = int(keypoints.n_people[frame])
            others = "" if people == 1 else f", {people} people"
            write_text(picture, f"frame {frame}{others}", 8, picture.shape[0] - 10)
            for row, doubt in enumerate(keypoints.doubts):
                write_text(picture, f"{doubt.what}: {doubt.share:.0%}", 8, 24 * (row + 1))
            yield even(picture)

    encode(path, drawn(), keypoints.fps)


def draw_keypoints(
    image: np.ndarray, keypoints: Keypoints, frame: int, face_box: np.ndarray
) -> np.ndarray:
    """One frame with its keypoints, face box and bystanders.

    The image (H, W, 3) uint8 RGB of the keypoints, enlarged by a whole number; ``face_box`` is (4,)
    x0, y0, x1, y1, negative for none.
    """
    zoom = math.ceil(MIN_HEIGHT / image.shape[0])
    picture = np.repeat(np.repeat(image, zoom, axis=0), zoom, axis=1)
    thickness = max(1, round(picture.shape[0] / 240))
    if face_box[0] >= 0:
        x0, y0, x1, y1 = (int(value) * zoom for value in face_box)
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), WHITE, 1)

    def draw_limbs(
        xy: np.ndarray, seen: np.ndarray, skeleton: Skeleton, width: int, part: str
    ) -> None:
        places = _places(xy, zoom)
        for first, second in skeleton.limbs:
            a, b = skeleton.index(first), skeleton.index(second)
            if seen[a] and seen[b]:
                color = _side_color(part, first, second) if part else GREY
                cv2.line(picture, places[a], places[b], color, width, cv2.LINE_AA, _FRACTION_BITS)

    bystanders = [body for body in keypoints.bystanders_in(frame) if (body[:, 2] > 0).any()]
    for body in bystanders:
        draw_limbs(body[:, :2], body[:, 2] > 0, keypoints.skeleton, max(1, thickness // 2), "")
    for part in PARTS:
        skeleton = part_skeleton(part, keypoints.skeleton)
        width = thickness if part == "body" else 1
        xy, seen = keypoints.xy[part][frame], keypoints.score[part][frame] > 0
        draw_limbs(xy, seen, skeleton, width, part)
        places = _places(xy, zoom)
        for row in np.flatnonzero(seen):
            name = skeleton.keypoints[row]
            color = WHITE if part == "face" else _side_color(part, name, name)
            radius = width << _FRACTION_BITS
            cv2.circle(picture, places[row], radius, color, -1, cv2.LINE_AA, _FRACTION_BITS)
    if bystanders and (keypoints.score["body"][frame] > 0).any():
        _point_at_head(picture, keypoints, frame, zoom)
    return picture


def _places(xy: np.ndarray, zoom: int) -> list[tuple[int, int]]:
    """Px (K, 2) as cv2's fixed-point px of the picture; anything where NaN."""
    points = (np.nan_to_num(xy) + 0.5) * zoom - 0.5
    fixed = np.clip(np.round(points * (1 << _FRACTION_BITS)), -(2**20), 2**20).astype(int)
    return [(int(x), int(y)) for x, y in fixed]  # cv2 wants tuples


def _point_at_head(picture: np.ndarray, keypoints: Keypoints, frame: int, zoom: int) -> None:
    """A yellow arrowhead above the head, or above the topmost point where no head was found."""
    height, width = picture.shape[:2]
    size = round(height / 32)
    names = "nose right_eye left_eye right_ear left_ear".split()
    head = np.stack([keypoints.point(name)[frame] for name in names])
    neck = keypoints.point("neck")[frame]
    if np.isnan(head).all():
        body = keypoints.xy["body"][frame]
        x, y = body[np.nanargmin(body[:, 1])]
    else:
        x, y = np.nanmean(head, axis=0)
        # The crown is about as far above the face as the neck is below it.
        y -= 0.0 if np.isnan(neck).any() else float(np.hypot(*(neck - (x, y))))
    x = int(np.clip((x + 0.5) * zoom, size, width - size))
    y = int(np.clip((y + 0.5) * zoom, size, height))
    corners = np.array([[x - size // 2, y - size], [x + size // 2, y - size], [x, y]])
    cv2.fillConvexPoly(picture, corners, MIDDLE, cv2.LINE_AA)
    cv2.polylines(picture, [corners], True, BLACK, 1, cv2.LINE_AA)


def _side_color(part: str, first: str, second: str) -> tuple[int, int, int]:
    for side, color in (("right", RIGHT), ("left", LEFT)):
        for name in (part, first, second):
            if name.startswith(f"{side}_") or name.endswith(f"_{side}"):
                return color
    return MIDDLE


def write_text(picture: np.ndarray, text: str, x: int, y: int) -> None:
    """White text on a black bar, its baseline starting at (x, y)."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.6
    (width, height), below = cv2.getTextSize(text, font, scale, 1)
    cv2.rectangle(picture, (x - 4, y - height - 4), (x + width + 4, y + below), BLACK, -1)
    cv2.putText(picture, text, (x, y), font, scale, WHITE, 1, cv2.LINE_AA)


def plot_normalization(
    source: Keypoints,
    normalized: Keypoints,
    target: Keypoints,
    source_statistics: VideoStatistics,
    target_statistics: VideoStatistics,
    path: str | Path,
    mode: str = "paper",
) -> None:
    """Plot how the source dancer was moved into the target's frame, as a PNG.

    Left the source as filmed, right the source as moved among the target's own frames; above the
    ankle level, below the height, over time, with the close and far levels of both videos (their
    medians where one of them fell back) and, in black, the filtered ankle level that decides the
    depth. Below, which fallback was used and why. ``mode`` is ``normalization.mode``; edn_release
    has levels of its own, which are not drawn.
    """
    is_release = mode == "edn_release"
    fallbacks = source_statistics.fallback, target_statistics.fallback
    by_torso = TORSO in fallbacks and not is_release
    names = ("hip", "torso") if by_torso else ("ankle", "height")
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2, sharex="col")
    moved = [(target, "target", "0.7"), (normalized, "source, moved", "tab:blue")]
    plotted = [(source, "source", "tab:orange")], moved
    for column, tracks, statistics in zip(
        axes.T, plotted, (source_statistics, target_statistics), strict=True
    ):
        for keypoints, label, color in tracks:
            anchors, lengths = measure_frames(keypoints, by_torso=by_torso)
            seconds = np.arange(len(keypoints)) / float(keypoints.fps)
            column[0].plot(seconds, anchors[:, 1], color=color, label=label, lw=1)
            column[1].plot(seconds, lengths, color=color, label=label, lw=1)
        measured, whose, _ = tracks[0]
        if not by_torso and not is_release:
            seconds = np.arange(len(measured)) / float(measured.fps)
            level = measure_level(measured, statistics)
            column[0].plot(seconds, level, color="black", label=f"{whose}, filtered", lw=0.8)
        column[0].set(title=f"in the frame of {measured.video}", ylabel=f"{names[0]} level y / px")
        column[1].set(xlabel="time / s", ylabel=f"{names[1]} / px")
        for one, what in zip(column, names, strict=True):
            if not is_release:
                _draw_levels(one, statistics, what, ("median",) if any(fallbacks) else ENDS)
            one.legend(fontsize="small", loc="upper right", framealpha=0.4)
        column[0].invert_yaxis()  # y runs down, as in the picture
    told = describe_normalization(source_statistics, target_statistics, mode)
    figure.supxlabel(told, fontsize="small", x=0.02, ha="left")
    with write_beside(path) as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})


def _draw_levels(axes: Axes, statistics: VideoStatistics, what: str, ends: tuple[str, ...]) -> None:
    """Dashed lines at the close and far, or at the median, level or height."""
    for end in ends:
        value = getattr(statistics, f"{what}_{end}")
        if math.isfinite(value):
            axes.axhline(value, color="0.3", ls="--", lw=0.8)
            axes.annotate(end, (0.005, value), xycoords=axes.get_yaxis_transform(), fontsize=8)


def describe_normalization(source: VideoStatistics, target: VideoStatistics, mode: str) -> str:
    """Which levels of the two videos a mode used and why, line by line."""
    if mode == "edn_release":
        return f"mode {mode}: levels of its own; its scales stand in the log of normalize_pose"
    lines = [f"mode {mode}"]
    for one, other in ((source, target), (target, source)):
        how = "levels as in the paper"
        if one.fallback:
            how = f"fallback: {one.fallback}"
        elif other.fallback:
            how = f"its medians, because {other.video} fell back"
        used = f"{one.n_used} of {one.n_frames} frames show head and feet"
        lines += [f"{one.video}: {how}; {used}", *(f"    {step}" for step in one.steps)]
    return "\n".join(lines)
