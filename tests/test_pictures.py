"""Previews and plots: right sizes, right lengths, something to see."""

import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import pytest
from walkers import without

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.footage import shrunk
from edn_core.normalize import VideoStatistics, measure_video, normalize_keypoints
from edn_core.pictures import (
    LEFT,
    RIGHT,
    describe_normalization,
    draw_keypoints,
    plot_normalization,
    write_preview,
)
from edn_core.skeleton import BODY_25
from edn_core.video import decode, encode, probe

YELLOW = (255, 255, 0)
NO_BOX = np.array([-1, -1, -1, -1])


def small(keypoints):
    """The standing dancer in a video of 64 x 96 (W x H)."""
    xy = {part: values / 4 for part, values in keypoints.xy.items()}
    return keypoints.replaced(xy=xy, width=64, height=96)


def grey_video(path, n_frames=5, width=64, height=96, level=128):
    encode(path, [np.full((height, width, 3), level, np.uint8)] * n_frames, Fraction(25))
    return path


def frames_of(path):
    return list(decode(path, probe(path).timeline()))


def test_a_preview_has_every_frame_and_is_large_enough_to_look_at(tmp_path, standing_dancer):
    video = grey_video(tmp_path / "standing.mp4")
    write_preview(video, small(standing_dancer), tmp_path / "preview.mp4")
    frames = frames_of(tmp_path / "preview.mp4")
    assert len(frames) == 5
    assert frames[0].shape == (480, 320, 3)
    assert (np.abs(frames[0].astype(int) - 128).max(axis=2) > 60).sum() > 500
    assert frames[0][-20:, :60].min() < 20 and frames[0][-20:, :60].max() > 200  # its number


def test_a_preview_of_a_large_video_is_halved_keypoints_bystanders_and_all(
    tmp_path, standing_dancer
):
    # 1600 px high, the first 0.08 s left out: halved once, its pixels lie at (x + 0.5) / 2 - 0.5.
    video = grey_video(tmp_path / "standing.mp4", 7, 800, 1600, level=0)
    large = standing_dancer.moved(np.array([[4.0, 0, 0], [0, 4, 0]]), (1600, 800))
    other = np.dstack([large.xy["body"] - [300, 0], large.score["body"]])[:1]
    watched = large.replaced(
        start_s=0.08, bystanders=other, bystander_frames=np.array([2], np.int32)
    )
    write_preview(video, watched, tmp_path / "preview.mp4")
    frames = frames_of(tmp_path / "preview.mp4")
    assert len(frames) == 5
    assert frames[0].shape == (800, 400, 3)
    x, y = large.point("right_wrist")[0] / 2 - 0.25
    np.testing.assert_allclose(frames[0][round(float(y)), round(float(x))], RIGHT, atol=60)
    halved = shrunk(watched, 1)
    np.testing.assert_allclose(halved.bystanders[0, :, 0], halved.xy["body"][0, :, 0] - 150)
    assert (halved.width, halved.height) == (400, 800)
    assert halved.bystander_frames.tolist() == [2]


def test_the_right_side_is_orange_and_the_left_blue(standing_dancer):
    image = np.zeros((400, 200, 3), np.uint8)
    picture = draw_keypoints(image, standing_dancer, 0, NO_BOX)
    assert picture.shape == (800, 400, 3)
    for name, color in (("right_wrist", RIGHT), ("left_wrist", LEFT)):
        x, y = 2 * standing_dancer.xy["body"][0, BODY_25.index(name)] + 0.5
        np.testing.assert_array_equal(picture[round(float(y)), round(float(x))], color)


def watched(keypoints):
    """The standing dancer of 200 x 400 px at x + 100; in frames 1 and 3 somebody at x - 50 too."""
    xy = {part: values + [100, 0] for part, values in keypoints.xy.items()}
    other = np.concatenate(
        [keypoints.xy["body"][:2] - [50, 0], keypoints.score["body"][:2, :, None]], 2
    )
    return keypoints.replaced(
        xy=xy, width=300, bystanders=other, bystander_frames=np.array([1, 3], np.int32)
    )


def grey_columns(picture):
    """First and last column (zoom 2) with grey in it, the frame number aside; or ()."""
    is_grey = (np.ptp(picture, axis=2) == 0) & (picture[..., 0] > 60)
    columns = np.flatnonzero(is_grey[:740].any(axis=0)) // 2
    return (columns[0], columns[-1]) if len(columns) else ()


def test_other_people_are_grey_and_only_beside_them_an_arrowhead_points_at_the_dancer(
    standing_dancer,
):
    image = np.zeros((400, 300, 3), np.uint8)
    keypoints = watched(standing_dancer)
    alone, together = (draw_keypoints(image, keypoints, frame, NO_BOX) for frame in (0, 1))
    # The bystander's wrists are at x = 10 and 90.
    assert grey_columns(alone) == ()
    low, high = grey_columns(together)
    assert abs(low - 10) <= 1 and abs(high - 90) <= 1
    # Above both heads, eyes at y = 62, the arrowhead alone, over the dancer at x = 200.
    assert not alone[: 2 * 50].any()
    columns = np.flatnonzero((together[: 2 * 50] == YELLOW).all(axis=2).any(axis=0))
    assert abs(columns.mean() / 2 - 200) < 2


@pytest.mark.parametrize("feet", [True, False])
def test_a_normalization_is_plotted_whatever_the_fallback(tmp_path, standing_dancer, feet):
    target = standing_dancer.replaced(video="her")
    source = small(standing_dancer)
    if not feet:
        source = without(source, "left_ankle", "right_ankle")
    measured = [measure_video(one, StatisticsConfig()) for one in (source, target)]
    assert measured[0].fallback == ("single scale" if feet else "torso")
    moved = normalize_keypoints(source, *measured, NormalizationConfig(), target)
    plots = []
    for mode in ("paper", "paper", "edn_release"):
        plot_normalization(source, moved, target, *measured, tmp_path / "plot.png", mode)
        plots.append((tmp_path / "plot.png").read_bytes())
    assert plots[0] == plots[1] != plots[2]
    assert cv2.imread(str(tmp_path / "plot.png")).std() > 5


def test_what_a_plot_says_of_the_levels_is_what_the_mode_did_with_them():
    near, far = (VideoStatistics(9, 5, 4, 2, video=name, n_used=8, n_frames=8) for name in "ab")
    alone = dataclasses.replace(far, fallback="single scale", steps=("too short",))
    seen = "8 of 8 frames show head and feet"
    assert describe_normalization(near, far, "limbs").splitlines() == [
        "mode limbs", f"a: levels as in the paper; {seen}", f"b: levels as in the paper; {seen}",
    ]  # fmt: skip
    assert describe_normalization(near, alone, "paper").splitlines()[1:] == [
        f"a: its medians, because b fell back; {seen}",
        f"b: fallback: single scale; {seen}",
        "    too short",
    ]
    assert "levels of its own" in describe_normalization(near, alone, "edn_release")
