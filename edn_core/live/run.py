"""From a source to a window or a file, until it ends or somebody stops it."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from edn_core.compose import even
from edn_core.errors import Refused
from edn_core.live.capture import Moment, newest_of, open_camera, open_video
from edn_core.live.dancer import LiveDancer, LiveSettings, Seen
from edn_core.live.window import Window
from edn_core.provenance import to_metadata
from edn_core.video import encode
from edn_core.video.encoding import CODINGS

WINDOW = "window"
REPORT_EVERY_S = 1.0


class Shown(NamedTuple):
    """A picture that was made: (H, W, 3 or 4) uint8, and when what it shows happened, s."""

    image: np.ndarray
    time_s: float


def dance_live(
    generator_path: str | Path,
    statistics_path: str | Path,
    source: str,
    out: str,
    settings: LiveSettings,
    device: torch.device,
    every_frame: bool = False,
    fps: Fraction | None = None,
) -> None:
    """Let the target dance as the source does, while it does; prints a line a second.

    Ends with the video, with q in the window, or with Ctrl-C; a file is complete then. The source
    is the number of a camera, or a video, played at its own pace unless ``every_frame`` shall be
    seen however long it takes; ``out`` is "window", or a video to write, at ``fps`` or the
    source's. Raises ValueError: what cannot be opened, or files that do not belong together; one
    line.
    """
    if out != WINDOW:
        _check_file(out, settings.background)
    if source.isdigit():
        taken = open_camera(int(source))
    elif out != WINDOW and Path(out).resolve() == Path(source).resolve():
        raise ValueError(f"--to is {out!r}, the video that it is made from; name another file")
    else:
        taken = open_video(source, at_its_pace=not every_frame)
    window = Window() if out == WINDOW else None
    # Everything is loaded and has run once before the first picture comes: it would be old by then.
    dancer = LiveDancer(
        generator_path, statistics_path, settings, device, Path(source).stem, taken.size
    )
    last_s = 0.0

    def watched() -> Iterator[Moment]:
        nonlocal last_s
        for moment in taken.moments:
            last_s = moment.time_s
            yield moment

    is_signalled = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):  # else they would tear the file apart
        signal.signal(one, lambda number, frame: is_signalled.set())

    def must_stop() -> bool:
        if window is not None and window.look():
            is_signalled.set()
        return is_signalled.is_set()

    # Pose and painting side by side, a thread each: a picture is looked at while the one before is
    # painted. Torch leaves a processor to the pose.
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))
    moments = watched() if every_frame else newest_of(watched(), is_signalled.is_set)
    seen = ((moment, dancer.see(*moment[:3])) for moment in moments)
    shown = play(newest_of(seen, must_stop, waits=True), dancer.paint)
    if window is not None:
        for picture in shown:
            window.show(picture.image)
        window.close()
    else:
        rate = fps or taken.fps
        pictures = by_the_clock(shown, rate, lambda: last_s + 1 / float(taken.fps))
        encode(out, map(even, pictures), rate, metadata=to_metadata(dancer.provenance))


def _check_file(out: str, background: str) -> None:
    coding = CODINGS.get(Path(out).suffix)
    if coding is None:
        endings = ", ".join(CODINGS)
        raise ValueError(f"--to is {out!r}; expected {WINDOW} or a file that ends in {endings}")
    if background == "transparent" and not coding.transparent:
        expected = "a .webm or .mov for --background transparent"
        raise Refused(f"--to is {out!r}", "knows no transparency", expected)


def play(
    moments: Iterable[tuple[Moment, Seen]], paint: Callable[[Seen], np.ndarray]
) -> Iterator[Shown]:
    """Make a picture of each moment; print once a second, and at the end, how it goes.

    Asking for the next one says that this one was shown. Frames whose numbers are left out count as
    dropped; the latency of a frame is from when it came to when what was made of it was shown.
    """
    begin = reported = time.monotonic()
    number, n_dropped = -1, 0
    latencies: list[float] = []  # s
    for moment, seen in moments:
        if number < 0:
            begin = reported = moment.came
        yield Shown(paint(seen), moment.time_s)
        now = time.monotonic()
        latencies.append(now - moment.came)
        n_dropped += moment.number - number - 1
        number = moment.number
        if now - reported >= REPORT_EVERY_S:
            print(_describe(now - begin, latencies, n_dropped), flush=True)
            reported = now
    print(f"in all: {_describe(time.monotonic() - begin, latencies, n_dropped)}", flush=True)


def _describe(seconds: float, latencies: list[float], n_dropped: int) -> str:
    mean, longest = np.mean(latencies or [0.0]), max(latencies, default=0.0)
    return (
        f"{len(latencies) / max(seconds, 1e-9):.1f} frames/s, latency {1000 * mean:.0f} ms (at "
        f"most {1000 * longest:.0f}), {n_dropped} of {len(latencies) + n_dropped} frames dropped"
    )


def by_the_clock(
    shown: Iterable[Shown], fps: Fraction, end: Callable[[], float]
) -> Iterator[np.ndarray]:
    """Pictures at a constant rate: each stands until the time of the next.

    ``end``, asked when the pictures are at their end, says how long all of it lasts, s: round(end *
    fps) pictures come, at least one if there was one at all.
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
