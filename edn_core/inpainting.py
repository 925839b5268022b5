"""What was never seen in a picture, made up from what is around it."""

import io
import os
import subprocess
import sys

import cv2
import numpy as np
from scipy.sparse import diags_array, kronsum
from scipy.sparse.linalg import splu

INPAINTED = 640  # px; longer side of what is inpainted, then made as large as its hole
NEAR = 9  # px of that, within which both sides of the hole's edge are compared
TONE = 16.0  # grey levels


def inpaint(picture: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Make up what was never seen, from what is around it.

    OpenCV's shift-map (He and Sun, "Statistics of Patch Offsets for Image Completion", 2012)
    carries folds and clouds on where Telea and Navier-Stokes leave streaks.

    Args:
        picture: (H, W, 3) uint8 RGB.
        unknown: (H, W) bool.

    Returns:
        (H, W, 3) uint8.
    """
    if not unknown.any() or unknown.all():
        return picture
    rows, columns = np.flatnonzero(unknown.any(axis=1)), np.flatnonzero(unknown.any(axis=0))
    (top, bottom), (left, right) = ((one[0], one[-1] + 1) for one in (rows, columns))
    margin = max(bottom - top, right - left)  # what is there to be taken
    top, left = max(0, top - margin), max(0, left - margin)
    around = np.s_[top : bottom + margin, left : right + margin]
    region, hole = picture[around], unknown[around].astype(np.uint8)
    smaller = min(1.0, INPAINTED / max(hole.shape))
    size = max(1, round(hole.shape[1] * smaller)), max(1, round(hole.shape[0] * smaller))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    grown = cv2.dilate(hole, np.ones((3, 3), np.uint8))
    small_hole = cv2.resize(grown, size, interpolation=cv2.INTER_LINEAR_EXACT) > 0
    if small_hole.all():
        return picture
    made_up = in_tone(shift_map(small, small_hole), small_hole)
    made_up = cv2.resize(made_up, hole.shape[::-1], interpolation=cv2.INTER_CUBIC)
    result = picture.copy()
    result[around] = np.where(hole[..., None] > 0, made_up, region)
    return result


def in_tone(picture: np.ndarray, made_up: np.ndarray) -> np.ndarray:
    """A picture whose made-up part meets what is around it in brightness and colour.

    What is copied from elsewhere in a wall is lit otherwise, and its edge is seen. The difference
    along the edge, of the means on both sides of it, is spread over the part as a membrane (Perez
    et al., "Poisson Image Editing", 2003); no more than TONE, as the rest is another thing.

    Args:
        picture: (H, W, 3) uint8.
        made_up: (H, W) bool, neither all nor nothing.

    Returns:
        (H, W, 3) uint8.
    """
    size = 2 * NEAR + 1, 2 * NEAR + 1
    means = []
    for part in (made_up.astype(np.float32)[..., None], (~made_up).astype(np.float32)[..., None]):
        share = cv2.blur(part, size)[..., None]
        means.append(cv2.blur(picture * part, size) / np.maximum(share, 1e-6))
    edge = made_up & (cv2.erode(made_up.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    rest = made_up & ~edge
    change = np.zeros(picture.shape)
    change[edge] = (means[1] - means[0])[edge].clip(-TONE, TONE)
    rows, columns = (_bend(n) for n in edge.shape)
    laplacian = kronsum(columns, rows, format="csr")[rest.ravel()]
    at_edge = laplacian[:, edge.ravel()] @ change[edge]
    change[rest] = -splu(laplacian[:, rest.ravel()].tocsc()).solve(at_edge)
    return (picture + change).round().clip(0, 255).astype(np.uint8)


def _bend(n: int) -> diags_array:
    """Second difference of n values in a row, beyond whose ends nothing pulls: (n, n)."""
    middle = np.full(n, 2.0)
    middle[[0, -1]] -= 1
    return diags_array([-1.0, middle, -1.0], offsets=[-1, 0, 1], shape=(n, n))


def shift_map(picture: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """OpenCV's shift-map, in a process of its own.

    What it makes up depends on what lay in memory that it never set; here that is always the same
    (MALLOC_PERTURB_ of the GNU C library).

    Args:
        picture: (H, W, 3) uint8 RGB.
        unknown: (H, W) bool.

    Returns:
        (H, W, 3) uint8, the unknown filled.
    """
    given = io.BytesIO()
    np.save(given, np.dstack([picture, np.where(unknown, 0, 255).astype(np.uint8)]))
    command = [sys.executable, "-c", _SHIFT_MAP]
    environment = os.environ | {"MALLOC_PERTURB_": "255"}
    done = subprocess.run(
        command, input=given.getvalue(), env=environment, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"inpainting the room failed: {done.stderr.decode(errors='replace')}")
    filled: np.ndarray = np.load(io.BytesIO(done.stdout))
    return filled


_SHIFT_MAP = """
import io, sys
import cv2
import numpy as np
given = np.load(io.BytesIO(sys.stdin.buffer.read()))
lab, known = cv2.cvtColor(given[..., :3], cv2.COLOR_RGB2Lab), given[..., 3].copy()
filled = np.zeros_like(lab)
cv2.xphoto.inpaint(lab, known, filled, cv2.xphoto.INPAINT_SHIFTMAP)
np.save(sys.stdout.buffer, cv2.cvtColor(filled, cv2.COLOR_Lab2RGB))
"""
