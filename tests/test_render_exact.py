"""Style ``edn`` against its rules, done slowly: a copy of the whole canvas for every limb.

The rules are those of spec algorithms 4.2 (body), 4.3 (face) and 4.4 (hands, fainter below 0.2).
"""

import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edn_core.render import PALETTES, draw_stick_figure
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, HAND_21, PARTS, Skeleton, part_skeleton

BODIES = [EDN_23, COCO_18, BODY_25]
DOTS = (27, 30, 8, 0, 16, 33, 68, 69)
HEIGHT, WIDTH = 1080, 360
# What the release draws, keypoints by number: limbs in their order, and colours as RRGGBB.
RELEASE_LIMBS = {
    EDN_23: "0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 9-10 10-11 10-12 7-13 13-14 14-15 15-16 15-17 "
    "0-18 18-19 19-20 18-21 21-22",
    COCO_18: "1-2 1-5 2-3 3-4 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13 1-0 0-14 14-16 0-15 15-17",
    BODY_25: "0-1 0-15 0-16 1-2 1-5 1-8 2-3 3-4 5-6 6-7 8-9 8-12 9-10 10-11 11-22 11-24 12-13 "
    "13-14 14-19 14-21 15-17 16-18 19-20 22-23",
}
RELEASE_COLORS = {
    EDN_23: "0000ff 0037ff 006eff 00a5ff 00d7ff 00ebff 00ffff 0000ff 00ffaf 00ff55 00ff00 55ff00 "
    "aaff00 801919 ff5500 ffaa00 ffd400 ffff00 0000ff ff00ff ee82ee e22b8a 82004b",
    COCO_18: "0000ff 0055ff 00aaff 00ffff 00ffaa 00ff55 00ff00 55ff00 aaff00 ffff00 ffaa00 ff5500 "
    "ff0000 ff0055 ff00aa ff00ff aa00ff 5500ff",
    BODY_25: "5500ff 0000ff 0055ff 00aaff 00ffff 00ffaa 00ff55 00ff00 0000ff 55ff00 aaff00 ffff00 "
    "ffaa00 ff5500 ff0000 aa00ff ff00aa ff00ff ff0055 ff0000 ff0000 ff0000 ffff00 ffff00 ffff00",
    HAND_21: "2835e6 4073e7 1f88e9 0da0d5 13c8d9 23d2aa 30e48b 2dd653 2ec04d 85d553 bedf52 c5b850 "
    "bd8c4e d07056 d94953 b72e7b ff66bd e853da bd41e5 8d3dec 9166ff",
}


def paint_slowly(person: dict, skeleton: Skeleton, shape: tuple[int, int], wide: float = 1):
    """The rules, one after the other, on a white canvas; person in px of that canvas."""
    canvas = np.full((*shape, 3), 255, np.uint8)

    def size(pixels: int) -> int:
        return max(1, math.floor(pixels * wide + 0.5))

    def joint(point, radius, color, strength=1.0):
        nonlocal canvas
        copy = canvas.copy() if strength < 1 else canvas
        cv2.circle(copy, (int(point[0]), int(point[1])), radius, color, thickness=-1)
        if strength < 1:
            canvas = cv2.addWeighted(canvas, 1 - strength, copy, strength, 0)

    def segment(a, b, half_width, color, strength=1.0):
        nonlocal canvas
        length = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
        angle = math.degrees(math.atan2(a[1] - b[1], a[0] - b[0]))
        middle = int(np.mean([a[0], b[0]])), int(np.mean([a[1], b[1]]))
        outline = cv2.ellipse2Poly(middle, (int(length / 2), half_width), int(angle), 0, 360, 1)
        copy = canvas.copy()
        cv2.fillConvexPoly(copy, outline, color)
        canvas = cv2.addWeighted(canvas, 1 - 0.6 * strength, copy, 0.6 * strength, 0)

    body, colors = person["body"].astype(float), PALETTES[skeleton.name]
    for point, color in zip(body, colors, strict=True):
        if point[2] > 0:
            joint(point, size(8), color)
    for first, second in skeleton.limbs:
        a, b = skeleton.index(first), skeleton.index(second)
        if body[a, 2] > 0 and body[b, 2] > 0:
            segment(body[a], body[b], size(4), colors[a])
    face = person["face"].astype(float)
    if face[:, 2].mean() >= 0.2:
        for row in DOTS:
            if face[row, 2] > 0:
                joint(face[row], size(4), (0, 0, 0))
    for part in ("hand_right", "hand_left"):
        hand, colors = person[part].astype(float), PALETTES["HAND_21"]
        drawn = hand[hand[:, 2] > 0.05, 2]
        faint = min(1.0, sum(drawn) / max(len(drawn), 1) / 0.2)
        for point, color in zip(hand, colors, strict=True):
            if point[2] > 0.05:
                joint(point, size(3), color, faint)
        for finger in range(5):
            tips = [4 * finger + one for one in (1, 2, 3, 4)]
            for a, b in (*itertools.pairwise(tips), (0, tips[0])):
                if hand[a, 2] > 0.05 and hand[b, 2] > 0.05:
                    segment(hand[a], hand[b], size(2), colors[b], faint)
    return canvas


