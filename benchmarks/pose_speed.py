"""How fast is the default pose backend, and does the result depend on the number of threads?

    python -m benchmarks.pose_speed VIDEO [VIDEO ...] [--threads 1 2 4] [--people 1 3]

Whole `estimate_pose`, decoding and loading of the networks included, body, face and hands. Printed
are frames per second of wall time: nothing else may run on the machine.
"""

import argparse
import time

import numpy as np

from edn_core.config import PoseConfig, VideoConfig
from edn_core.film import plan_clip
from edn_core.keypoints import Keypoints
from edn_core.pose import estimate_pose


def main() -> None:
    """Print a line per video, number of people looked for, and number of threads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--people", nargs="+", type=int, default=[PoseConfig().max_people])
    arguments = parser.parse_args()
    print(f"{'':40}{'people':>8}{'threads':>9}{'frames/s':>10}{'as with one thread':>20}")
    for path in arguments.videos:
        clip = plan_clip(path, "video", VideoConfig())
        for n_people in arguments.people:
            first: Keypoints | None = None
            for threads in arguments.threads:
                begin = time.perf_counter()
                found = estimate_pose(path, clip, PoseConfig(max_people=n_people), threads)
                speed = clip.n_frames / (time.perf_counter() - begin)
                first = first or found
                print(
                    f"{path[-39:]:40}{found.n_people.max():>8}{threads:>9}{speed:>10.1f}"
                    f"{'yes' if _equal(first, found) else 'NO':>20}"
                )


def _equal(one: Keypoints, other: Keypoints) -> bool:
    return all(
        np.array_equal(one.xy[part], other.xy[part], equal_nan=True)
        and np.array_equal(one.score[part], other.score[part])
        for part in one.xy
    )


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
