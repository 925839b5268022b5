"""What the pictures of a video say of it: a camera and a light that hold still, sharp frames.

Looks at a bounded number of frames and the one after each, one pair at a time: memory does not
grow with the length of the video, and time by its decoding alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from skimage.measure import blur_effect

from edn_core.band import REACH, dancer_band, dancer_size
from edn_core.footage import Footage
from edn_core.keypoints import Keypoints
from edn_core.logs import progress
from edn_core.preflight.finding import TARGET, Finding, Measure, make_findings, mean, percentile

LOOKED_AT = 240  # frames; more change no verdict
GRID = (12, 12)  # cells of the room whose brightness is followed
MIN_FEATURES = 12  # fewer corners: a plain wall, on which no movement can be seen
MIN_MATCHED = 8
MIN_AGREEING = 0.5  # of the corners found again; fewer have met by chance
SAME_ROOM = 0.8  # correlation of grey levels; in a tiny picture corners are lost for less
NOISE_PX = 0.25  # what noise alone moves the corners of a small picture by
BLUR_SIZE = 5  # px of Crete's re-blurring filter: tells apart what networks see, 1 to 5 px
BLURRED = 0.75  # of the same metric, reached by a Gaussian of 1 to 1.5 px

MEASURES = {
    "camera_drift": Measure("camera moved", "% of width", 0.5, 2,
        "put the camera on a tripod; or set background: paint, for cameras that move",
        roles=TARGET, digits=2),
    "camera_shake": Measure("camera shakes", "% of width", 0.3, 1,
        "put the camera on a tripod and switch off its stabilizer; or set background: paint",
        roles=TARGET, digits=2),
    "light_drift": Measure("light changes", "grey levels", 8, 20,
        "film in lamplight rather than under clouds; lock exposure and white balance",
        roles=TARGET, digits=1),
    "light_flicker": Measure("light flickers", "grey levels", 1.5, 4,
        "set the shutter to the mains (1/50 or 1/60 s) or use other lamps; lock the exposure",
        roles=TARGET, digits=1),
    "blur": Measure("blur", "of 1", 0.68, 0.8,
        "focus on the dancer and lock the focus; clean the lens; use more light",
        roles=TARGET, digits=2),
    "blurred_frames": Measure("blurred frames", "% of frames", 10, 40,
        "use more light or a shorter exposure (1/250 s): moving limbs are smeared", roles=TARGET),
}  # fmt: skip
"""What is measured on pictures, in the order of the sheet."""


@dataclass(frozen=True)
class Look:
    """What was measured at N moments of a video: (N,) each."""

    frames: np.ndarray  # their numbers
    drift: np.ndarray  # movement of the room since the middle one, as of `movement`
    shake: np.ndarray  # the same to the next frame
    light: np.ndarray  # brightness of the room about its median, grey levels
    flicker: np.ndarray  # change of it to the next frame
    blur: np.ndarray  # inside the dancer's box, 0 to 1; NaN without a dancer


def look_at_frames(frames: Footage, keypoints: Keypoints) -> Look:
    """Measure camera, light and sharpness at up to LOOKED_AT moments.

    Camera: corners of the room outside the dancer are followed to the other frame (pyramidal
    Lucas-Kanade, forwards and back), a similarity is fitted by RANSAC, and the frame's corners are
    moved by it. Light: the median change of a 12 x 12 grid of cells, dancer left out. Sharpness:
    the perceptual blur of Crete et al. 2007 (skimage.measure.blur_effect) in the dancer's box. The
    keypoints are smoothed, in px of the frames.
    """
    last = len(frames) - 1
    chosen = np.unique(np.linspace(0, last - 1, min(last, LOOKED_AT)).round().astype(int))
    width_px = REACH * dancer_size(keypoints)
    reference = _Moment(frames, keypoints, int(chosen[len(chosen) // 2]), width_px)
    rows, cells, cells_after = [], [], []
    for frame in progress(chosen.tolist(), f"look at {keypoints.video}"):
        here = _Moment(frames, keypoints, frame, width_px)
        after = _Moment(frames, keypoints, frame + 1, width_px)
        rows.append((movement(reference, here), movement(here, after), here.blur()))
        both = here.bare & after.bare
        cells.append(_cells(here.grey, here.bare))
        cells_after.append(_cells(after.grey, both) - _cells(here.grey, both))
    brightness = np.array(cells)
    light = _nan_median(brightness - _nan_median(brightness, axis=0), axis=1)
    drift, shake, blur = np.array(rows).T
    return Look(chosen, drift, shake, light, _nan_median(np.array(cells_after), axis=1), blur)


def footage_findings(look: Look) -> list[Finding]:
    """Judge what was measured: one finding per entry of MEASURES, in that order."""
    drift, shake = 100 * percentile(look.drift, 95), 100 * percentile(look.shake, 90)
    lost = 100 * float(np.isinf(look.drift).mean())
    ends = percentile(look.light, 95) - percentile(look.light, 5)
    flicker = percentile(np.abs(look.flicker), 90)
    blur = percentile(look.blur, 50)
    blurred = 100 * mean(look.blur[np.isfinite(look.blur)] > BLURRED)
    values = {
        "camera_drift": (
            drift,
            f"the room is another one in {lost:.0f} % of the frames: the camera moved far, or a cut"
            if math.isinf(drift)
            else f"the room moves by up to {drift:.2f} % of the picture's width",
        ),
        "camera_shake": (shake, f"the room moves by {shake:.2f} % of the width between frames"),
        "light_drift": (ends, f"the room's brightness changes by {ends:.1f} of 255 grey levels"),
        "light_flicker": (flicker, f"brightness flickers by {flicker:.1f} grey levels a frame"),
        "blur": (blur, f"the dancer's picture has a blur of {blur:.2f} (0 sharp, 1 blurred)"),
        "blurred_frames": (blurred, f"the dancer is blurred in {blurred:.0f} % of the frames"),
    }
    return make_findings(MEASURES, values)


class _Moment:
    """One frame in grey, and where in it the room is bare."""

    def __init__(self, frames: Footage, keypoints: Keypoints, frame: int, width_px: float) -> None:
        self.grey = cv2.cvtColor(frames[frame], cv2.COLOR_RGB2GRAY)
        self.bare = ~dancer_band(keypoints.person(frame), keypoints.skeleton, frames.size, width_px)
        body = keypoints.xy["body"][frame]
        self.body = body[np.isfinite(body).all(axis=1)]

    def blur(self) -> float:
        """Blur of the dancer's box; NaN where the dancer is not found or too small."""
        if len(self.body) < 2:
            return math.nan
        high, wide = self.grey.shape
        x0, y0 = np.clip(np.floor(self.body.min(axis=0)), 0, [wide, high]).astype(int)
        x1, y1 = np.clip(np.ceil(self.body.max(axis=0)) + 1, 0, [wide, high]).astype(int)
        box = self.grey[y0:y1, x0:x1]
        if min(box.shape) < 2 * BLUR_SIZE or np.ptp(box) == 0:
            return math.nan
        return float(blur_effect(box, h_size=BLUR_SIZE))


