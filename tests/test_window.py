"""The window: where it lies, how large the dancer is in it, and what does not matter for that."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walkers import UNFILTERED, dancer, walking, without

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.demo import DANCERS, draw_frame
from edn_core.errors import Refused
from edn_core.film import cut
from edn_core.keypoints import Keypoints, from_people
from edn_core.normalize import figure_heights, measure_video, normalize_keypoints
from edn_core.render import draw_stick_figure
from edn_core.skeleton import BODY_25, PARTS
from edn_core.window import (
    ASPECTS,
    Window,
    frames_info,
    in_window,
    place_window,
    plan_window,
    read_window,
    whole_picture,
    window_shapes,
    write_window,
)

PIXELS = 131_072
FPS = 5


@pytest.fixture(scope="module")
def dance() -> Keypoints:
    """The demo's drawn target over 9 s: she comes and goes, turns and waves."""
    one = DANCERS["target"]
    people = [draw_frame(one, number / FPS)[1] for number in range(9 * FPS)]
    about = {"width": one.width, "height": one.height, "fps": Fraction(FPS), "video": "her"}
    return from_people(people, BODY_25, **about)


def measured(keypoints: Keypoints, config: StatisticsConfig | None = None):
    return measure_video(keypoints, config or StatisticsConfig())


def window_of(keypoints: Keypoints, pixels: int = PIXELS) -> Window:
    return plan_window(keypoints, measured(keypoints), range(len(keypoints)), pixels)


# Its shape


@given(st.integers(min_value=1024, max_value=400_000))
def test_a_budget_allows_few_shapes_in_multiples_of_32(pixels):
    assert window_shapes(12_288) == [(96, 160), (96, 128), (96, 96)]
    shapes = window_shapes(pixels)
    assert 1 <= len(shapes) <= len(ASPECTS)
    for width, height in shapes:
        assert width % 32 == height % 32 == 0
        assert width * height <= max(1.25 * pixels, 32 * 32)


def test_the_dancer_is_as_large_as_the_budget_allows():
    # The hips are half-way up: 0.5 + 0.06 below them, 0.5 + 0.06 and 0.1 of hair above.
    keypoints = dancer([900.0] * 30, ankle_x=700.0, height=600, size=(1080, 1920))
    window = window_of(keypoints)
    assert (window.video, window.video_width, window.video_height) == ("walk", 1920, 1080)
    assert window.size == (544, 288)
    assert window.figure_px == pytest.approx(544 / 1.22)
    assert window.x == pytest.approx(143.5)
    assert window.y == pytest.approx(0.66 * window.figure_px - 0.5)
    placed = in_window(keypoints, frames_info(window, keypoints, measured(keypoints)))
    ankles_to_nose = placed.point("left_ankle")[:, 1] - placed.point("nose")[:, 1]
    np.testing.assert_allclose(ankles_to_nose, window.figure_px, rtol=1e-5)
    np.testing.assert_allclose(placed.point("nose")[:, 0], 143.5, atol=1e-3)
    # The crown lies 0.16 of the figure above the nose.
    np.testing.assert_allclose(placed.point("nose")[:, 1], 0.16 * window.figure_px - 0.5, atol=0.01)


def test_somebody_filmed_small_is_enlarged_twice_at_most():
    keypoints = dancer([300.0] * 30, ankle_x=200.0, height=80)
    assert window_of(keypoints).figure_px == pytest.approx(160)


def test_what_the_training_frames_reach_lies_inside(dance):
    window = window_of(dance)
    placed = in_window(dance, frames_info(window, dance, measured(dance)))
    points = np.concatenate([placed.xy[part] for part in PARTS], axis=1)
    assert np.nanmin(points) > 0
    assert (np.nanmax(points, axis=(0, 1)) < (window.width - 1, window.height - 1)).all()


