"""How steady a video is: against the true change from frame to frame, and along the optical flow.

Images are (H, W, 3) uint8 RGB.
"""

import cv2
import numpy as np

from edn_core.errors import Refused
from edn_core.metrics.images import l1_map, region_mean

MIN_FLOW_SIDE = 32  # px; below, the flow's coarsest scale has no room for its 8 px patches


def temporal_difference_error(
    previous_output: np.ndarray,
    output: np.ndarray,
    previous_truth: np.ndarray,
    truth: np.ndarray,
) -> float:
    """How far the change from one frame to the next is from the true change (flicker).

        mean | (output - previous_output) - (truth - previous_truth) | / 255

    Never read it alone: a picture that does not move at all has little of it.

    Returns:
        0 (the same movement) to 2.
    """
    change = output.astype(np.int16) - previous_output
    true_change = truth.astype(np.int16) - previous_truth
    return float(np.abs(change - true_change).mean() / 255)


def backward_flow(previous: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where every pixel of an image was in the image before, and whether it was seen there.

    Dense inverse search (Kroeger et al. 2016, as in OpenCV) both ways. A pixel was not seen where
    the two flows do not lead back to it, |w + w'|^2 > 0.01 (|w|^2 + |w'|^2) + 0.5 (Sundaram et al.
    2010), or where it came from outside the picture.

    Returns:
        flow (H, W, 2) float32 px: the pixel at p was at p + flow; seen (H, W) bool.

    Raises:
        Refused: images smaller than 32 px.
    """
    if min(image.shape[:2]) < MIN_FLOW_SIDE:
        raise Refused(
            "optical flow",
            f"{image.shape[0]} x {image.shape[1]} px",
            f"at least {MIN_FLOW_SIDE} x {MIN_FLOW_SIDE} px",
            "set canvas.pixels higher",
        )
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (previous, image)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    backward = search.calc(grey[1], grey[0], None)
    forward = search.calc(grey[0], grey[1], None)
    came_from = _places(backward)
    there = cv2.remap(forward, came_from, None, cv2.INTER_LINEAR)
    limit = 0.01 * (_squared_length(backward) + _squared_length(there)) + 0.5
    height, width = image.shape[:2]
    is_inside = cv2.inRange(came_from, (0, 0), (width - 1, height - 1)) > 0
    return backward, is_inside & (_squared_length(backward + there) <= limit)


def flow_warping_error(
    previous_output: np.ndarray, output: np.ndarray, flow: np.ndarray, seen: np.ndarray
) -> float:
    """How far a frame is from the frame before moved along the optical flow.

        sum_p M(p) | output(p) - previous_output(p + flow(p)) | / sum_p M(p) / 255

    The warping error of Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018): M is 1
    where a pixel was seen in the frame before. Theirs squares the difference; here it is absolute,
    the mean of the three colours, in the unit of the other columns. The flow is that of the true
    frames (backward_flow), so that a video which moves wrongly pays too.

    Returns:
        0 (every pixel keeps its colour along the movement) to 1; NaN where nothing was seen.
    """
    moved = cv2.remap(previous_output, _places(flow), None, cv2.INTER_LINEAR)
    return region_mean(l1_map(output, moved), seen)


def _squared_length(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) -> (H, W)."""
    squared: np.ndarray = flow[..., 0] ** 2 + flow[..., 1] ** 2
    return squared


def _places(flow: np.ndarray) -> np.ndarray:
    """Where a flow points to: (H, W, 2) float32 px."""
    y, x = np.indices(flow.shape[:2], np.float32)
    return np.stack([x, y], axis=2) + flow
