"""The clean plate: exact where the room was seen, unknown elsewhere."""

import cv2
import h5py
import numpy as np
import pytest
from tiny import SIZE, frames_info, paint, tiny_dancer, without

from edn_core.background import (
    FRAMES_USED,
    build_background,
    dancer_band,
    make_plate,
    read_plate,
    write_plate,
)
from edn_core.frames import FrameWriter
from edn_core.keypoints import missing_person
from edn_core.skeleton import BODY_25


def room() -> np.ndarray:
    """(32, 48, 3): every pixel another colour."""
    rows, columns = np.indices((32, 48))
    return np.stack([rows * 5, columns * 5, rows + columns], axis=2).astype(np.uint8)


def test_the_room_behind_a_moving_square_is_found_exactly():
    images = np.repeat(room()[None], 10, axis=0)
    dancer = np.zeros(images.shape[:3], bool)
    for i in range(10):
        dancer[i, 8:24, 4 * i : 4 * i + 10] = True
    images[dancer] = 255
    plate, seen = make_plate(images, dancer)
    assert plate.dtype == np.uint8
    assert seen.all()
    np.testing.assert_array_equal(plate, room())


def test_one_in_three_wrong_pictures_changes_nothing():
    images = np.repeat(room()[None], 9, axis=0)
    images[::3] = 255 - images[::3]
    plate, seen = make_plate(images, np.zeros(images.shape[:3], bool))
    assert (plate[seen] == room()[seen]).all()
    assert seen.all()


def test_what_was_never_seen_is_unknown_and_black():
    images = np.repeat(room()[None], 5, axis=0)
    dancer = np.zeros(images.shape[:3], bool)
    dancer[:, 8:24, 10:20] = True
    plate, seen = make_plate(images, dancer)
    np.testing.assert_array_equal(seen, ~dancer[0])
    assert (plate[8:24, 10:20] == 0).all()
    np.testing.assert_array_equal(plate[seen], room()[seen])


def test_what_was_seen_in_too_few_frames_is_unknown():
    images = np.repeat(room()[None], 40, axis=0)
    dancer = np.ones(images.shape[:3], bool)
    dancer[:1, 0] = False  # 1 of 40 is less than 5 %
    dancer[:2, 1] = False
    _, seen = make_plate(images, dancer, min_seen=0.05)
    assert not seen[0].any()
    assert seen[1].all()
    assert not seen[2:].any()


def test_what_flickers_is_left_to_the_generator():
    images = np.repeat(room()[None], 20, axis=0)
    images[:, :8, :8] = 100
    images[::3, :8, :8, 1] = 130  # a lamp of three brightnesses, in one colour
    images[1::3, :8, :8, 1] = 160
    images[::2, 8:16, :8] += np.uint8(6)  # noise of a camera
    _, seen = make_plate(images, np.zeros(images.shape[:3], bool))
    assert not seen[:8, :8].any()
    assert seen[8:].all()
    assert seen[:8, 8:].all()


def test_one_picture_is_enough():
    dancer = np.zeros((1, 32, 48), bool)
    plate, seen = make_plate(room()[None], dancer)
    np.testing.assert_array_equal(plate, room())
    assert seen.all()


# The dancer


def person(**points: tuple[float, float]) -> dict:
    somebody = missing_person()
    for name, (x, y) in points.items():
        somebody["body"][BODY_25.index(name)] = x, y, 0.9
    return somebody


def test_the_band_is_as_wide_as_asked_around_a_limb():
    band = dancer_band(person(right_hip=(50, 20), right_knee=(50, 80)), BODY_25, (100, 100), 0.2)
    assert band.dtype == bool
    columns = np.flatnonzero(band[50])
    assert columns.min() == pytest.approx(40, abs=1)
    assert columns.max() == pytest.approx(60, abs=1)
    assert not band[5].any()
    assert not band[95].any()


def test_the_torso_is_filled():
    corners = person(
        right_shoulder=(20, 20), left_shoulder=(80, 20), right_hip=(20, 80), left_hip=(80, 80)
    )
    assert dancer_band(corners, BODY_25, (100, 100), 0.05)[20:81, 20:81].all()


