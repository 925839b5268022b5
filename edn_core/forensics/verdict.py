"""What a detector makes of a video file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edn_core.compose import even, halved
from edn_core.config import VideoConfig
from edn_core.evaluate.files import spread
from edn_core.film import plan_clip
from edn_core.forensics.crops import to_input
from edn_core.forensics.detector import Detector, score_pairs
from edn_core.video import decode

MOST_PAIRS = 500
SUSPICIOUS, UNSUSPICIOUS = 0.8, 0.2
"""From which share of suspicious pairs on, and up to which, a verdict is given."""


@dataclass(frozen=True)
class Verdict:
    """What was found in a video.

    Attributes:
        scores: (N,) of pairs, evenly spread over the video; 0 real, 1 synthetic.
        threshold: from which score on a pair is suspicious.
        trained_on: subjects of the detector.
    """

    scores: np.ndarray
    threshold: float
    trained_on: tuple[str, ...]

    @property
    def share(self) -> float:
        """Part of the pairs that are suspicious, 0 to 1."""
        return float((self.scores >= self.threshold).mean())


def examine_video(
    path: str | Path, trained: Detector, device: torch.device, most: int = MOST_PAIRS
) -> Verdict:
    """Score pairs of consecutive frames of a video, evenly spread over it.

    Args:
        path: any video; halved as often as brings it nearest to the size of those that the
            detector learned from, never enlarged.
        trained: the detector.
        device: CPU or CUDA.
        most: pairs, at most.

    Raises:
        ValueError: not a usable video; one line that says why.
    """
    clip = plan_clip(path, Path(path).stem, VideoConfig())
    halvings = max(0, round(math.log(clip.width * clip.height / trained.pixels, 4)))
    wanted = set(spread(range(clip.n_frames - 1), most))

    def pairs() -> Iterator[np.ndarray]:
        before: np.ndarray | None = None
        for frame, image in enumerate(decode(path, clip)):
            if frame not in wanted and frame - 1 not in wanted:
                continue
            picture = even(halved(image, halvings))
            if before is not None and frame - 1 in wanted:
                yield to_input([before, picture], trained.crf)
            before = picture

    scores = score_pairs(trained.build(device), pairs(), device)
    return Verdict(scores, trained.threshold, trained.trained_on)


def describe_verdict(verdict: Verdict) -> str:
    """The verdict in lines for people, with what it is worth."""
    share = verdict.share
    if share >= SUSPICIOUS:
        says = "looks like the output of a generator of the kind the detector knows"
    elif share <= UNSUSPICIOUS:
        says = "no sign of the generators that the detector knows"
    else:
        says = "undecided"
    names = ", ".join(verdict.trained_on)
    return "\n".join(
        [
            f"suspicious: {100 * share:.0f} % of {len(verdict.scores)} pairs of frames "
            f"(median score {float(np.median(verdict.scores)):.3f}, threshold {verdict.threshold})",
            f"verdict:    {says}",
            f"limits:     it has only seen generators of edn, trained on {names}, at one picture",
            "            size. It says nothing about other programs, and neither verdict is proof.",
        ]
    )
