"""From a source to a window or a file, until it ends or somebody stops it."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from edn_core.live.capture import Moment, newest_of, open_camera, open_video
from edn_core.live.dancer import LiveDancer, LiveSettings
from edn_core.live.play import by_the_clock, play
from edn_core.live.window import Window
from edn_core.provenance import to_metadata
from edn_core.video import encode

WINDOW = "window"


def dance_live(
    generator_path: str | Path,
    statistics_path: str | Path,
    source: str,
    out: str,
    settings: LiveSettings,
    device: torch.device,
    every_frame: bool = False,
    fps: Fraction | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Let the target dance as the source does, while it does.

    Ends with the video, with q in the window, or with Ctrl-C; a file is complete then.

    Args:
        generator_path: the target's ``edn-generator`` file.
        statistics_path: the target's ``edn-statistics`` file.
        source: number of a camera, or a video file, which is played at its own pace.
        out: "window", or an mp4 to write.
        settings: pose and placing.
        device: where the generator computes.
        every_frame: leave no frame out, however long it takes; a video is then not played at its
            pace.
        fps: rate of the file; None: the source's.
        say: gets a line a second.

    Raises:
        ValueError: a source, window or file that cannot be opened, or files that do not belong
            together; one line that says which.
    """
    if out != WINDOW and Path(out).suffix != ".mp4":
        raise ValueError(f"--to is {out!r}; expected {WINDOW} or a file that ends in .mp4")
    if not source.isdigit() and out != WINDOW and Path(out).resolve() == Path(source).resolve():
        raise ValueError(f"--to is {out!r}, the video that it is made from; name another file")
    if source.isdigit():
        taken = open_camera(int(source))
    else:
        taken = open_video(source, at_its_pace=not every_frame)
    window = Window() if out == WINDOW else None
    # Everything is loaded and has run once before the first picture comes: it would be old by then.
    dancer = LiveDancer(generator_path, statistics_path, settings, device, Path(source).stem)
    dancer.warm_up(taken.size)
    last_s = 0.0

    def watched() -> Iterator[Moment]:
        nonlocal last_s
        for moment in taken.moments:
            last_s = moment.time_s
            yield moment

    with _stop_on_signal() as is_signalled:

        def must_stop() -> bool:
            return is_signalled() or (window is not None and window.look())

        looked_at = _until(watched(), must_stop) if every_frame else newest_of(watched(), must_stop)
        shown = play(looked_at, dancer.dance, say)
        if window is not None:
            for one in shown:
                window.show(one.image)
            window.close()
        else:
            pictures = by_the_clock(shown, fps or taken.fps, lambda: last_s + 1 / float(taken.fps))
            encode(out, pictures, fps or taken.fps, metadata=to_metadata(dancer.provenance))


def _until(moments: Iterator[Moment], must_stop: Callable[[], bool]) -> Iterator[Moment]:
    for moment in moments:
        if must_stop():
            return
        yield moment


@contextlib.contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """While the block runs, Ctrl-C asks it to end instead of tearing it apart."""
    is_asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal is_asked
        is_asked = True

    before = {one: signal.signal(one, ask) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: is_asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
