"""The shadow at the feet: measured where a dancer walked, painted where another one stands."""

import numpy as np
import pytest
import torch
from test_evaluate import painter
from tiny import N_FRAMES, SPLIT
from walkers import dancer

from edn_core.compose import GROUND, compose
from edn_core.frames import FrameReader, FrameWriter
from edn_core.metrics.parts import missing_parts
from edn_core.room import median_of_bare, take_out_shadow
from edn_core.shadow import (
    CELLS,
    EXPLAINED,
    SCHEMA,
    SCHEMA_VERSION,
    casting,
    feet_of,
    measure_shadow,
    shade_of,
)
from edn_core.store import write_json
from edn_core.synthesize import synthesize_frames

CPU = torch.device("cpu")
SIZE = 120, 300
ROWS, COLUMNS = np.indices(SIZE)
ROOM = np.repeat((150 + COLUMNS // 6)[..., None], 3, axis=2).astype(np.uint8)
GREY = np.dstack([np.full((*SIZE, 3), round(GROUND), np.uint8), np.zeros(SIZE, np.uint8)])
"""A painted window in which there is no dancer to be seen."""
FLAT = np.full(CELLS[::-1], -0.2)
THERE_AND_BACK = [*np.linspace(60, 240, 20), *np.linspace(240, 60, 20)]


def walks(ankle_x, height=100.0):
    """Ankles at x - 10 and x + 10, y = 80."""
    return dancer([80.0] * len(ankle_x), ankle_x, height, size=SIZE)


def light(keypoints, frame, height=100.0):
    """What a shadow of 0.12 by 0.05 heights leaves of it about each foot: 0.7 right below."""
    x0, y0 = keypoints.point("right_ankle")[frame]
    away = [((COLUMNS - x) / 12) ** 2 + ((ROWS - y0) / 5) ** 2 for x in (x0, x0 + 20)]
    return 0.7 ** sum(np.exp(-one * (100 / height) ** 2) for one in away)


def filmed(keypoints, has_shadow=True):
    """Frames of a dancer who is nothing but a shadow, and a little noise."""
    noise = np.random.default_rng(0)
    shades = [light(keypoints, i)[..., None] if has_shadow else 1 for i in range(len(keypoints))]
    return [
        (ROOM * one + noise.normal(0, 2, ROOM.shape)).round().clip(0, 255).astype(np.uint8)
        for one in shades
    ]


def known_of(keypoints):
    """Feet and heights."""
    return feet_of(keypoints, 100.0), np.full(len(keypoints), 100.0)


def bare(images):
    return [np.ones(SIZE, bool) for _ in images]


# Measuring


def test_a_shadow_that_walks_along_is_measured_and_falls_under_other_feet_as_it_would():
    keypoints = walks(THERE_AND_BACK)
    images = filmed(keypoints)
    shadow, explained = measure_shadow(images, bare(images), ROOM, *known_of(keypoints))
    assert shadow.shape == (22, 30) and explained > 0.9
    for x, height in ((150, 100), (97, 140)):
        other = walks([x] * 3, height)
        found = shade_of(shadow, feet_of(other, height)[1], height, SIZE)
        assert np.abs(found - light(other, 1, height)).max() < 0.06


@pytest.mark.parametrize("has_shadow", [False, True], ids=["none at all", "still, so in the room"])
def test_what_does_not_follow_the_feet_is_no_shadow_and_the_room_stays(has_shadow):
    keypoints = walks(THERE_AND_BACK)
    images = filmed(walks([150] * 40), has_shadow)
    room, _, _ = median_of_bare(images, bare(images))
    before = room.copy()
    assert measure_shadow(images, bare(images), room, *known_of(keypoints))[1] < EXPLAINED / 4
    assert take_out_shadow(images, bare(images), room, *known_of(keypoints)) is None
    np.testing.assert_array_equal(room, before)


def test_where_a_dancer_often_stands_no_stain_is_left_in_the_room():
    keypoints = walks(([100.0] * 5 + np.linspace(100, 240, 8).tolist()) * 3)
    images = filmed(keypoints)
    room, _, _ = median_of_bare(images, bare(images))
    assert (ROOM.astype(int) - room).max() > 40
    shadow = take_out_shadow(images, bare(images), room, *known_of(keypoints))
    assert np.abs(ROOM.astype(int) - room).max() <= 12
    assert shadow.max() <= 0 and np.exp(shadow.min()) == pytest.approx(0.7, abs=0.05)


def test_feet_that_were_never_found_have_no_shadow():
    keypoints = dancer([80.0] * 4, 150.0, 100.0, SIZE, without=("left_ankle", "right_ankle"))
    feet, heights = known_of(keypoints)
    assert not feet[..., 2].any()
    assert measure_shadow([ROOM] * 4, bare(range(4)), ROOM, feet, heights)[1] == 0
    assert (shade_of(FLAT, feet[0], 100.0, SIZE) == 1).all()


def test_of_a_foot_in_the_air_a_part_is_left_by_how_high_it_is():
    keypoints = walks([150] * 20)
    keypoints.point("left_ankle")[10, 1] -= 6  # 0.06 of the height
    shares = feet_of(keypoints, 100.0)[..., 2]
    np.testing.assert_allclose(shares[10], [1, np.exp(-1)], atol=1e-6)
    np.testing.assert_allclose(shares[9], [1, 1])


# Painting


def test_a_shadow_is_black_behind_the_dancer_and_darkens_what_it_is_put_on():
    keypoints = walks([150] * 3)
    picture = GREY.copy()
    picture[40:80, 145:155] = 250, 10, 30, 255
    cast = casting(FLAT, keypoints, 100.0)
    shaded = cast(1, picture)
    np.testing.assert_array_equal(shaded[40:80, 145:155], picture[40:80, 145:155])
    # Under both feet exp(-0.4) of the light is left.
    assert shaded[84, 150, 3] == round(255 * (1 - np.exp(-0.4)))
    np.testing.assert_array_equal(shaded[:50, :100], picture[:50, :100])
    wall = np.full((*SIZE, 3), 200, np.uint8)
    finished = compose(shaded, np.eye(2, 3), wall, SIZE)
    assert np.abs(finished[84, 150].astype(int) - round(200 * np.exp(-0.4))).max() <= 1
    assert (compose(shaded, np.eye(2, 3), None, SIZE)[84, 150, :3] <= 2).all()
    assert cast(1, None) is None


def test_it_has_faded_where_the_window_ends():
    shaded = casting(FLAT, walks([280] * 3), 100.0)(1, GREY)
    assert not shaded[:, -1, 3].any() and shaded[82, -3, 3] < shaded[82, -6, 3]


def test_without_a_shadow_a_picture_stays_as_it_is():
    whole = np.zeros((*SIZE, 3), np.uint8)  # background: paint; its figure_px is 0
    assert casting(None, walks([150] * 3), 0.0)(1, whole) is whole


def test_a_foot_that_was_not_painted_is_missed_however_dark_its_shadow():
    keypoints = walks([150] * 3)
    shaded = casting(np.full(CELLS[::-1], -5.0), keypoints, 100.0)(1, GREY)
    assert 100 < shaded[..., 3].max() < 127
    assert missing_parts(shaded[..., 3], keypoints, 1)["missing_feet"] == 1


@pytest.mark.parametrize("held_out", [None, SPLIT.test])
def test_what_is_synthesized_has_it_only_where_the_room_has_one(held_out, tiny_target, tmp_path):
    generator, read = painter(tmp_path / "generator.safetensors", mask=0), []
    labels = FrameReader(tiny_target.labels)
    with FrameWriter(tmp_path / "labels.zip", labels.info.replaced(figure_px=54.0)) as writer:
        for frame in range(N_FRAMES):
            writer.append(labels[frame])
    about = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "never_bare": 0, "moving": 0}
    for cells in ([], FLAT.tolist()):
        report, out = tmp_path / "room.json", tmp_path / "frames.zip"
        write_json(report, about | {"shadow": cells})
        files = generator, writer.path, tiny_target.keypoints, out
        synthesize_frames(*files, CPU, room_report=report, held_out=held_out)
        read.append(FrameReader(out)[3][..., 3])
    assert not read[0].any()
    # The middle of her feet is 59 px down; 12 px above there is nothing left of it.
    assert np.median(read[1][58]) == round(255 * (1 - np.exp(-0.4)))
    assert not read[1][:40].any()