def somebody(seed: int, skeleton: Skeleton, size: tuple[int, int], reach: float) -> dict:
    """A person at random, about the middle of the canvas and as far as ``reach`` heights."""
    rng = np.random.default_rng(seed)
    height, width = size
    spread = {"body": reach, "face": 0.1 * reach, "hand_left": 0.1 * reach, "hand_right": 0.3}
    person = {}
    for part in PARTS:
        n = len(part_skeleton(part, skeleton))
        middle = rng.uniform(0.1, 0.9, 2) * (width, height)
        points = np.empty((n, 3), np.float32)
        points[:, :2] = middle + rng.uniform(-1, 1, (n, 2)) * spread[part] * height
        if rng.random() < 0.2:
            points[:, :2] = np.round(points[:, :2])
        points[:, 2] = rng.random(n) * rng.choice([1, 0.3])
        points[rng.random(n) < 0.15] = np.nan, np.nan, 0
        person[part] = points
    return person


@pytest.mark.parametrize("skeleton", RELEASE_COLORS, ids=lambda one: one.name)
def test_limbs_and_colors_are_the_releases_in_its_order(skeleton):
    limbs = [f"{skeleton.index(one)}-{skeleton.index(other)}" for one, other in skeleton.limbs]
    if skeleton in RELEASE_LIMBS:
        assert limbs == RELEASE_LIMBS[skeleton].split()
    colors = [bytes(color).hex() for color in PALETTES[skeleton.name]]
    assert colors == RELEASE_COLORS[skeleton].split()


@pytest.mark.parametrize("skeleton", BODIES, ids=lambda one: one.name)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.sampled_from([0.05, 0.4, 1.5]))
def test_at_1080_rows_every_pixel_is_that_of_the_rules(skeleton, seed, reach):
    person = somebody(seed, skeleton, (HEIGHT, WIDTH), reach)
    np.testing.assert_array_equal(
        draw_stick_figure(person, skeleton, (HEIGHT, WIDTH)),
        paint_slowly(person, skeleton, (HEIGHT, WIDTH)),
    )


@pytest.mark.parametrize(
    ("size", "thickness", "wide"), [((1080, 320), 0.3, 0.3), ((1600, 320), 1.0, 1600 / 1080)]
)
def test_widths_are_rounded_half_up_and_high_canvases_keep_their_rows(size, thickness, wide):
    person = somebody(3, EDN_23, size, 0.4)
    np.testing.assert_array_equal(
        draw_stick_figure(person, EDN_23, size, thickness),
        paint_slowly(person, EDN_23, size, wide),
    )


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((512, 256), (1080, 540)), ((288, 512), (1080, 1920)), ((128, 96), (1080, 810))],
)
def test_smaller_canvases_are_the_whole_drawing_made_smaller(size, drawn):
    person = somebody(1, COCO_18, size, 0.3)
    scale = 1080 / size[0]
    large = {part: points.astype(float) for part, points in person.items()}
    for points in large.values():
        # Pixel centres are whole numbers on both canvases.
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
    whole = Image.fromarray(paint_slowly(large, COCO_18, drawn))
    # One axis after the other, for Pillow 13 takes the longer one first.
    narrow = whole.resize((size[1], 1080), Image.Resampling.LANCZOS)
    expected = np.asarray(narrow.resize(size[::-1], Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(draw_stick_figure(person, COCO_18, size), expected)
