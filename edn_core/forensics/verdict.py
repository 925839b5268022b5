"""What a detector makes of a video file."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from edn_core.compose import even, halved
from edn_core.config import VideoConfig
from edn_core.evaluate.files import spread
from edn_core.film import plan_clip
from edn_core.forensics.crops import to_input
from edn_core.forensics.detector import Detector
from edn_core.video import decode

MOST_PAIRS = 500
SUSPICIOUS, UNSUSPICIOUS = 0.8, 0.2
"""From which share of suspicious pairs on, and up to which, a verdict is given."""


def examine_video(path: str | Path, trained: Detector, device: torch.device) -> np.ndarray:
    """Score up to 500 pairs of consecutive frames of a video, evenly spread over it.

    Args:
        path: any video; halved as often as brings it nearest to the size of those that the
            detector learned from, never enlarged.
        trained: the detector.
        device: CPU or CUDA.

    Returns:
        (N,) scores, 0 real, 1 synthetic.

    Raises:
        ValueError: not a usable video; one line that says why.
    """
    clip = plan_clip(path, Path(path).stem, VideoConfig())
    halvings = max(0, round(math.log(clip.width * clip.height / trained.pixels, 4)))
    wanted = set(spread(range(clip.n_frames - 1), MOST_PAIRS))

    def pairs() -> Iterator[np.ndarray]:
        before: np.ndarray | None = None
        for frame, image in enumerate(decode(path, clip)):
            if frame not in wanted and frame - 1 not in wanted:
                continue
            picture = even(halved(image, halvings))
            if before is not None and frame - 1 in wanted:
                yield to_input([before, picture], trained.crf)
            before = picture

    return trained.score(pairs(), device)


def describe_verdict(scores: np.ndarray, trained: Detector) -> str:
    """The verdict of a video's scores in lines for people, with what it is worth."""
    share = float((scores >= trained.threshold).mean())
    if share >= SUSPICIOUS:
        says = "looks like the output of a generator of the kind the detector knows"
    elif share <= UNSUSPICIOUS:
        says = "no sign of the generators that the detector knows"
    else:
        says = "undecided"
    return "\n".join(
        [
            f"suspicious: {100 * share:.0f} % of {len(scores)} pairs of frames "
            f"(median score {float(np.median(scores)):.3f}, threshold {trained.threshold})",
            f"verdict:    {says}",
            "limits:     it has only seen generators of edn, trained on "
            f"{', '.join(trained.trained_on)}, at one picture",
            "            size. It says nothing about other programs, and neither verdict is proof.",
        ]
    )
