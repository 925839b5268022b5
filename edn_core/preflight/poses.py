"""What the keypoints of a video say of it: found, steady, whole, large enough, alone."""

import math
from typing import Any

import numpy as np

from edn_core.keypoints import Keypoints
from edn_core.normalize import first_seen, measure_frames
from edn_core.preflight.finding import TARGET, Finding, Measure, make_findings, mean, median
from edn_core.window import extents

_SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
JOINTS = ("nose", *(f"{side}_{joint}" for joint in _SIDED for side in ("right", "left")))
"""The joints every backend finds and every limb hangs on."""
MIN_JOINTS = 5  # fewer are no dancer
JUMP = 0.25  # torso lengths between raw and smoothed: a false detection, not a tremble
HEAD_ABOVE_NOSE = 0.8  # of the distance from neck to nose: where the hair ends
FOOT_BELOW_ANKLE = 0.2  # of the shank: where the sole is
LEG = 1.4  # of the torso's length, from hips to soles
BORDER = 0.005  # of the picture's height or width; nearer to the border counts as cut
NEAR_BORDER = 0.03  # a dancer so near to it may have the joints that are missing beyond it

MEASURES = {
    "length": Measure("length", "s", 120, 10,
        "film a few minutes: what the dancer never did, the network cannot paint", roles=TARGET),
    "dancer_found": Measure("dancer found", "% of frames", 98, 90,
        "cut away what is before and after the dance (start_s, stop_s); film one person, wholly "
        "in the picture, in clothes that differ from the wall; look at preview.mp4"),
    "joints_found": Measure("rarest joint", "% of frames", 95, 80,
        "film from the front with more light and close-fitting clothes; look at preview.mp4"),
    "face_found": Measure("face found", "% of frames", 60, 30,
        "come closer or face the camera more; without faces the face stage learns little",
        worst="fair"),
    "hands_found": Measure("hands found", "% of frames", 50, 25,
        "come closer, use more light and a shorter exposure; hands will stay blurred",
        worst="fair"),
    "flicker": Measure("joints flickering", "changes/s", 2, 8,
        "more light, less motion blur, nothing in front of the dancer; or a larger "
        "smoothing.max_gap_frames", digits=1),
    "jitter": Measure("joints trembling", "% of torso", 1.5, 4,
        "more light or a larger picture; or a larger smoothing.window_s", digits=1),
    "jumps": Measure("joints jumping", "% of joints", 0.5, 2,
        "left and right change places or limbs are lost: film with more light and contrast, "
        "fewer turns; look at preview.mp4", digits=1),
    "head_in_picture": Measure("head in the picture", "% of frames", 99, 90,
        "step back or tilt the camera: the head must be in the picture with room above it"),
    "feet_in_picture": Measure("feet in the picture", "% of frames", 98, 85,
        "step back or tilt the camera: the feet must be in the picture all the time"),
    "arms_in_picture": Measure("hands in the picture", "% of frames", 95, 80,
        "step back: outstretched arms must stay in the picture"),
    "several_people": Measure("more than one person", "% of frames", 2, 20,
        "film alone; else see in preview.mp4 that the right one is followed (pose.dancer)",
        worst="fair"),
    "dancer_height": Measure("height of the dancer", "% of picture", 45, 25,
        "come closer, or film upright: the dancer should fill half of the picture's height"),
    "filmed_height": Measure("filmed height", "px", 400, 200,
        "come closer or film in a higher resolution: what was filmed small is painted small",
        roles=TARGET, worst="fair"),
    "face_size": Measure("size of the face", "px", 40, 20,
        "come closer or film in a higher resolution: so few pixels show no features",
        roles=TARGET, worst="fair"),
}  # fmt: skip
"""What is measured on keypoints, in the order of the sheet."""


