"""Where live pictures come from, and the newest of them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from edn_core.video import decode, probe

CAMERA_FPS = Fraction(25)  # of a camera that does not say
FEWEST_FPS, MOST_FPS = 1, 240  # what a camera says beyond these is not believed
TICK_S = 0.05  # between looks at whether to stop
Item = TypeVar("Item")


class Moment(NamedTuple):
    """A picture as it came in."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    number: int  # of the frame, counted from the source's first
    time_s: float  # since the source's first frame, by the source's own clock
    came: float  # time.monotonic() when it came


class Source(NamedTuple):
    """A camera or a video that was opened."""

    moments: Iterator[Moment]  # its pictures, as they come
    fps: Fraction  # frames per second that it promises
    size: tuple[int, int]  # (H, W) of its pictures, px


def newest_of(
    moments: Iterator[Item], must_stop: Callable[[], bool], waits: bool = False
) -> Iterator[Item]:
    """The newest of the moments each time one is asked for, in order; a thread looks at them.

    One that ``waits`` looks at the next when the one before was taken, and so leaves none out.
    ``must_stop`` is asked a few times a second, here. Raises what the source raises.
    """
    newest: deque[Item] = deque(maxlen=1)  # one that nobody took gives way to the next
    errors: list[Exception] = []
    has_changed, was_taken, is_over, is_stopped = (threading.Event() for _ in range(4))

    def look() -> None:
        try:
            for moment in moments:
                newest.append(moment)
                has_changed.set()
                while waits and newest and not is_stopped.is_set():
                    was_taken.wait(TICK_S)
                    was_taken.clear()
                if is_stopped.is_set():
                    break
        except Exception as error:
            errors.append(error)
        is_over.set()
        has_changed.set()

    thread = threading.Thread(target=look, name="capture", daemon=True)
    thread.start()
    try:
        while not must_stop():
            has_changed.wait(TICK_S)
            has_changed.clear()
            was_over = is_over.is_set()  # asked first: what came before the end is still shown
            if newest:
                taken = newest.pop()
                was_taken.set()
                yield taken
            elif was_over:
                if errors:
                    raise errors[0]
                return
    finally:
        is_stopped.set()
        thread.join(1.0)  # a camera that hangs must not keep the program


def open_video(path: str | Path, at_its_pace: bool = True) -> Source:
    """The frames of a video, each when its time has come, as a camera would give them.

    Without ``at_its_pace`` they come as fast as they are asked for. Refused where it is no usable
    video.
    """
    info = probe(path)

    def moments() -> Iterator[Moment]:
        begin = None
        for number, image in enumerate(decode(path, info.timeline())):
            begin = time.monotonic() if begin is None else begin
            time_s = float(number / info.fps)
            if at_its_pace:
                time.sleep(max(0.0, begin + time_s - time.monotonic()))
            yield Moment(image, number, time_s, time.monotonic())

    return Source(moments(), info.fps, (info.height, info.width))


def open_camera(number: int) -> Source:
    """The pictures of a camera (the first is 0), as they come, until it gives no more.

    Raises ValueError: there is no such camera, or another program has it.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    camera = cv2.VideoCapture(number)
    image = camera.read()[1] if camera.isOpened() else None
    if image is None:
        camera.release()
        raise ValueError(
            f"camera {number} cannot be opened; check that it is plugged in, that no other program "
            "uses it and that you may read it (on Linux /dev/video*), or give a video file"
        )
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a queue in the driver would be old pictures
    promised = camera.get(cv2.CAP_PROP_FPS)
    fps = CAMERA_FPS
    if FEWEST_FPS <= promised <= MOST_FPS:
        fps = Fraction(promised).limit_denominator(1001)

    def moments() -> Iterator[Moment]:
        begin, count = time.monotonic(), 0
        picture = camera.read()[1]  # the first one is old by now
        try:
            while picture is not None:
                came = time.monotonic()
                rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
                yield Moment(rgb, count, came - begin, came)
                count += 1
                picture = camera.read()[1]
        finally:
            camera.release()

    return Source(moments(), fps, image.shape[:2])