def test_only_training_frames_count_and_of_them_no_single_one():
    keypoints = walking(400)
    statistics = measured(keypoints)
    window = plan_window(keypoints, statistics, range(300), PIXELS)
    stretched = keypoints.replaced(xy={**keypoints.xy, "body": keypoints.xy["body"].copy()})
    row = BODY_25.index("left_shoulder")
    stretched.xy["body"][[17, *range(300, 400)], row, 0] += 500
    found = plan_window(stretched, statistics, range(300), PIXELS)
    assert (found.size, found.figure_px) == (window.size, window.figure_px)
    assert found.x == pytest.approx(window.x, abs=0.1)
    assert plan_window(stretched, statistics, range(400), PIXELS).size != window.size


def test_a_target_that_no_training_frame_shows_is_refused():
    hidden = without(walking(60), *BODY_25.keypoints, frames=range(30))
    with pytest.raises(Refused, match="walk: the dancer was found in none of its 30 training fra"):
        plan_window(hidden, measured(hidden), range(30), PIXELS)


# What does not matter


def test_place_and_size_in_the_picture_do_not_matter(dance):
    statistics = measured(dance)
    window = plan_window(dance, statistics, range(len(dance)), PIXELS)
    expected = in_window(dance, frames_info(window, dance, statistics))
    # 15 % of the width to the right and 15 % smaller.
    to = np.array([[0.85, 0, 0.15 * dance.width], [0, 0.85, 0]])
    elsewhere = dance.moved(to, (dance.height, dance.width))
    found = in_window(elsewhere, frames_info(window, elsewhere, measured(elsewhere)))
    for part in PARTS:
        np.testing.assert_allclose(found.xy[part], expected.xy[part], atol=0.01)
    for frame in range(0, len(dance), 30):
        labels = [
            draw_stick_figure(one.person(frame), BODY_25, window.size, 2.0).astype(int)
            for one in (found, expected)
        ]
        around = np.ones((5, 5), np.uint8)
        drawn = labels[1].astype(np.uint8)
        plain = (cv2.dilate(drawn, around) - cv2.erode(drawn, around)).max(axis=2) <= 2
        assert plain.mean() > 0.5 and (drawn[plain] != 255).any()
        assert np.abs(labels[0] - labels[1])[plain].max() <= 1


@pytest.mark.parametrize("mode", ["paper", "limbs"])
def test_a_target_moved_onto_herself_has_her_own_windows(dance, mode):
    statistics = measured(dance)
    window = plan_window(dance, statistics, range(len(dance)), PIXELS)
    config = NormalizationConfig(mode=mode)
    moved = normalize_keypoints(dance, statistics, statistics, config, dance)
    own, found = (place_window(window, one, statistics) for one in (dance, moved))
    np.testing.assert_allclose(found[:, 0, 0], own[:, 0, 0], rtol=0.01)
    middle = np.array([window.x, window.y, 1])
    np.testing.assert_allclose(found @ middle, own @ middle, atol=1)


def test_neither_a_crouch_nor_a_jump_zooms():
    height, level = np.full(75, 150.0), np.full(75, 300.0)
    height[20:40] = 80
    level[50:60] -= 60  # 0.4 s at 25 frames/s
    keypoints = dancer(level, height=height)
    window = window_of(keypoints)
    step = place_window(window, keypoints, measured(keypoints))[:, 0, 0]
    np.testing.assert_allclose(step, 150 / window.figure_px)


def test_whoever_comes_closer_is_as_large_in_the_window():
    keypoints = walking(100)  # 100 px tall far away, 150 px close
    statistics = measured(keypoints, UNFILTERED)
    window = plan_window(keypoints, statistics, range(100), PIXELS)
    placed = in_window(keypoints, frames_info(window, keypoints, statistics))
    tall = placed.point("left_ankle")[:, 1] - placed.point("nose")[:, 1]
    np.testing.assert_allclose(tall, window.figure_px, rtol=0.08)


