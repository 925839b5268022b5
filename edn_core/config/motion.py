"""What happens to keypoints until they are drawn."""

from dataclasses import dataclass

from edn_core.config.checks import check_choice, check_fractions


@dataclass(frozen=True)
class SmoothingConfig:
    """How keypoints are smoothed over time."""

    method: str = "median_savgol"
    """``median_savgol``: a median of 3 frames, which removes a single wild one, then
    Savitzky-Golay: on the demo a third of the release's jitter, and fast moves are nearer to the
    truth (docs/smoothing.md). ``median``: the running median of the release; ``none``: only gaps
    are filled."""
    window_s: float = 0.25
    """Time that the median and the parabola span (seconds): an odd number of frames, at
    least 5, so that 30 and 60 frames per second come out alike."""
    window_frames: int | None = None
    """Exactly so many frames instead (odd): 7 is the release's median; 1 switches it off."""
    max_gap_frames: int = 4
    """Longer gaps stay empty: a guessed arm is worse than none."""

    def __post_init__(self) -> None:
        check_choice(self, "method", ("median_savgol", "median", "none"))
        if self.window_s <= 0:
            raise ValueError(f"window_s must be above 0, got {self.window_s}")
        if self.window_frames is not None and (
            self.window_frames < 1 or self.window_frames % 2 == 0
        ):
            raise ValueError(f"window_frames must be odd and at least 1, got {self.window_frames}")
        if self.max_gap_frames < 0:
            raise ValueError(f"max_gap_frames must not be negative, got {self.max_gap_frames}")


@dataclass(frozen=True)
class StatisticsConfig:
    """How a video's ankle and height levels are measured (paper, global pose normalization)."""

    min_score: float = 0.1
    """Ankles and heads less certain than this do not count (0..1)."""
    far_fraction: float = 0.7
    """The far level lies about this part of (close - median) above the median (the paper's
    alpha)."""
    tolerance: float = 0.05
    """Half width of a level's cluster, as part of the ankle range; widened to 2x and 4x while the
    cluster is empty (the paper's epsilon)."""
    min_frames: int = 20
    """Fewer good frames than this: one scale and one shift serve the whole video."""
    min_range: float = 0.02
    """An ankle range below this part of the frame height is no change of depth."""
    level_window_s: float = 1.0
    """Running median of the foot level over this time (seconds), so that a jump does not read as
    walking away; 0 switches it off."""

    def __post_init__(self) -> None:
        check_fractions(self, "min_score", "far_fraction", "tolerance", "min_range")
        if self.level_window_s < 0:
            raise ValueError(f"level_window_s must not be negative, got {self.level_window_s}")


@dataclass(frozen=True)
class NormalizationConfig:
    """How the source's keypoints are moved into the target's frame."""

    mode: str = "paper"
    """``paper``: pivot on the frame's own ankles, as in the paper; ``edn_release``: number for
    number what the published code does; ``limbs``: as paper, then every limb gets the target's
    length."""
    horizontal: str = "scaled"
    """``scaled``: sideways movement is centred and scaled between canvases of different size;
    ``keep``: x stays, the paper's way (both videos share one frame)."""
    max_extrapolation: float = 0.25
    """How far beyond close or far the scale still changes, as part of the range; a jump must not
    read as walking far away."""

    def __post_init__(self) -> None:
        check_choice(self, "mode", ("paper", "edn_release", "limbs"))
        check_choice(self, "horizontal", ("scaled", "keep"))
        if self.max_extrapolation < 0:
            raise ValueError(
                f"max_extrapolation must not be negative, got {self.max_extrapolation}"
            )


@dataclass(frozen=True)
class LabelConfig:
    """How the stick figure is drawn."""

    style: str = "edn"
    """``edn``: the paper's coloured stick figure with face points and hands; ``facing``: the same
    with the near side drawn over the far side and front told from back; ``limb_index``: one class
    per limb (1..17), fed one-hot."""
    thickness: float = 1.0
    """Multiplies all line widths, which are in proportion to canvas height / 1080; small canvases
    want more than 1."""

    def __post_init__(self) -> None:
        if not 0 < self.thickness <= 20:
            raise ValueError(f"thickness must be above 0 and at most 20, got {self.thickness}")
