"""The loop, what it says about itself, and the constant rate of a file."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from edn_core.live.capture import Moment

REPORT_EVERY_S = 1.0


class Shown(NamedTuple):
    """A picture that was made: (H, W, 3) uint8 RGB, and when what it shows happened, s."""

    image: np.ndarray
    time_s: float


@dataclass
class Counts:
    """What happened in a span of time.

    Attributes:
        begin: time.monotonic() at its start.
        n_shown: frames that were made and shown or written.
        n_dropped: frames that nobody looked at.
        latency_s: sum over the frames, from when one came to when what was made of it was shown.
        longest_s: the greatest of these.
    """

    begin: float
    n_shown: int = 0
    n_dropped: int = 0
    latency_s: float = 0.0
    longest_s: float = 0.0

    def add(self, latency_s: float, n_dropped: int) -> None:
        """One frame was shown; ``n_dropped`` before it were not."""
        self.n_shown += 1
        self.n_dropped += n_dropped
        self.latency_s += latency_s
        self.longest_s = max(self.longest_s, latency_s)

    def describe(self) -> str:
        """One line."""
        seconds = max(time.monotonic() - self.begin, 1e-9)
        return (
            f"{self.n_shown / seconds:.1f} frames/s, latency "
            f"{1000 * self.latency_s / max(self.n_shown, 1):.0f} ms (at most "
            f"{1000 * self.longest_s:.0f}), {self.n_dropped} of {self.n_shown + self.n_dropped} "
            "frames dropped"
        )


def play(
    moments: Iterable[Moment],
    dance: Callable[[np.ndarray, int, float], np.ndarray],
    say: Callable[[str], None],
) -> Iterator[Shown]:
    """Make a picture of each moment; say once a second, and at the end, how it goes.

    Frames whose numbers are left out count as dropped.

    Args:
        moments: those that are looked at.
        dance: (image, number, time) -> picture.
        say: gets the lines.

    Yields:
        The pictures; asking for the next one says that this one was shown.
    """
    number = -1
    total = recent = Counts(time.monotonic())
    for moment in moments:
        if number < 0:
            total, recent = Counts(moment.came), Counts(moment.came)
        yield Shown(dance(moment.image, moment.number, moment.time_s), moment.time_s)
        now = time.monotonic()
        for counts in (total, recent):
            counts.add(now - moment.came, moment.number - number - 1)
        number = moment.number
        if now - recent.begin >= REPORT_EVERY_S:
            say(recent.describe())
            recent = Counts(now)
    say(f"in all: {total.describe()}")


def by_the_clock(
    shown: Iterable[Shown], fps: Fraction, end: Callable[[], float]
) -> Iterator[np.ndarray]:
    """Pictures at a constant rate: each stands until the time of the next.

    Args:
        shown: in order of time.
        fps: frames per second wanted.
        end: asked when ``shown`` is at its end: how long all of it lasts, s.

    Yields:
        round(end * fps) pictures, at least one if there was one at all.
    """
    n_frames, image = 0, None
    for one in shown:
        image = one.image if image is None else image
        for _ in range(n_frames, round(one.time_s * fps)):
            n_frames += 1
            yield image
        image = one.image
    if image is not None:
        for _ in range(n_frames, max(round(end() * fps), n_frames + (n_frames == 0))):
            yield image