def movement(first: _Moment, second: _Moment) -> float:
    """How far the room has moved from one moment to another: mean over the picture's corners.

    Returns:
        Part of the picture's width, NOISE_PX taken off; NaN where the room has too few corners to
        follow, infinite where they could not be found again in a picture of another room.
    """
    bare = first.bare & second.bare
    corners = cv2.goodFeaturesToTrack(
        first.grey, maxCorners=200, qualityLevel=0.01, minDistance=5, mask=bare.astype(np.uint8)
    )
    if corners is None or len(corners) < MIN_FEATURES:
        return math.nan
    there = _same_light(second.grey, first.grey, bare)
    moved, found = _follow(first.grey, there, corners)
    back, found_back = _follow(there, first.grey, moved)
    returned = np.abs(back - corners).max(axis=(1, 2)) < 0.5
    matched = found & found_back & returned
    is_same_room = np.corrcoef(first.grey[bare], there[bare])[0, 1] > SAME_ROOM
    lost = math.nan if is_same_room else math.inf
    if matched.sum() < MIN_MATCHED:
        return lost
    similarity, agree = cv2.estimateAffinePartial2D(
        corners[matched], moved[matched], ransacReprojThreshold=1.0
    )
    if similarity is None or agree.sum() < max(MIN_MATCHED, MIN_AGREEING * len(agree)):
        return lost
    high, wide = first.grey.shape
    ends = np.array([[0, 0, 1], [wide - 1, 0, 1], [0, high - 1, 1], [wide - 1, high - 1, 1]])
    apart = np.linalg.norm(ends @ similarity.T - ends[:, :2], axis=1)
    return max(0.0, float(apart.mean()) - NOISE_PX) / wide


def _follow(grey: np.ndarray, other: np.ndarray, points: np.ndarray) -> tuple[Any, np.ndarray]:
    """Where points (N, 1, 2) of one picture are in another, and which were found."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        grey, other, points, np.empty(0), winSize=(15, 15), maxLevel=3
    )
    return moved, found[:, 0] > 0


def _same_light(grey: np.ndarray, like: np.ndarray, bare: np.ndarray) -> np.ndarray:
    """The picture with mean and contrast of another: Lucas-Kanade takes light for movement."""
    here, there = grey[bare].astype(np.float64), like[bare].astype(np.float64)
    gain = there.std() / max(here.std(), 1.0)
    return cv2.convertScaleAbs(grey, alpha=gain, beta=there.mean() - gain * here.mean())


def _cells(grey: np.ndarray, bare: np.ndarray) -> np.ndarray:
    """Mean grey level of each cell, (cells,); NaN where less than half of it is bare."""
    size = GRID[::-1]
    known, total = (
        cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel()
        for one in (bare, np.where(bare, grey, 0))
    )
    return np.where(known > 0.5, total / np.maximum(known, 1e-6), np.nan)


def _nan_median(values: np.ndarray, axis: int) -> np.ndarray:
    """np.nanmedian that has no warning for what is NaN throughout."""
    return np.ma.median(np.ma.masked_invalid(values), axis=axis).filled(np.nan)
