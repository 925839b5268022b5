"""How fast are labels drawn? Per style, and the straightforward way beside it.

    python -m benchmarks.label_speed [--size 1024x512] [--frames 60]

One core's time (process time, so that other work on the machine counts little), best of three
rounds, of the demo's target dancer with body, face and both hands, three quarters of the picture
high. "whole canvas" is style ``edn`` done the way its rules are written: a copy of the whole canvas
of 1080 rows and a blend for every limb, then the whole canvas made smaller. Last, what making the
figure's part smaller takes: its box by Pillow's LANCZOS and by cv2's INTER_AREA, and as it is done.
"""

import argparse
import math
import time
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from edn_core.demo import DANCERS, draw_frame
from edn_core.keypoints import Person
from edn_core.render import LABEL_STYLES
from edn_core.render.grid import Disc, Grid, Region, Shape
from edn_core.render.stick_figure import body_shapes, face_shapes, hand_shapes
from edn_core.skeleton import BODY_25

FIGURE = 0.75  # of the picture's height, head to toe


def main() -> None:
    """Print labels per second and how many times the whole-canvas way each is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="1024x512", help="canvas, W x H px")
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    width, height = (int(number) for number in options.size.split("x"))
    size = height, width
    cv2.setNumThreads(1)
    people = [_fitted(draw_frame(DANCERS["target"], t / 5)[1], size) for t in range(options.frames)]
    slowest = _seconds(lambda person: draw_on_the_whole_canvas(person, size), people[:10])
    print(f"{width}x{height}, one core, {options.frames} labels with body, face and hands")
    _report("edn, whole canvas", slowest, slowest)
    for name, style in LABEL_STYLES.items():
        draw = style.draw
        _report(
            name, _seconds(lambda one, draw=draw: draw(one, BODY_25, size, 1.0), people), slowest
        )
    grid = Grid.of(size, 1.0)
    boxes = [_drawn(person, grid) for person in people]
    for name, shrink in (("LANCZOS", _lanczos), ("INTER_AREA", _area)):
        once = _seconds(lambda one, shrink=shrink: shrink(one, grid.scale), boxes)
        print(f"{name + ' of the whole box':24}{1000 * once:8.2f} ms")
    once = _seconds(lambda one: one[0].finish(one[1]), [_region(one, grid) for one in people])
    print(f"{'as it is done here':24}{1000 * once:8.2f} ms")


def draw_on_the_whole_canvas(person: Person, size: tuple[int, int]) -> np.ndarray:
    """Style ``edn`` without any care for speed; (H, W, 3) uint8 RGB."""
    grid = Grid.of(size, 1.0)
    canvas = np.full((*grid.shape, 3), 255, np.uint8)
    for shape in _shapes(person, grid):
        if isinstance(shape, Disc):
            cv2.circle(canvas, (shape.x, shape.y), shape.radius, shape.color, -1)
        else:
            copy = canvas.copy()
            cv2.fillConvexPoly(copy, shape.outline, shape.color)
            canvas = cv2.addWeighted(canvas, 1 - shape.opacity, copy, shape.opacity, 0)
    whole = Image.fromarray(canvas)
    return np.asarray(whole.resize(size[::-1], Image.Resampling.LANCZOS))


def _shapes(person: Person, grid: Grid) -> list[Shape]:
    shapes = body_shapes(person["body"], BODY_25, grid) + face_shapes(person["face"], grid)
    return shapes + hand_shapes(person["hand_right"], grid) + hand_shapes(person["hand_left"], grid)


def _region(person: Person, grid: Grid) -> tuple[Region, np.ndarray]:
    shapes = _shapes(person, grid)
    region = Region.around(shapes, grid)
    assert region is not None
    drawn = region.blank()
    region.paint(drawn, shapes)
    return region, drawn


def _drawn(person: Person, grid: Grid) -> np.ndarray:
    return _region(person, grid)[1]


def _lanczos(drawn: np.ndarray, scale: float) -> np.ndarray:
    size = math.ceil(drawn.shape[1] / scale), math.ceil(drawn.shape[0] / scale)
    return np.asarray(Image.fromarray(drawn).resize(size, Image.Resampling.LANCZOS))


def _area(drawn: np.ndarray, scale: float) -> np.ndarray:
    size = math.ceil(drawn.shape[1] / scale), math.ceil(drawn.shape[0] / scale)
    return cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)


def _fitted(person: Person, size: tuple[int, int]) -> Person:
    """The person in the middle of the canvas, three quarters of it high."""
    body = person["body"]
    low, high = np.nanmin(body[:, :2], axis=0), np.nanmax(body[:, :2], axis=0)
    scale = FIGURE * size[0] / (high[1] - low[1])
    middle = np.array(size[::-1]) / 2
    moved = {part: points.copy() for part, points in person.items()}
    for points in moved.values():
        points[:, :2] = (points[:, :2] - (low + high) / 2) * scale + middle
    return moved


def _seconds(draw: Callable, items: list) -> float:
    """Process time of one call: the best of three rounds over all items."""
    rounds = []
    for _ in range(3):
        began = time.process_time()
        for item in items:
            draw(item)
        rounds.append((time.process_time() - began) / len(items))
    return min(rounds)


def _report(name: str, seconds: float, slowest: float) -> None:
    print(f"{name:24}{1 / seconds:8.1f} labels/s{slowest / seconds:8.1f} times the whole canvas")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