def pose_findings(raw: Keypoints, smoothed: Keypoints) -> list[Finding]:
    """Judge keypoints, as detected and smoothed: one for each of MEASURES and of their doubts."""
    fps = float(raw.fps)
    found = found_joints(raw)
    dancer = found.sum(axis=1) >= MIN_JOINTS
    values: dict[str, tuple[float, str]] = {}

    def share_of(frames: np.ndarray) -> float:
        return 100 * mean(frames[dancer])

    seconds = dancer.sum() / fps
    values["length"] = seconds, f"{seconds:.0f} s of the video show the dancer"
    share = 100 * dancer.mean()
    values["dancer_found"] = share, f"the dancer is found in {share:.0f} % of the frames"
    rates = 100 * found.mean(axis=0)
    few = [
        f"{JOINTS[i].replace('_', ' ')} ({rates[i]:.0f} %)"
        for i in np.argsort(rates, kind="stable")[:3]
        if rates[i] < MEASURES["joints_found"].good
    ]
    says = f"every joint is found in at least {rates.min():.0f} % of the frames"
    values["joints_found"] = rates.min(), f"rarely found: {', '.join(few)}" if few else says
    face = share_of(part_found(raw, "face"))
    values["face_found"] = face, f"the face is found in {face:.0f} % of the frames with a dancer"
    left, right = (share_of(part_found(raw, f"hand_{side}")) for side in ("left", "right"))
    says = f"left and right hand are found in {left:.0f} % and {right:.0f} % of the frames"
    values["hands_found"] = min(left, right), f"{says} with a dancer"

    changes = (found[1:] != found[:-1]).sum() * fps / max(1, len(raw) - 1)
    values["flicker"] = changes, f"joints appear or vanish {changes:.1f} times a second"
    apart = np.hypot(*np.moveaxis(joint_points(raw) - joint_points(smoothed), 2, 0))
    apart /= torso_length(smoothed)
    jitter = 100 * median(apart)
    values["jitter"] = jitter, f"joints tremble by {jitter:.1f} % of the torso's length"
    jumps = 100 * mean(apart[np.isfinite(apart)] > JUMP)
    values["jumps"] = jumps, f"{jumps:.1f} % of the joints lie far from where they are moving"

    what = {"head": "the head is", "feet": "the feet are", "arms": "the hands are"}
    for name, inside in in_picture(raw).items():
        share = share_of(inside)
        cut_off = f"cut off or out of the picture in {100 - share:.0f} %"
        values[name] = share, f"{what[name[:4]]} {cut_off}"

    several = 100 * float((raw.n_people > 1).mean())
    values["several_people"] = several, f"more than one person in {several:.0f} % of the frames"
    height = median(measure_frames(smoothed)[1])
    part = 100 * height / raw.height
    says = f"from ankles to head the dancer takes {part:.0f} % of the picture's height"
    values["dancer_height"] = part, says
    more = f"canvas.pixels above {filmed_pixels(smoothed, height):,} show no more"
    values["filmed_height"] = height, f"the dancer is filmed {height:.0f} px tall: {more}"
    seen = raw.xy["face"][part_found(raw, "face"), :, 0]
    width = median(np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1))
    values["face_size"] = width, f"the face is {width:.0f} px wide"
    findings = make_findings(MEASURES, values)
    for one in raw.doubts:
        of_files = Measure(one.what, "% of frames", 0, 50, f"keypoint files: {one.says}")
        findings.append(Finding(one.what.replace(" ", "_"), of_files, 100 * one.share, one.says))
    return findings


def filmed_pixels(keypoints: Keypoints, height: float) -> int:
    """Pixels of a window about the dancer as large as he was filmed; 0 where he was not."""
    if not np.isfinite(height):
        return 0
    heights = np.full(len(keypoints), height)
    left, right, up, down = extents(keypoints, heights, np.flatnonzero(keypoints.is_seen).tolist())
    return 1000 * math.ceil((left + right) * (up + down) * height**2 / 1000)


def joint_points(keypoints: Keypoints) -> np.ndarray:
    """Where JOINTS are: (T, 13, 2) px, NaN where not found."""
    return np.stack([keypoints.point(name) for name in JOINTS], axis=1)


def found_joints(keypoints: Keypoints) -> np.ndarray:
    """Which of JOINTS are found: (T, 13) bool."""
    return np.stack([keypoints.point_score(name) > 0 for name in JOINTS], axis=1)


def part_found(keypoints: Keypoints, part: str) -> np.ndarray:
    """Frames in which anything of a part is found: (T,) bool."""
    return np.asarray((keypoints.score[part] > 0).any(axis=1))


def torso_length(keypoints: Keypoints) -> float:
    """Median distance from the middle of the shoulders to that of the hips, px; NaN if not seen."""
    return median(measure_frames(keypoints, by_torso=True)[1])


def in_picture(keypoints: Keypoints) -> dict[str, np.ndarray]:
    """Frames in which head, feet and hands lie wholly in the picture.

    Where a foot was not found, the place where it would be if the dancer stood upright has to lie
    in the picture. A head or hand that was not found counts as outside only where what was found
    of the dancer comes near the border. Hidden is not cut off.

    Returns:
        ``head_in_picture``, ``feet_in_picture``, ``arms_in_picture``: (T,) bool each.
    """
    low, high = np.zeros(2), np.array([keypoints.width, keypoints.height]) - 1

    def within(points: np.ndarray, border: float) -> np.ndarray:
        margin = border * (high - low)
        return ~np.any((points < low + margin) | (points > high - margin), axis=-1)

    is_central = within(joint_points(keypoints), NEAR_BORDER).all(axis=1)  # NaN is no reproach

    def whole(points: np.ndarray, or_else: Any = is_central) -> np.ndarray:
        missing = np.isnan(points).any(axis=1)
        return np.where(missing, or_else, within(points, BORDER))

    hips, _ = measure_frames(keypoints, by_torso=True)
    stands = within(hips + [0, LEG * torso_length(keypoints)], BORDER) & is_central

    middle = (keypoints.point("left_shoulder") + keypoints.point("right_shoulder")) / 2
    nose, neck = keypoints.point("nose"), first_seen(keypoints.point("neck"), middle)
    soles, wrists = [], []
    for side in ("left", "right"):
        knee, ankle = keypoints.point(f"{side}_knee"), keypoints.point(f"{side}_ankle")
        sole = ankle + FOOT_BELOW_ANKLE * (ankle - knee)
        soles.append(whole(first_seen(sole, ankle), stands))
        wrists.append(whole(keypoints.point(f"{side}_wrist")))
    return {
        "head_in_picture": whole(nose + HEAD_ABOVE_NOSE * (nose - neck)),
        "feet_in_picture": np.logical_and(*soles),
        "arms_in_picture": np.logical_and(*wrists),
    }
