"""The preflight of one video: every measure, the two verdicts, the sheet."""

from pathlib import Path
from typing import Any

import numpy as np

from edn_core.frames import FrameReader, FramesInfo
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.logs import LOGGER
from edn_core.preflight.finding import (
    ROLES,
    SCHEMA,
    SCHEMA_VERSION,
    finding_content,
    reasons,
    worst_verdict,
)
from edn_core.preflight.footage import Look, footage_findings, look_at_frames
from edn_core.preflight.poses import (
    found_joints,
    in_picture,
    joint_rates,
    part_found,
    pose_findings,
)
from edn_core.preflight.sheet import THUMBNAILS
from edn_core.preflight.video_sheet import write_video_sheet
from edn_core.skeleton import PARTS
from edn_core.store import write_json


def preflight_video(
    frames_path: str | Path,
    raw_path: str | Path,
    smoothed_path: str | Path,
    report_path: str | Path,
    sheet_path: str | Path,
) -> dict[str, Any]:
    """Say whether a video is fit to give a dance (source) or a look (target).

    Args:
        frames_path: the video's ``edn-frames``.
        raw_path: its ``edn-keypoints`` as detected.
        smoothed_path: the same, smoothed.
        report_path: JSON to write (``edn-preflight``).
        sheet_path: PNG to write.

    Returns:
        What was written to ``report_path``.

    Raises:
        ValueError: frames and keypoints are not of one video.
    """
    frames = FrameReader(frames_path)
    raw, smoothed = read_keypoints(raw_path), read_keypoints(smoothed_path)
    info = frames.info
    for path, one in ((raw_path, raw), (smoothed_path, smoothed)):
        if (len(one), one.height, one.width) != (len(frames), *info.size):
            raise ValueError(
                f"{path}: has {len(one)} frames of {one.width}x{one.height}, expected the "
                f"{len(frames)} of {info.width}x{info.height} in {frames_path}; "
                f"delete it and run `snakemake {path}` to write it anew"
            )
    look = look_at_frames(frames, smoothed)
    findings = pose_findings(raw, smoothed, info) + footage_findings(look)
    verdicts = {role: worst_verdict(findings, role) for role in ROLES}
    report = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "video": info.video,
        "verdict": worst_verdict(findings),
        "as_source": verdicts["source"],
        "as_target": verdicts["target"],
        "reasons": reasons(findings),
        "n_frames": len(frames),
        "n_looked_at": len(look.frames),
        "seconds": round(len(frames) / float(info.fps), 3),
        "found": {
            **{part: round(float(part_found(raw, part).mean()), 4) for part in PARTS},
            **{name: round(rate, 4) for name, rate in joint_rates(raw).items()},
        },
        "findings": [finding_content(one) for one in findings],
    }
    write_json(report_path, report)
    moments = telling_moments(raw, info, look)
    write_video_sheet(sheet_path, report, findings, frames, smoothed, raw, moments)
    LOGGER.info(
        f"preflight {info.video}: as target {verdicts['target']}, as source {verdicts['source']}: "
        f"{reasons(findings)}"
    )
    return report


def telling_moments(raw: Keypoints, info: FramesInfo, look: Look) -> list[tuple[int, str]]:
    """Frames worth a look, with what is wrong in them; even moments where nothing is."""
    joints = found_joints(raw).sum(axis=1)
    moments: list[tuple[int, str]] = []

    def add(frame: int, caption: str) -> None:
        near = min(float(raw.fps) / 2, len(raw) / (2 * THUMBNAILS))
        if all(abs(frame - other) > near for other, _ in moments):
            moments.append((frame, caption))

    whole = found_joints(raw).shape[1]
    if joints.min() < whole:
        add(int(joints.argmin()), f"{joints.min()} of {whole} joints found")
    for name, inside in in_picture(raw, info).items():
        outside = np.flatnonzero(~inside & (joints > whole // 2))
        if len(outside):
            add(int(outside[len(outside) // 2]), f"{name.split('_')[0]} cut off")
    if (raw.n_people > 1).any():
        add(int(raw.n_people.argmax()), f"{raw.n_people.max()} people")
    if np.isfinite(look.blur).any():
        add(int(look.frames[np.nanargmax(look.blur)]), f"most blurred ({np.nanmax(look.blur):.2f})")
    for frame in np.linspace(0, len(raw) - 1, THUMBNAILS + 2)[1:-1].astype(int).tolist():
        if len(moments) < THUMBNAILS:
            add(frame, "")
    return sorted(moments[:THUMBNAILS])
