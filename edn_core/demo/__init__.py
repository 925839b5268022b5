"""The two demo dancers: drawn people who dance in a drawn room, with ground-truth keypoints.

A skeleton in metres moves through key poses on the beat (choreography), a pinhole camera looks
at it (dancers), and the person is painted where the camera sees it (figure). Every picture is a
function of the dancer and the time alone.
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from edn_core.demo.choreography import BEATS_PER_MINUTE, Pose, joints_in_space, pose_at
from edn_core.demo.dancers import DANCERS, SIDES, Dancer, Points, project
from edn_core.demo.figure import draw_arm, draw_back_hair, draw_head, draw_legs, draw_torso
from edn_core.demo.painting import paint_shadow
from edn_core.demo.room import draw_room
from edn_core.keypoints import Person, from_people, missing_person, write_keypoints
from edn_core.logs import LOGGER, progress
from edn_core.skeleton import BODY_25, part_skeleton
from edn_core.video import Sound, encode

SOUND_RATE = 44_100
# Different rates, as two people's cameras have.
FPS = {"source": Fraction(25), "target": Fraction(30)}
FACE_LINES = (
    *("jaw", "right_brow", "left_brow", "nose_bridge", "nostril"),
    *("right_eye", "left_eye", "outer_lip", "inner_lip"),
)


def draw_frame(dancer: Dancer, time_s: float) -> tuple[np.ndarray, Person]:
    """Draw one moment of a dance; the same time gives the same bytes.

    (H, W, 3) uint8 RGB, and ground-truth keypoints in its px, score 1: BODY_25, the 70 face points
    and 21 points of each hand. Points outside the frame, and an ear that the turned head hides, are
    NaN, NaN, 0.
    """
    figure = stand(dancer, time_s)
    image = draw_room(dancer).copy()
    for name, side in SIDES:
        floor = figure.space[f"{name}_ankle"] * [1, 0, 1]
        centre = project(dancer, floor + [0.03 * side, 0, 0.03])
        paint_shadow(image, centre, 0.2 * figure.metre)
    face = paint_person(image, dancer, figure)
    x, y = np.random.default_rng(round(time_s * 1000)).integers(64, size=2)
    noise = _noise(dancer.height, dancer.width)[y : y + dancer.height, x : x + dancer.width]
    drawn = cv2.add(image, noise, dtype=cv2.CV_8U)
    return drawn, _truth(dancer, figure.points, face)


class _Figure(NamedTuple):
    """A person at one moment."""

    pose: Pose
    blink: float
    space: Points  # m
    points: Points  # px
    metre: float  # px


def stand(dancer: Dancer, time_s: float) -> _Figure:
    """Where a dancer is at a time, s."""
    beat = time_s * BEATS_PER_MINUTE / 60
    pose = pose_at(dancer.choreography, beat)
    space = joints_in_space(dancer, pose, beat)
    names = list(space)
    points = dict(zip(names, project(dancer, np.stack([space[n] for n in names])), strict=True))
    metre = dancer.focal_length / (dancer.distance - space["mid_hip"][2])
    points["head_size"] = np.asarray(metre * dancer.head)
    # The eyes close for a moment around every third beat and a half.
    blink = max(0.0, 1 - abs((beat % 3.5) - 1.2) / 0.22)
    return _Figure(pose, blink, space, points, metre)


def paint_person(image: np.ndarray, dancer: Dancer, figure: _Figure) -> Points:
    """The person, over a picture; gives the face points, px."""
    points, metre = figure.points, figure.metre
    draw_back_hair(image, dancer, points)
    draw_legs(image, dancer, points, metre)
    draw_torso(image, dancer, points, metre)
    face = draw_head(image, dancer, points, figure.pose, figure.blink)
    for name in ("right", "left"):
        draw_arm(image, dancer, points, metre, name)
    return face


def _truth(dancer: Dancer, points: Points, face: Points) -> Person:
    """What was drawn and where; points outside the frame and hidden ears are missing."""
    face_points = {
        f"{name}_{number}": xy for name in FACE_LINES for number, xy in enumerate(face[name])
    } | {f"{name}_pupil": face[f"{name}_pupil"][0] for name, _ in SIDES}
    body = points | {"nose": face["nose_bridge"][3]}
    for name, side in SIDES:
        body[f"{name}_eye"] = face[f"{name}_pupil"][0]
        ear = face[f"{name}_ear"][0]
        if side * (ear[0] - points["head"][0]) > 0.27 * points["head_size"]:
            body[f"{name}_ear"] = ear
    known = {"body": body, "face": face_points}
    for name, _ in SIDES:
        own = {key: xy for key, xy in points.items() if key.startswith(f"{name}_")}
        known[f"hand_{name}"] = {key.removeprefix(f"{name}_"): xy for key, xy in own.items()}
    person = missing_person()
    last = np.array([dancer.width - 1, dancer.height - 1])
    for part, found in known.items():
        for row, name in enumerate(part_skeleton(part, BODY_25).keypoints):
            xy = found.get(name)
            if xy is not None and (xy >= 0).all() and (xy <= last).all():
                person[part][row] = (*xy, 1)
    return person


@lru_cache(maxsize=2)
def _noise(height: int, width: int) -> np.ndarray:
    """Camera noise, larger than a frame so that frames can cut it at different places."""
    noise = np.random.default_rng(0).normal(0, 2.0, (height + 64, width + 64, 3))
    return np.round(noise).astype(np.int16)


def synthesize_beat(seconds: float) -> np.ndarray:
    """A kick on every beat of the choreographies, a hat between and a bass that wanders.

    (n,) int16, mono; n is seconds * SOUND_RATE, rounded.
    """
    time = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    beat = time * BEATS_PER_MINUTE / 60
    since = (beat % 1) * 60 / BEATS_PER_MINUTE
    since_half = ((beat + 0.5) % 1) * 60 / BEATS_PER_MINUTE
    # The kick's pitch falls from 150 Hz to 50 Hz: its phase is the integral of that.
    kick = np.sin(2 * np.pi * (50 * since - 100 / 30 * np.exp(-30 * since))) * np.exp(-9 * since)
    hat = np.random.default_rng(0).uniform(-1, 1, len(time)) * np.exp(-60 * since_half)
    notes = np.array([55.0, 55.0, 65.41, 49.0, 55.0, 73.42, 65.41, 49.0])
    pitch = notes[np.floor(beat).astype(int) % len(notes)]
    bass = np.sin(2 * np.pi * pitch * since) * np.exp(-2.5 * since) * (1 - np.exp(-200 * since))
    mix = 0.55 * kick + 0.12 * hat + 0.30 * bass
    return np.round(32767 * np.clip(mix, -1, 1)).astype(np.int16)


def film_demo(
    dancer: Dancer,
    seconds: float,
    fps: Fraction,
    video_path: str | Path,
    keypoints_path: str | Path,
) -> None:
    """Film a dancer: a video with sound, and the keypoints that were drawn.

    The video has round(seconds * fps) frames; the ``edn-keypoints`` are in its px, backend "drawn",
    their video is its name without suffix.

    Raises:
        ValueError: shorter than one frame.
    """
    n_frames = round(seconds * fps)
    if n_frames < 1:
        raise ValueError(
            f"{video_path}: {seconds} s at {fps} frames/s is less than one frame; ask for more"
        )
    people: list[Person | None] = []

    def frames() -> Iterator[np.ndarray]:
        for number in progress(range(n_frames), f"film {Path(video_path).stem}"):
            image, truth = draw_frame(dancer, float(number / fps))
            people.append(truth)
            yield image

    sound = Sound(samples=synthesize_beat(float(n_frames / fps))[:, None], rate=SOUND_RATE)
    encode(video_path, frames(), fps, sound)
    about = {"width": dancer.width, "height": dancer.height, "fps": fps}
    name = Path(video_path).stem
    keypoints = from_people(people, BODY_25, video=name, backend="drawn", **about)
    write_keypoints(keypoints_path, keypoints)
    LOGGER.info(f"{video_path}: {n_frames} frames of {dancer.width}x{dancer.height}")
