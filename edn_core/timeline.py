"""When frames are wanted."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Timeline:
    """Constant-rate times at which frames are wanted.

    Attributes:
        n_frames: how many.
        fps: frames per second, exact.
        start_s: time of frame 0, in seconds after the video's first frame.
    """

    n_frames: int
    fps: Fraction
    start_s: float = 0.0