def test_nobody_has_no_band_and_points_far_outside_do_no_harm():
    assert not dancer_band(missing_person(), BODY_25, (64, 64)).any()
    far = person(nose=(1e9, -1e9), neck=(-4e5, 10))
    assert dancer_band(far, BODY_25, (64, 64)).shape == (64, 64)


def test_the_band_covers_the_whole_drawn_dancer():
    dancer = tiny_dancer()
    empty = paint(without(dancer, []), 0)
    for frame in (0, 7, 15):
        image = paint(dancer, frame)
        rows = np.indices(image.shape[:2])[0]
        bare = np.where((rows >= 44)[..., None], empty[63, 0], empty[0, 0])
        band = dancer_band(dancer.person(frame), BODY_25, (SIZE, SIZE))
        assert not ((image != bare).any(axis=2) & ~band).any()


# From a store to a file


def test_the_plate_of_a_dancer_holds_the_bare_room(tiny_target):
    plate, seen = read_plate(tiny_target.background)
    assert 0.5 < seen.mean() < 1
    for rows, colour in ((slice(0, 44), (150, 120, 90)), (slice(44, 64), (60, 80, 70))):
        assert (plate[rows][seen[rows]] == colour).all()


def test_frames_in_which_nobody_was_found_are_not_looked_at(tiny_target, tmp_path):
    # Nobody was found in frame 0, so the dancer in it cannot be cut out.
    keypoints = without(tiny_target.dancer, [0])
    with pytest.raises(ValueError, match="found in none of the 1 training frames"):
        build_background(tiny_target.frames, keypoints, [0], tmp_path / "plate.png")
    assert not (tmp_path / "plate.png").exists()
    build_background(tiny_target.frames, keypoints, [0, 1], tmp_path / "plate.png")
    build_background(tiny_target.frames, keypoints, [1], tmp_path / "other.png")
    assert (tmp_path / "plate.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_a_long_video_is_read_in_part_only(tmp_path):
    n_frames = 3 * FRAMES_USED
    dancer = tiny_dancer()
    one = {part: np.repeat(values[:1], n_frames, axis=0) for part, values in dancer.xy.items()}
    score = {part: np.repeat(values[:1], n_frames, axis=0) for part, values in dancer.score.items()}
    long = dancer.replaced(xy=one, score=score, n_people=np.ones(n_frames, np.int16))
    image = paint(dancer, 0)
    path = tmp_path / "frames.zip"
    with FrameWriter(path, frames_info(n_frames), "png") as writer:
        for _ in range(n_frames):
            writer.append(image)
    with h5py.File(path, "r+") as store:
        store["images"][1] = np.zeros(3, np.uint8)  # would be refused if it were read
    build_background(path, long, range(n_frames), tmp_path / "plate.png")
    plate, seen = read_plate(tmp_path / "plate.png")
    assert (plate[seen] == image[seen]).all()


def test_plate_and_what_was_seen_come_back_exactly(tmp_path):
    seen = np.zeros((32, 48), bool)
    seen[3:20, 5:40] = True
    plate = room() * seen[..., None]
    write_plate(tmp_path / "plate.png", plate, seen)
    found_plate, found_seen = read_plate(tmp_path / "plate.png")
    np.testing.assert_array_equal(found_plate, plate)
    np.testing.assert_array_equal(found_seen, seen)
    assert found_seen.dtype == bool
    assert [path.name for path in tmp_path.iterdir()] == ["plate.png"]


def test_something_else_is_no_plate(tmp_path):
    path = tmp_path / "plate.png"
    with pytest.raises(ValueError, match=r"plate.png: not a background plate .*snakemake"):
        read_plate(path)
    path.write_text("no picture")
    with pytest.raises(ValueError, match=r"plate.png: not a PNG; .*snakemake"):
        read_plate(path)
    cv2.imwrite(str(path), room())  # no transparency: what was seen is not said
    with pytest.raises(ValueError, match="not a background plate"):
        read_plate(path)
