"""The preflight of one video: every measure, the two verdicts, the sheet."""

import logging
from logging.handlers import BufferingHandler
from pathlib import Path

import numpy as np
from matplotlib.figure import SubFigure

from edn_core.footage import Footage, halvings_to, shrunk
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.logs import LOGGER
from edn_core.pictures import draw_keypoints
from edn_core.preflight.finding import ROLES, SCHEMA, reasons, worst_verdict
from edn_core.preflight.footage import Look, footage_findings, look_at_frames
from edn_core.preflight.poses import JOINTS, found_joints, in_picture, part_found, pose_findings
from edn_core.preflight.sheet import MARGINS, THUMBNAILS, Picture, draw_raster, write_sheet
from edn_core.skeleton import PARTS
from edn_core.store import write_json
from edn_core.video import probe

NO_BOX = np.full(4, -1)
LOOKED_AT_PX = 480
"""Height of the frames that are measured and shown, at most: networks see no more."""


def preflight_video(
    video_path: str | Path,
    raw_path: str | Path,
    smoothed_path: str | Path,
    report_path: str | Path,
    sheet_path: str | Path,
) -> None:
    """Say whether a video is fit to give a dance (source) or a look (target).

    Reads the video and its keypoints, as detected and smoothed; writes JSON (``edn-preflight``)
    and the sheet, a PNG.
    """
    raw, smoothed = read_keypoints(raw_path), read_keypoints(smoothed_path)
    frames, small = _looked_at(video_path, smoothed)
    info, heard = probe(video_path), BufferingHandler(1000)
    heard.setLevel(logging.WARNING)
    LOGGER.addHandler(heard)
    look = look_at_frames(frames, small)
    LOGGER.removeHandler(heard)
    left_out = [*info.notes, *info.sound_notes, *(one.getMessage() for one in heard.buffer)]
    findings = pose_findings(raw, smoothed) + footage_findings(look)
    verdicts = {f"as_{role}": worst_verdict(findings, role) for role in ROLES}
    seconds = len(frames) / float(raw.fps)
    report = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "video": raw.video,
        "verdict": worst_verdict(findings),
        **verdicts,
        "reasons": reasons(findings),
        "n_frames": len(frames),
        "n_looked_at": len(look.frames),
        "seconds": round(seconds, 3),
        "left_out": left_out,
        "findings": [one.content() for one in findings],
    }
    write_json(report_path, report)

    def draw_times(figure: SubFigure) -> None:
        rows = {" ".join(reversed(part.split("_"))): part_found(raw, part) for part in PARTS}
        joints = (name.replace("_", " ") for name in JOINTS)
        rows |= dict(zip(joints, found_joints(raw).T, strict=True))
        axes = figure.subplots(gridspec_kw=MARGINS)
        draw_raster(axes, rows, seconds, "found (green) and missing (red) over time")

    pictures = [
        Picture(
            draw_keypoints(frames[frame], small, frame, NO_BOX),
            f"{frame / float(raw.fps):.1f} s, frame {frame}\n{caption}",
        )
        for frame, caption in telling_moments(raw, look)
    ]
    about = (
        f"{seconds:.0f} s, {len(frames)} frames at {float(raw.fps):g} a second, "
        f"{raw.width}x{raw.height}; "
        + next(one.says for one in findings if one.name == "filmed_height")
    )
    shown = [(name.replace("_", " "), verdicts[name]) for name in ("as_target", "as_source")]
    write_sheet(sheet_path, raw.video, about, shown, findings, draw_times, {"": pictures})
    LOGGER.info(
        f"preflight {raw.video}: as target {verdicts['as_target']}, as source "
        f"{verdicts['as_source']}: {report['reasons']}"
    )


def telling_moments(raw: Keypoints, look: Look) -> list[tuple[int, str]]:
    """Frames worth a look, with what is wrong in them; even moments where nothing is."""
    joints = found_joints(raw).sum(axis=1)
    candidates: list[tuple[int, str]] = []
    if joints.min() < len(JOINTS):
        candidates.append((int(joints.argmin()), f"{joints.min()} of {len(JOINTS)} joints found"))
    for name, inside in in_picture(raw).items():
        outside = np.flatnonzero(~inside & (joints > len(JOINTS) // 2))
        if len(outside):
            candidates.append((int(outside[len(outside) // 2]), f"{name.split('_')[0]} cut off"))
    if (raw.n_people > 1).any():
        candidates.append((int(raw.n_people.argmax()), f"{raw.n_people.max()} people"))
    if np.isfinite(look.blur).any():
        most = int(look.frames[np.nanargmax(look.blur)])
        candidates.append((most, f"most blurred ({np.nanmax(look.blur):.2f})"))
    evenly = np.linspace(0, len(raw) - 1, THUMBNAILS + 2)[1:-1].astype(int).tolist()
    candidates += [(frame, "") for frame in evenly]
    near = min(float(raw.fps) / 2, len(raw) / (2 * THUMBNAILS))
    moments: list[tuple[int, str]] = []
    for frame, caption in candidates:
        if all(abs(frame - other) > near for other, _ in moments):
            moments.append((frame, caption))
    return sorted(moments[:THUMBNAILS])


def cut_outs(video_path: Path, filmed: Keypoints, numbers: list[int]) -> dict[int, np.ndarray]:
    """The dancer of some frames, with room around: number -> picture."""
    frames, keypoints = _looked_at(video_path, filmed)
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


def _looked_at(video_path: str | Path, filmed: Keypoints) -> tuple[Footage, Keypoints]:
    """The frames of a video at most LOOKED_AT_PX high, and the keypoints in them."""
    halvings = halvings_to(filmed.height, LOOKED_AT_PX)
    return Footage(video_path, filmed.clip, halvings), shrunk(filmed, halvings)
