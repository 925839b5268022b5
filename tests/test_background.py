"""The clean plate: exact where the room was seen, unknown elsewhere."""

import numpy as np
import pytest
from edn_core.background import (
    build_background,
    dancer_band,
    make_plate,
    read_plate,
    write_plate,
)
from tiny import without

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


def test_what_was_seen_in_too_few_frames_is_unknown():
    images = np.repeat(room()[None], 40, axis=0)
    dancer = np.ones(images.shape[:3], bool)
    dancer[:1, 0] = False  # 1 of 40 is less than 4 %
    dancer[:2, 1] = False
    _, seen = make_plate(images, dancer)
    assert seen.all(axis=1).nonzero()[0].tolist() == [1] and seen.any(axis=1).sum() == 1


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


def test_plate_and_what_was_seen_come_back_exactly(tmp_path):
    seen = np.zeros((32, 48), bool)
    seen[3:20, 5:40] = True
    plate = room() * seen[..., None]
    write_plate(tmp_path / "plate.png", plate, seen)
    for found, written in zip(read_plate(tmp_path / "plate.png"), (plate, seen), strict=True):
        np.testing.assert_array_equal(found, written)
