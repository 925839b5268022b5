"""Which frames of a target are trained on, which choose the checkpoint, which nobody sees."""

from dataclasses import dataclass
from typing import Any

from edn_core.config import EvaluationConfig, read_section


@dataclass(frozen=True)
class Split:
    """Which frames of a target serve for what; half-open ranges of frame numbers."""

    train: tuple[range, ...]
    """Frames the networks learn from; more than one range where the held-out block lies inside."""
    validation: range
    """Frames that choose the checkpoint."""
    test: range
    """Frames nobody sees before evaluation."""

    @property
    def train_frames(self) -> list[int]:
        """All training frames in order."""
        return [frame for block in self.train for frame in block]


def split_frames(
    n_frames: int, evaluation: EvaluationConfig, held_out: tuple[int, int] | None = None
) -> Split:
    """Divide a target's frames into training, validation and test.

    Args:
        n_frames: frames of the video.
        evaluation: the fractions.
        held_out: explicit test block [first, last); none: the last ``test_fraction``.

    Raises:
        ValueError: nothing left to train on, or a block outside the video.
    """
    first, last = held_out or (n_frames - round(n_frames * evaluation.test_fraction), n_frames)
    if not 0 <= first <= last <= n_frames:
        raise ValueError(
            f"held_out is [{first}, {last}) but the video has {n_frames} frames; "
            "give frame numbers inside the video"
        )
    validation_first = max(0, first - round(n_frames * evaluation.validation_fraction))
    split = Split(
        train=tuple(r for r in (range(validation_first), range(last, n_frames)) if len(r)),
        validation=range(validation_first, first),
        test=range(first, last),
    )
    if len(split.train_frames) < 2:
        advice = "film a longer one (a few minutes are right)"
        if held_out:
            advice = f"hold out less than [{first}, {last})"
        raise ValueError(
            f"a video of {n_frames} frames leaves {len(split.train_frames)} to train on, expected "
            f"at least 2; {advice}"
        )
    return split


def read_split(n_frames: int, settings: dict[str, Any]) -> Split:
    """split_frames for what a rule passes on: ``evaluation`` section and ``held_out`` block."""
    evaluation = read_section(EvaluationConfig, settings["evaluation"], "evaluation")
    held_out = settings["held_out"]
    return split_frames(n_frames, evaluation, tuple(held_out) if held_out else None)
