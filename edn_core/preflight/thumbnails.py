"""The dancer of single frames of a video, cut out for people to look at."""

from pathlib import Path

import numpy as np

from edn_core.footage import Footage, halvings_to, shrunk
from edn_core.keypoints import Keypoints
from edn_core.preflight.video import LOOKED_AT_PX


def cut_outs(video_path: Path, filmed: Keypoints, numbers: list[int]) -> dict[int, np.ndarray]:
    """The dancer of some frames, with room around: number -> picture."""
    halvings = halvings_to(filmed.height, LOOKED_AT_PX)
    frames, keypoints = Footage(video_path, filmed.clip, halvings), shrunk(filmed, halvings)
    return {frame: _cut_out(frames[frame], keypoints, frame) for frame in sorted({*numbers})}


def _cut_out(image: np.ndarray, keypoints: Keypoints, frame: int) -> np.ndarray:
    """The dancer of a frame, with room around; at most the picture."""
    body = keypoints.xy["body"][frame]
    found = body[np.isfinite(body).all(axis=1)]
    if len(found) > 1:
        middle = (found.min(axis=0) + found.max(axis=0)) / 2
        reach = 0.65 * np.ptp(found, axis=0).max() * np.array([0.8, 1.0])
        corners = np.round([middle - reach, middle + reach]).clip(0, image.shape[1::-1])
        (x0, y0), (x1, y1) = corners.astype(int)
        if x1 - x0 > 1 and y1 - y0 > 1:
            return image[y0:y1, x0:x1]
    return image
