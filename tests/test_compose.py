"""Painted windows put back into the room, and what stands behind the dancer."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from edn_core.compose import (
    CHEQUERS,
    Composer,
    compose,
    even,
    halved,
    halved_affine,
    on_chequers,
    read_background,
)
from edn_core.film import cut, cut_out
from edn_core.frames import FrameReader, FramesInfo, FrameWriter

SIZE = HEIGHT, WIDTH = 120, 160
ROWS, COLUMNS = np.indices(SIZE)
# Two rooms in slow colours; the dancer, a round one, is in the first.
FILMED = np.stack([ROWS + 60, COLUMNS + 40, 200 - ROWS], axis=2).astype(np.uint8)
ROOM = np.stack([COLUMNS + 30, 220 - COLUMNS, ROWS + 90], axis=2).astype(np.uint8)
MATTE = cv2.GaussianBlur(
    cv2.circle(np.zeros(SIZE, np.uint8), (80, 60), 40, 255, -1), (0, 0), sigmaX=1
)
INSIDE = cv2.erode(MATTE, np.ones((7, 7))) == 255
OUTSIDE = cv2.dilate(MATTE, np.ones((9, 9))) == 0


def window(step: float, x: float, y: float) -> np.ndarray:
    """A window whose pixels are so large and whose corner lies there."""
    return np.array([[step, 0, x], [0, step, y]], float)


@pytest.mark.parametrize(
    ("to_video", "size"),
    [
        (window(1, 30, 10), (104, 104)),
        (window(0.8, 30.3, 10.6), (128, 128)),
        (window(2.3, 29.5, 9.2), (48, 48)),
        (window(1.5, -20.2, -30.4), (128, 160)),  # reaches beyond the picture on all sides
    ],
    ids=["as large", "enlarged", "made smaller", "beyond the picture"],
)
def test_a_window_put_back_where_it_was_cut_from_gives_the_frame_again(to_video, size):
    painted = cut_out(FILMED, (MATTE, np.eye(2, 3)), to_video, size)
    finished = compose(painted, to_video, ROOM, SIZE)
    assert finished.shape == (*SIZE, 3) and finished.dtype == np.uint8
    assert np.abs(finished[INSIDE].astype(int) - FILMED[INSIDE]).max() <= 2
    np.testing.assert_array_equal(finished[OUTSIDE], ROOM[OUTSIDE])
    share = MATTE[..., None] / 255
    expected = share * FILMED + (1 - share) * ROOM
    assert np.abs(finished - expected).max() <= 10  # at the edge


def test_what_the_codec_leaves_beside_the_dancer_does_not_reach_the_room():
    painted = cut_out(FILMED, (MATTE, np.eye(2, 3)), np.eye(2, 3), SIZE)
    painted[..., :3] += np.random.default_rng(0).integers(0, 9, (*SIZE, 3), np.uint8)
    finished = compose(painted, np.eye(2, 3), ROOM, SIZE)
    np.testing.assert_array_equal(finished[OUTSIDE], ROOM[OUTSIDE])


def test_without_a_background_the_frame_is_transparent_where_the_room_would_be():
    to_video = window(1.5, 15.2, 5.1)
    painted = cut_out(FILMED, (MATTE, np.eye(2, 3)), to_video, (76, 88))
    finished = compose(painted, to_video, None, SIZE)
    assert finished.shape == (*SIZE, 4)
    assert (finished[INSIDE][:, 3] == 255).all()
    assert np.abs(finished[INSIDE][:, :3].astype(int) - FILMED[INSIDE]).max() <= 2
    assert not finished[OUTSIDE].any()
    # Where he is half there, his colours are his own all the same.
    half = (finished[..., 3] > 64) & (finished[..., 3] < 192)
    assert half.any()
    assert np.abs(finished[half][:, :3].astype(int) - FILMED[half]).max() <= 8


def test_a_window_elsewhere_leaves_the_room_as_it_is():
    painted = np.full((8, 8, 4), 255, np.uint8)
    np.testing.assert_array_equal(compose(painted, window(1, -50, 0), ROOM, SIZE), ROOM)


def test_a_whole_picture_is_the_finished_frame():
    to_video = window(2, 0.5, 0.5)
    finished = compose(cut(FILMED, to_video, (60, 80)), to_video, None, SIZE)
    assert np.abs(finished.astype(int) - FILMED).max() <= 3


# Finished frames of a store


@pytest.fixture
def frames(tmp_path) -> FrameReader:
    """Two windows of 8 x 8 px, white and opaque; frame 1 has none, frame 2 lies farther down."""
    to_video = np.stack([window(2, 10.5, 20.5 + 10 * i) for i in range(3)])
    info = FramesInfo("walk", 3, Fraction(25), 8, 8, WIDTH, HEIGHT, to_video, channels=4)
    with FrameWriter(tmp_path / "frames.zip", info) as writer:
        for frame in range(3):
            writer.append(np.full((8, 8, 4), 255, np.uint8) if frame != 1 else None)
    return FrameReader(tmp_path / "frames.zip")


def test_the_finished_frames_of_a_store_are_composed_one_by_one(frames):
    finished = Composer(frames, ROOM)
    assert (len(finished), finished.size) == (3, SIZE)
    np.testing.assert_array_equal(finished[1], ROOM)
    # The window covers 10 to 25 and, in frame 2, 40 to 55.
    for frame, top in ((0, 20), (2, 40)):
        assert (finished[frame][top + 2 : top + 14, 12:24] == 255).all()
        np.testing.assert_array_equal(finished[frame][: top - 2], ROOM[: top - 2])
    black = np.zeros((8, 8, 4), np.uint8)
    black[..., 3] = 255
    assert (finished.put(0, black)[22:34, 12:24] == 0).all()
    finished[1][:] = 0  # is the caller's own
    np.testing.assert_array_equal(finished[1], ROOM)


def test_transparent_frames_without_the_dancer_are_empty(frames):
    finished = Composer(frames, None)
    assert finished[1].shape == (*SIZE, 4) and not finished[1].any()
    assert (finished[0][22:34, 12:24] == 255).all()


def test_finished_frames_may_be_halved(frames):
    finished = Composer(frames, ROOM, halvings=1)
    assert finished.size == (60, 80)
    np.testing.assert_array_equal(finished[1], halved(ROOM, 1))
    # Px 10 to 25 are 5 to 12 of half the size.
    assert (finished[0][11:17, 6:12] == 255).all()
    assert (finished[0][:, 14:] == halved(ROOM, 1)[:, 14:]).all()
    np.testing.assert_allclose(finished.to_frame[2], window(1, 5, 20))


def test_pixel_centres_stay_whole_numbers_when_a_picture_is_halved():
    picture = np.zeros((9, 9, 3), np.uint8)
    picture[4:8, 4:8] = 200  # the pixel (1, 1) of a quarter of the size; row and column 8 go
    small = halved(picture, 2)
    assert small.shape == (2, 2, 3)
    assert small[1, 1].tolist() == [200] * 3 and small.sum() == 600
    np.testing.assert_allclose(halved_affine(np.eye(2, 3), 2) @ [5.5, 5.5, 1], [1, 1])


# Behind the dancer


def test_the_background_is_the_room_a_colour_a_picture_or_nothing(tmp_path):
    room, picture = tmp_path / "room.png", tmp_path / "beach.jpg"
    cv2.imwrite(str(room), ROOM[..., ::-1])
    np.testing.assert_array_equal(read_background("room", room, SIZE), ROOM)
    assert read_background("transparent", room, SIZE) is None
    assert read_background("room", None, SIZE) is None  # the painted pictures show it
    colour = read_background("#1080Ff", room, SIZE)
    assert colour.shape == (*SIZE, 3) and (colour == (16, 128, 255)).all()
    # Twice as wide as high: it is made to cover, and its sides are cut off.
    beach = np.full((240, 480, 3), 90, np.uint8)
    beach[:, :70] = beach[:, -70:] = 250
    cv2.imwrite(str(picture), beach)
    found = read_background(str(picture), room, SIZE)
    assert found.shape == (*SIZE, 3)
    assert np.abs(found.astype(int) - 90).max() <= 3


@pytest.mark.parametrize("what", ["beach.png", "#12345", "blue", "."])
def test_a_background_that_nobody_knows_is_refused_in_one_line(what, tmp_path):
    cv2.imwrite(str(tmp_path / "room.png"), ROOM)
    with pytest.raises(ValueError, match=r"assembly.background: is .*expected room") as refusal:
        read_background(what, tmp_path / "room.png", SIZE)
    assert "\n" not in str(refusal.value)


def test_a_room_of_another_size_and_a_damaged_one_are_refused(tmp_path):
    room = tmp_path / "room.png"
    cv2.imwrite(str(room), ROOM)
    with pytest.raises(ValueError, match=r"room.png: is 160x120, expected 100x50; delete it"):
        read_background("room", room, (50, 100))
    content = bytearray(room.read_bytes())
    content[len(content) // 2] ^= 1
    room.write_bytes(content)
    with pytest.raises(ValueError, match=r"room.png: is damaged"):
        read_background("room", room, SIZE)


def test_people_see_squares_through_a_transparent_picture():
    picture = np.zeros((32, 32, 4), np.uint8)
    picture[:16, :16] = 10, 20, 30, 255
    shown = on_chequers(picture)
    assert shown.shape == (32, 32, 3)
    assert (shown[:16, :16] == (10, 20, 30)).all()
    assert {int(shown[r, c, 0]) for r, c in ((0, 16), (16, 0), (16, 16))} == set(CHEQUERS)
    np.testing.assert_array_equal(on_chequers(ROOM), ROOM)


def test_an_odd_row_or_column_is_left_out_for_codecs():
    assert even(np.zeros((5, 8, 3))).shape == (4, 8, 3)
    assert even(np.zeros((6, 7, 4))).shape == (6, 6, 4)
