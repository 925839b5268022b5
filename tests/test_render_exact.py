"""Style ``edn`` against its rules, done slowly: a copy of the whole canvas for every limb."""

import itertools
import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edn_core.render import PALETTES, draw_stick_figure
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, PARTS, Skeleton, part_skeleton

BODIES = [EDN_23, COCO_18, BODY_25]
DOTS = (27, 30, 8, 0, 16, 33, 68, 69)
HEIGHT, WIDTH = 1080, 360


def paint_slowly(person: dict, skeleton: Skeleton, shape: tuple[int, int], wide: float = 1):
    """The rules, one after the other, on a white canvas; person in px of that canvas."""
    canvas = np.full((*shape, 3), 255, np.uint8)

    def size(pixels: int) -> int:
        return max(1, math.floor(pixels * wide + 0.5))

    def joint(point, radius, color):
        cv2.circle(canvas, (int(point[0]), int(point[1])), radius, color, thickness=-1)

    def segment(a, b, half_width, color):
        nonlocal canvas
        length = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
        angle = math.degrees(math.atan2(a[1] - b[1], a[0] - b[0]))
        middle = int(np.mean([a[0], b[0]])), int(np.mean([a[1], b[1]]))
        outline = cv2.ellipse2Poly(middle, (int(length / 2), half_width), int(angle), 0, 360, 1)
        copy = canvas.copy()
        cv2.fillConvexPoly(copy, outline, color)
        canvas = cv2.addWeighted(canvas, 0.4, copy, 0.6, 0)

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
        for point, color in zip(hand, colors, strict=True):
            if point[2] > 0.05:
                joint(point, size(3), color)
        for finger in range(5):
            tips = [4 * finger + one for one in (1, 2, 3, 4)]
            for a, b in (*itertools.pairwise(tips), (0, tips[0])):
                if hand[a, 2] > 0.05 and hand[b, 2] > 0.05:
                    segment(hand[a], hand[b], size(2), colors[b])
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
        points[:, 2] = rng.random(n)
        points[rng.random(n) < 0.15] = np.nan, np.nan, 0
        person[part] = points
    return person


@pytest.mark.parametrize("skeleton", BODIES, ids=lambda one: one.name)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.sampled_from([0.05, 0.4, 1.5]))
def test_at_1080_rows_every_pixel_is_that_of_the_rules(skeleton, seed, reach):
    person = somebody(seed, skeleton, (HEIGHT, WIDTH), reach)
    np.testing.assert_array_equal(
        draw_stick_figure(person, skeleton, (HEIGHT, WIDTH)),
        paint_slowly(person, skeleton, (HEIGHT, WIDTH)),
    )


def test_a_person_without_size_is_drawn_by_the_rules_too():
    person = somebody(1, BODY_25, (HEIGHT, WIDTH), 0.3)
    for points in person.values():
        points[:] = 100.7, 200.2, 0.9
    expected = paint_slowly(person, BODY_25, (HEIGHT, WIDTH))
    np.testing.assert_array_equal(draw_stick_figure(person, BODY_25, (HEIGHT, WIDTH)), expected)


@pytest.mark.parametrize(
    ("size", "thickness", "wide"),
    [((1080, 320), 0.3, 0.3), ((1080, 320), 2.5, 2.5), ((1600, 320), 1.0, 1600 / 1080)],
)
def test_widths_are_rounded_half_up_and_high_canvases_keep_their_rows(size, thickness, wide):
    person = somebody(3, EDN_23, size, 0.4)
    np.testing.assert_array_equal(
        draw_stick_figure(person, EDN_23, size, thickness),
        paint_slowly(person, EDN_23, size, wide),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("size", "drawn"),
    [((512, 256), (1080, 540)), ((288, 512), (1080, 1920)), ((128, 96), (1080, 810))],
)
def test_smaller_canvases_are_the_whole_drawing_made_smaller(size, drawn, seed):
    person = somebody(seed, COCO_18, size, 0.3)
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


def test_a_canvas_whose_drawing_ends_within_a_pixel_is_drawn_to_its_border():
    # 1080 / 224 * 352 = 1697.14: the drawing's last column lies half outside.
    person = somebody(5, BODY_25, (224, 352), 0.2)
    person["body"][:, :2] += 351 - np.nanmax(person["body"][:, 0]), 0
    label = draw_stick_figure(person, BODY_25, (224, 352))
    assert (label[:, -1] < 255).any()


def test_a_blend_is_the_exact_sum_rounded():
    # 2/5 and 3/5 of whole numbers never end in a half, so there is one way to round.
    old, new = np.mgrid[:256, :256].astype(np.uint8)
    blended = cv2.addWeighted(old, 1 - 0.6, new, 0.6, 0)
    for a in range(0, 256, 5):
        for b in range(256):
            assert blended[a, b] == round(Fraction(2 * a + 3 * b, 5))
