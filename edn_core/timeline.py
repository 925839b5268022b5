"""When frames are wanted, and of which video."""

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


@dataclass(frozen=True, kw_only=True)
class Clip(Timeline):
    """The part of a video that is used.

    Attributes:
        video: its name.
        width, height: of its pictures as shown, px.
    """

    video: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) px."""
        return self.height, self.width
