"""The sheet of a video: verdicts, findings, what was found when, telling moments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints
from edn_core.pictures import draw_keypoints
from edn_core.preflight.finding import Finding
from edn_core.preflight.poses import JOINTS, found_joints, part_found
from edn_core.preflight.sheet import (
    HEAD,
    ROW,
    THUMBNAILS,
    TIMES,
    draw_raster,
    page,
    save,
    show,
    when,
    write_findings,
    write_head,
)
from edn_core.skeleton import PARTS

_NO_BOX = np.full(4, -1)


def write_video_sheet(
    path: str | Path,
    report: Mapping[str, Any],
    findings: Sequence[Finding],
    frames: FrameReader,
    smoothed: Keypoints,
    raw: Keypoints,
    moments: Sequence[tuple[int, str]],
) -> None:
    """Draw the sheet of a video.

    Args:
        path: PNG to write.
        report: what stands in its ``preflight.json``.
        findings: the same findings.
        frames: the video's frames.
        smoothed: its keypoints, drawn over the thumbnails.
        raw: as detected, for the timeline.
        moments: frame numbers and captions of the thumbnails.
    """
    info = frames.info
    heights = [HEAD, 0.45 + ROW * len(findings), 3.6, 3.1]
    figure, (top, middle, times, below) = page(heights)
    write_head(
        top,
        info.video,
        f"{report['seconds']:.0f} s, {len(frames)} frames at {float(info.fps):g} a second; filmed "
        f"in {info.source_width}x{info.source_height}, canvas {info.width}x{info.height}",
        [("as target", report["as_target"]), ("as source", report["as_source"])],
    )
    write_findings(middle, findings)
    axes = times.subplots(gridspec_kw=TIMES)
    rows = {" ".join(reversed(part.split("_"))): part_found(raw, part) for part in PARTS}
    rows |= dict(zip((name.replace("_", " ") for name in JOINTS), found_joints(raw).T, strict=True))
    draw_raster(axes, np.array(list(rows.values()), float), list(rows), len(raw) / float(raw.fps))
    axes.set_title("found (green) and missing (red) over time", fontsize=10, loc="left")
    panels = below.subplots(1, THUMBNAILS)
    for panel, (frame, caption) in zip(panels, moments, strict=False):
        picture = draw_keypoints(frames[frame], smoothed, frame, _NO_BOX)
        x0, y0, x1, y1 = np.array(info.picture_box) * (picture.shape[0] // info.height)
        show(panel, picture[y0:y1, x0:x1], f"{when(frame, raw)}\n{caption}")
    for panel in panels[len(moments) :]:
        panel.set_axis_off()
    save(figure, path)
