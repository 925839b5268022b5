"""The sheet of a pair: verdicts, findings, how well each moment is covered, and by what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints
from edn_core.preflight.coverage import MIN_SEEN_S, Coverage, body_poses
from edn_core.preflight.finding import Finding
from edn_core.preflight.poses import JOINTS
from edn_core.preflight.sheet import (
    COLORS,
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
from edn_core.skeleton import COCO_18

SOURCE, TARGET = "#d95f02", "#2166ac"
SHOWN_S = (0.01, 10.0)  # range of the axis
PART_FAR = 0.6  # torso lengths; red in the timeline
LIMBS = (
    *(limb for limb in COCO_18.limbs if set(limb) <= set(JOINTS)),
    *((f"left_{joint}", f"right_{joint}") for joint in ("shoulder", "hip")),
    *((f"{side}_shoulder", f"{side}_hip") for side in ("left", "right")),
)


def write_pair_sheet(
    path: str | Path,
    report: Mapping[str, Any],
    findings: Sequence[Finding],
    frames: tuple[FrameReader, FrameReader],
    keypoints: tuple[Keypoints, Keypoints, Keypoints],
    coverage: Coverage,
    moments: Sequence[int],
) -> None:
    """Draw the sheet of a pair.

    Args:
        path: PNG to write.
        report: what stands in its ``preflight.json``.
        findings: the same findings.
        frames: of the source and of the target.
        keypoints: of the source as filmed, of the source moved into the target's frame, and of the
            target.
        coverage: of the pair.
        moments: frames of the source to show, each beside its nearest pose.
    """
    as_filmed, source, target = keypoints
    heights = [HEAD, 0.45 + 1.5 * ROW * len(findings), 4.2, 7.2]
    figure, (top, middle, times, below) = page(heights)
    write_head(
        top,
        f"{source.video} → {target.video}",
        f"{report['n_frames']} frames of the dance against {report['n_known']} frames that "
        f"{target.video} is trained on",
        [
            ("all in all", report["verdict"]),
            ("the match", report["of_pair"]),
            ("source video", report["of_source"]),
            ("target video", report["of_target"]),
        ],
    )
    write_findings(middle, findings, lines=2)
    seconds = len(source) / float(source.fps)
    seen, parts = times.subplots(
        2,
        1,
        sharex=True,
        height_ratios=[2, 1],
        gridspec_kw=TIMES | {"hspace": 0.16},
    )
    _draw_seen(seen, source, target, coverage)
    values = np.array(list(coverage.part_distance.values()))
    draw_raster(parts, values, list(coverage.part_distance), seconds, PART_FAR)
    parts.set_title(
        f"which part is off: red is {PART_FAR:g} torso lengths and more",
        fontsize=8,
        loc="left",
        pad=2,
    )
    panels = below.subplots(
        3,
        THUMBNAILS,
        squeeze=False,
        gridspec_kw=TIMES | {"bottom": 0.02, "top": 0.9, "hspace": 0.04, "wspace": 0.06},
    )
    for row, text in enumerate(("the dance", f"nearest pose of\n{target.video}", "both poses")):
        panels[row, 0].text(
            -0.12,
            0.5,
            text,
            ha="right",
            va="center",
            fontsize=10,
            transform=panels[row, 0].transAxes,
        )
    poses, theirs = body_poses(source), body_poses(target)
    for column, frame in zip(panels.T, moments, strict=False):
        nearest = int(coverage.nearest[frame])
        far = coverage.uncovered[frame]
        caption = f"{when(frame, source)}\nshown for {coverage.seen_s[frame]:.2f} s"
        show(
            column[0],
            _cut_out(frames[0], as_filmed, frame),
            caption,
            COLORS["poor"] if far else COLORS["good"],
        )
        if nearest >= 0:
            show(column[1], _cut_out(frames[1], target, nearest), "")
            _draw_pose(column[2], theirs[nearest], TARGET)
        else:
            column[1].set_axis_off()
        _draw_pose(column[2], poses[frame], SOURCE)
    for panel in panels[:, len(moments) :].ravel():
        panel.set_axis_off()
    below.suptitle(
        f"the moments {target.video} shows the least: the dance (orange) and the nearest pose "
        "(blue), hips on hips",
        fontsize=10,
        x=0.12,
        ha="left",
    )
    save(figure, path)


def _draw_seen(axes: Axes, source: Keypoints, target: Keypoints, coverage: Coverage) -> None:
    """For how long the target shows each moment's pose, beside its own and the least wanted."""
    seconds = np.arange(len(source)) / float(source.fps)
    low, high = SHOWN_S
    shown, own = (np.clip(one, low, high) for one in (coverage.seen_s, coverage.own_seen_s))
    if np.isfinite(coverage.own_distance).any():
        axes.axhspan(
            *np.percentile(own, [5, 95]),
            color=TARGET,
            alpha=0.13,
            label=f"{target.video}'s own poses in the rest of its video (5 to 95 %)",
        )
        axes.axhline(np.median(own), color=TARGET, lw=1, alpha=0.6)
    axes.axhline(
        MIN_SEEN_S,
        color=COLORS["poor"],
        lw=1.2,
        ls="--",
        label=f"below {MIN_SEEN_S:g} s: not covered",
    )
    axes.plot(seconds, shown, color=SOURCE, lw=1.3, label="this moment's pose")
    axes.fill_between(
        seconds, MIN_SEEN_S, shown, where=coverage.uncovered, color=COLORS["poor"], alpha=0.35
    )
    axes.set(yscale="log", ylim=SHOWN_S)
    ticks = [0.01, 0.1, 1.0, 10.0]
    axes.set_yticks(ticks, [f"{tick:g} s" for tick in ticks], fontsize=8)
    axes.legend(fontsize=8, loc="lower right", ncols=3, framealpha=0.8)
    axes.set_title(
        f"for how long {target.video}'s training frames show about this pose",
        fontsize=10,
        loc="left",
    )


def _draw_pose(axes: Axes, pose: np.ndarray, color: str) -> None:
    """A stick figure of (13, 2) joints about the hips."""
    for first, second in LIMBS:
        ends = pose[[JOINTS.index(first), JOINTS.index(second)]]
        axes.plot(*ends.T, color=color, lw=2.2, solid_capstyle="round")
    axes.plot(*pose[JOINTS.index("nose")], "o", color=color, ms=7)
    axes.set(xlim=(-1.9, 1.9), ylim=(2.3, -2.3), aspect="equal")
    axes.set_axis_off()


def _cut_out(frames: FrameReader, keypoints: Keypoints, frame: int) -> np.ndarray:
    """The dancer of a frame, with room around; at most the picture without its padding."""
    body = keypoints.xy["body"][frame]
    found = body[np.isfinite(body).all(axis=1)]
    box = np.array(frames.info.picture_box)
    if len(found) > 1:
        middle = (found.min(axis=0) + found.max(axis=0)) / 2
        reach = 0.65 * np.ptp(found, axis=0).max() * np.array([0.8, 1.0])
        around = np.round(np.concatenate([middle - reach, middle + reach])).astype(int)
        inside = np.concatenate([np.maximum(around[:2], box[:2]), np.minimum(around[2:], box[2:])])
        box = inside if (inside[2:] - inside[:2] > 1).all() else box
    x0, y0, x1, y1 = box
    return frames[frame][y0:y1, x0:x1]
