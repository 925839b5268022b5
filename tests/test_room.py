"""The room: exact where it was bare, at rest where it moves, made up where nobody ever saw it."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from walkers import dancer

from edn_core.compose import read_room
from edn_core.config import StatisticsConfig
from edn_core.errors import Refused
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.inpainting import in_tone, inpaint
from edn_core.normalize import measure_video
from edn_core.room import (
    bare_pixels,
    build_room,
    empty_frames,
    median_of_bare,
    read_room_report,
)
from edn_core.shadow import feet_of, read_shadow, shade_of
from edn_core.video import encode

HEIGHT, WIDTH = 96, 160
FPS = 25
DANCER = 250
ROWS, COLUMNS = np.indices((HEIGHT, WIDTH))
# Grey: video codecs blur colours over the dancer's edge.
ROOM = np.repeat((40 + ROWS + COLUMNS // 4)[..., None], 3, axis=2).astype(np.uint8)
STANDING = np.s_[24:72, 70:94]
"""Where the dancer stands who never leaves her place: 7.5 % of the picture."""


class Scene:
    """A video of a dancer who is a rectangle, her masks, and what the room was built from."""

    def __init__(self, folder, places, unseen=(), change=lambda frame, image: None, **where):
        self.folder = folder
        self.places, self.n_frames = places, len(places)
        self.keypoints = dancer([70.0] * self.n_frames, size=(HEIGHT, WIDTH), video="her", **where)
        images = []
        to_video = np.tile(np.eye(2, 3), (self.n_frames, 1, 1))
        info = FramesInfo(
            "her", self.n_frames, Fraction(FPS), WIDTH, HEIGHT, WIDTH, HEIGHT, to_video
        )
        with FrameWriter(folder / "masks.zip", info.replaced(codec="png", channels=1)) as masks:
            for frame, place in enumerate(places):
                image, mask = ROOM.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
                change(frame, image)
                if place is not None:
                    image[place], mask[place] = DANCER, 255
                images.append(image)
                masks.append(mask if place is not None and frame not in unseen else None)
        encode(folder / "her.mp4", images, Fraction(FPS))

    def build(self, frames=None, name="room"):
        """(room, report)."""
        room, report = self.folder / f"{name}.png", self.folder / f"{name}.json"
        frames = range(self.n_frames) if frames is None else frames
        masks = self.folder / "masks.zip"
        levels = measure_video(self.keypoints, StatisticsConfig())
        build_room(self.folder / "her.mp4", self.keypoints, levels, masks, frames, room, report)
        return read_room(room).astype(int), read_room_report(report)


def walking(n_frames=40):
    """From the left edge to the right one."""
    return [np.s_[24:72, x : x + 24] for x in np.linspace(0, WIDTH - 24, n_frames).astype(int)]


def test_what_was_bare_is_the_room(tmp_path):
    room, report = Scene(tmp_path, walking()).build()
    assert room.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(room - ROOM).max() <= 3
    assert report == {"never_bare": 0, "moving": 0}


def test_what_was_never_bare_is_made_up_from_what_is_around(tmp_path):
    room, report = Scene(tmp_path, [STANDING] * 30).build()
    # And 2 % of her 48 px on all sides: 1 px.
    assert report["never_bare"] == pytest.approx(50 * 26 / (HEIGHT * WIDTH), rel=0.1)
    around = np.ones((HEIGHT, WIDTH), bool)
    around[22:74, 68:96] = False
    assert np.abs(room - ROOM)[around].max() <= 3
    made_up = room[STANDING]
    assert made_up[..., 0].max() < 200  # nothing of her is left
    assert np.abs(made_up - ROOM[STANDING]).mean() < 20


def test_what_a_matte_misses_of_her_now_and_then_is_not_in_the_room(tmp_path):
    wider = np.s_[24:72, 70:98]

    def always_there(frame, image):
        image[wider] = DANCER

    room, _ = Scene(tmp_path, [wider] * 32 + [STANDING] * 8, change=always_there).build()
    assert room[26:70, 95:97].max() < 200  # bare in 8 of 40 frames, she each time


def test_an_empty_room_of_a_second_closes_the_hole(tmp_path):
    away = range(30, 60)
    places = [None if frame in away else STANDING for frame in range(70)]
    scene = Scene(tmp_path, places)
    assert empty_frames(FrameReader(tmp_path / "masks.zip"), range(70), FPS) == [*away]
    room, report = scene.build()
    assert report["never_bare"] == 0
    assert np.abs(room - ROOM).max() <= 3


def test_an_empty_stretch_counts_only_within_the_frames_that_may_be_looked_at(tmp_path):
    places = [None if 30 <= frame < 60 else STANDING for frame in range(70)]
    Scene(tmp_path, places)
    masks = FrameReader(tmp_path / "masks.zip")
    held_out = [*range(40), *range(50, 70)]  # nobody for a moment only: not bare
    assert empty_frames(masks, held_out, FPS) == []  # 10 and 10 frames
    assert empty_frames(masks, held_out, 10) == [*range(30, 40), *range(50, 60)]


def test_what_moves_is_shown_at_rest_and_its_share_is_said(tmp_path, log):
    def lamp(frame, image):
        image[:16, :32] = (90, 150, 210)[frame % 3]

    room, report = Scene(tmp_path, walking(60), change=lamp).build()
    assert report["moving"] == pytest.approx(16 * 32 / (HEIGHT * WIDTH), rel=0.15)
    assert np.abs(room[2:14, 2:30] - 150).max() <= 10
    assert "0.0% of it was never bare and is made up, 3." in log()


def test_the_shadow_at_her_feet_is_known_and_not_in_the_room(tmp_path, log):
    places = walking() + walking()[::-1]
    middle = np.array([place[1].start + 12 for place in places])

    def shade(frame, image):
        away = ((COLUMNS - middle[frame]) / 24) ** 2 + ((ROWS - 70) / 8) ** 2
        image[:] = image * np.where(away < 1, 0.6, 1)[..., None]

    scene = Scene(tmp_path, places, change=shade, ankle_x=middle, height=60.0)
    room, _ = scene.build()
    assert np.abs(room - ROOM).max() <= 6
    feet = feet_of(scene.keypoints, 60.0)[20]
    found = shade_of(read_shadow(tmp_path / "room.json"), feet, 60.0, (HEIGHT, WIDTH))
    assert found[70, middle[20]] == pytest.approx(0.6, abs=0.05)
    assert "the shadow at the feet is known" in log()


def test_the_room_is_the_same_with_more_threads(tmp_path):
    scene = Scene(tmp_path, [STANDING] * 30)
    before = cv2.getNumThreads()
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        scene.build(name=f"room{threads}")
    cv2.setNumThreads(before)
    one, two = ((tmp_path / f"room{threads}.png").read_bytes() for threads in (1, 2))
    assert one == two


def test_a_target_in_none_of_the_frames_is_refused_and_nothing_is_left(tmp_path):
    scene = Scene(tmp_path, [None] * 5 + [STANDING] * 5)
    with pytest.raises(Refused, match="her: the dancer was found in none of its 5 training frames"):
        scene.build(range(5))
    assert not (tmp_path / "room.png").exists()


# Its parts


def test_the_median_of_the_bare_pixels_is_exact():
    images = [ROOM.copy() for _ in range(10)]
    masks = [np.zeros((HEIGHT, WIDTH), bool) for _ in range(10)]
    for i in range(10):
        place = np.s_[8:24, 4 * i : 4 * i + 10]
        images[i][place], masks[i][place] = 255, True
    median, count, spread = median_of_bare(images, [~mask for mask in masks])
    np.testing.assert_array_equal(median, ROOM)
    np.testing.assert_array_equal(count, 10 - np.sum(masks, axis=0))
    assert spread.max() == 0


def test_the_mattes_fringe_is_not_bare(tmp_path):
    # A square of 64 px, twice as large in the video, 100 px of it the dancer.
    mask = np.zeros((64, 64), np.uint8)
    mask[7:57, 20:44] = 255
    to_video = np.array([[[2.0, 0, 20.5], [0, 2, 10.5]]])
    info = FramesInfo("her", 1, Fraction(FPS), 64, 64, 200, 150, to_video, codec="png", channels=1)
    with FrameWriter(tmp_path / "masks.zip", info) as writer:
        writer.append(mask)
    found = bare_pixels(FrameReader(tmp_path / "masks.zip"), 0, (150, 200))
    columns = np.flatnonzero(~found[80])
    # 20.5 + 2 * 20 = 60.5 to 106.5, widened by 1 px of the square, and its soft edge.
    assert columns[0] in (57, 58) and columns[-1] in (109, 110)
    rows = np.flatnonzero(~found[:, 80])
    assert rows[0] in (21, 22) and rows[-1] in (125, 126)


def test_a_hole_is_filled_by_the_pattern_around_it():
    stripes = np.where((COLUMNS // 8 % 2 == 0)[..., None], (200, 180, 160), (90, 70, 50))
    stripes = stripes.astype(np.uint8)
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[30:60, 60:90] = True
    picture = stripes.copy()
    picture[hole] = 0
    filled = inpaint(picture, hole)
    np.testing.assert_array_equal(filled[~hole], stripes[~hole])
    assert np.median(np.abs(filled[hole].astype(int) - stripes[hole])) <= 12
    np.testing.assert_array_equal(inpaint(picture, np.zeros_like(hole)), picture)


def test_what_is_copied_into_a_hole_takes_the_brightness_around_it():
    wall = np.tile(np.linspace(100, 140, WIDTH).round().astype(np.uint8)[None, :, None], (90, 1, 3))
    hole = np.zeros(wall.shape[:2], bool)
    hole[20:70, 40:100] = True
    copied = wall.copy()
    copied[hole] = copied[20:70, 52:112].reshape(-1, 3)  # lit otherwise: some 4 levels brighter
    toned = in_tone(copied, hole)
    np.testing.assert_array_equal(toned[~hole], wall[~hole])
    assert np.abs(toned[hole].astype(int) - wall[hole]).max() <= 2
    at_the_edge = wall.copy()
    at_the_edge[60:, 40:100] += 8
    toned = in_tone(at_the_edge, (at_the_edge != wall).any(axis=2))
    assert np.abs(toned.astype(int) - wall).max() <= 2  # also in the last row
    copied[hole] = 250  # another thing: 110 to 150 brighter
    assert (in_tone(copied, hole)[hole] >= 250 - 16).all()