@pytest.mark.parametrize(
    "lost", [BODY_25.keypoints, ("left_hip", "right_hip")], ids=["everything", "hips"]
)
def test_a_lost_frame_does_not_make_the_window_jump(lost):
    keypoints = walking(100)
    window, statistics = window_of(keypoints), measured(keypoints)
    whole = place_window(window, keypoints, statistics)
    holes = without(keypoints, *lost, frames=[0, 30, 31, 32, 70, 99])
    found = place_window(window, holes, statistics)
    np.testing.assert_allclose(found, whole, rtol=0.01, atol=1)
    assert np.abs(np.diff(found[:, :, 2], axis=0)).max() < 3


def test_a_dance_that_says_how_tall_the_target_stands_there_is_believed():
    keypoints = walking(50)
    window, statistics = window_of(keypoints), measured(keypoints)
    told = keypoints.replaced(figure_height=np.full(50, 120, np.float32))
    step = place_window(window, told, statistics)[:, 0, 0]
    np.testing.assert_allclose(step, 120 / window.figure_px)
    own = place_window(window, keypoints, statistics)[:, 0, 0]
    np.testing.assert_allclose(own, figure_heights(keypoints, statistics) / window.figure_px)


# The whole picture (background: paint)

SIDE = st.integers(min_value=16, max_value=5000)


def test_a_video_that_needs_no_scaling_is_left_as_it_is():
    window = whole_picture("a", 512, 256, 131_072)
    assert (window.scale, window.size, window.x, window.y) == (1.0, (256, 512), -0.5, -0.5)
    keypoints = walking(3, size=(256, 512))
    info = frames_info(window, keypoints, measured(keypoints))
    np.testing.assert_array_equal(info.to_video, [np.eye(2, 3)] * 3)


@given(SIDE, SIDE, st.integers(min_value=1024, max_value=300_000))
def test_every_picture_is_whole_in_multiples_of_32_and_padded_evenly(width, height, pixels):
    window = whole_picture("a", width, height, pixels)
    assert window.height % 32 == window.width % 32 == 0
    assert 0 < window.scale <= 1
    assert window.height * window.width <= max(1.25 * pixels, 32 * 32)
    assert width * height * window.scale**2 <= 1.001 * pixels
    # (x, y) is where the picture's corner, (-0.5, -0.5), lies.
    for corner, side, length in (
        (window.x, window.width, width),
        (window.y, window.height, height),
    ):
        before, after = corner + 0.5, side - 0.5 - (corner + window.scale * length)
        assert before >= -1e-9
        assert before == pytest.approx(after)


@settings(deadline=None, max_examples=15)
@given(
    st.integers(min_value=64, max_value=400),
    st.integers(min_value=64, max_value=400),
    st.integers(min_value=4096, max_value=40_000),
    st.floats(min_value=0.2, max_value=0.8),
    st.floats(min_value=0.2, max_value=0.8),
)
def test_a_dot_in_the_video_is_found_in_the_picture_where_the_store_says(
    width, height, pixels, right, down
):
    keypoints = walking(3, size=(height, width))
    window = whole_picture("a", width, height, pixels)
    info = frames_info(window, keypoints, measured(keypoints))
    x, y = round(right * width), round(down * height)
    image = np.zeros((height, width, 3), np.uint8)
    image[y - 4 : y + 5, x - 4 : x + 5] = 255  # centred on the pixel (x, y)
    image = cv2.GaussianBlur(image, (9, 9), 2)  # a sharp edge falls on one pixel or another
    picture = cut(image, info.to_video[0], info.size)
    assert picture.shape == (*info.size, 3)
    light = picture[..., 0].astype(float)
    rows, columns = np.indices(light.shape)
    found = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    np.testing.assert_allclose(found, info.to_picture[0] @ [x, y, 1], atol=0.05)


# The file


def test_a_window_is_read_back_and_another_version_refused(tmp_path, monkeypatch):
    window = Window("her", 256, 512, 1920, 1080, 400.5, 127.5, 260.25)
    write_window(tmp_path / "window.json", window)
    assert read_window(tmp_path / "window.json") == window
    monkeypatch.setattr("edn_core.window.SCHEMA_VERSION", 2)
    with pytest.raises(Refused, match=r"window.json: .*version 1, expected .* version 2.*snakem"):
        read_window(tmp_path / "window.json")
