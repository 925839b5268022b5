"""Live: a camera or a video in, the target dancing in a window or a file out, while it happens.

As fast as the machine allows: of what arrives while a frame is worked on, all but the newest is
dropped, so that the output never lags behind by more than the work on one frame takes.
"""

from edn_core.live.capture import Moment, Source, newest_of, open_camera, open_video
from edn_core.live.dancer import LiveDancer, LiveSettings, default_statistics
from edn_core.live.placing import LivePlacing
from edn_core.live.play import Shown, by_the_clock, play
from edn_core.live.run import dance_live
from edn_core.live.window import Window

__all__ = [
    "LiveDancer",
    "LivePlacing",
    "LiveSettings",
    "Moment",
    "Shown",
    "Source",
    "Window",
    "by_the_clock",
    "dance_live",
    "default_statistics",
    "newest_of",
    "open_camera",
    "open_video",
    "play",
]
