"""How exact is the pose backend? Measured on the demo videos, whose true keypoints are known.

    python -m benchmarks.pose_accuracy

Needs `make demo` (or `snakemake --configfile config/demo.yaml -- poses`). Errors are parts of the
true torso length (neck to middle of the hips), over nose, shoulders, elbows, wrists, hips, knees
and ankles; "centred": after each joint's own constant offset is taken away, since networks and
drawings place a joint at different spots.
"""

from pathlib import Path

import numpy as np

from edn_core.intake import DEMO_VIDEOS
from edn_core.keypoints import read_keypoints

JOINTS = (
    "nose",
    *(
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("right", "left")
    ),
)


def main() -> None:
    """Print a line per video and store."""
    print(f"{'':36}{'body':>8}{'face':>8}{'hands':>8}{'median':>9}{'centred':>9}")
    for video in DEMO_VIDEOS:
        truth = read_keypoints(Path("results/demo") / f"{video}.keypoints.h5")
        neck, hip = (truth.point(name) for name in ("neck", "mid_hip"))
        torso = np.linalg.norm(neck - hip, axis=1, keepdims=True)
        for store in ("keypoints.raw.h5", "keypoints.h5"):
            found = read_keypoints(Path("results/videos") / video / store)
            errors = [(found.point(name) - truth.point(name)) / torso for name in JOINTS]
            centred = [error - np.nanmedian(error, axis=0) for error in errors]
            seen = {part: (score > 0).any(axis=1) for part, score in found.score.items()}
            hands = (seen["hand_left"].mean() + seen["hand_right"].mean()) / 2
            print(
                f"{video + ', ' + store:36}{seen['body'].mean():8.1%}{seen['face'].mean():8.1%}"
                f"{hands:8.1%}{_median_length(errors):9.2%}{_median_length(centred):9.2%}"
            )


def _median_length(errors: list[np.ndarray]) -> float:
    return float(np.nanmedian(np.linalg.norm(np.concatenate(errors), axis=1)))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
