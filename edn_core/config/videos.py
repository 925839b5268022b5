"""Single videos, and the pixel frame they are brought into."""

from dataclasses import dataclass

from edn_core.config.checks import check_choice, check_dancer

DANCERS = ("largest", "centre", "longest", "index", "box")
"""Ways to choose the dancer among several people."""


@dataclass(frozen=True)
class VideoConfig:
    """What is particular to one video (``videos: {name: {...}}``)."""

    start_s: float = 0.0
    """Seconds of the video to skip."""
    stop_s: float | None = None
    """Second to stop at; none: the end."""
    held_out: tuple[int, int] | None = None
    """Frames [first, last) kept out of training for evaluation; none: the last part."""
    dancer: str | None = None
    """Which of several people is followed here; none: as pose.dancer says."""
    dancer_index: int | None = None
    """As pose.dancer_index, for this video."""
    dancer_box: tuple[float, float, float, float] | None = None
    """As pose.dancer_box, for this video."""

    def __post_init__(self) -> None:
        if self.dancer is not None:
            check_choice(self, "dancer", DANCERS)
        check_dancer(self.dancer_index, self.dancer_box)
        if self.start_s < 0 or (self.stop_s is not None and self.stop_s <= self.start_s):
            raise ValueError(f"stop_s must lie after start_s, got {self.start_s} to {self.stop_s}")


@dataclass(frozen=True)
class CanvasConfig:
    """The pixel frame everything after frame extraction lives in."""

    pixels: int = 131_072
    """Pixel budget of a frame (131072 = 512 x 256, the paper's coarse size); the video's own aspect
    is kept and padded to multiples of 32."""
    jpeg_quality: int = 95
    """Quality of the stored photographs (4:4:4)."""

    def __post_init__(self) -> None:
        if self.pixels < 1024:
            raise ValueError(f"pixels must be at least 1024, got {self.pixels}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100, got {self.jpeg_quality}")
