"""The preflight of one pair: how much of the dance the target's video covers, and the sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import SubFigure

from edn_core.config import NormalizationConfig
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.logs import LOGGER
from edn_core.normalize import normalize_keypoints, read_statistics
from edn_core.preflight.changes import change_pictures, changes_of, share_changed
from edn_core.preflight.coverage import (
    MIN_SEEN_S,
    Coverage,
    body_poses,
    measure_coverage,
    worst_moments,
)
from edn_core.preflight.describe import commoner_words
from edn_core.preflight.finding import (
    SCHEMA,
    VERDICTS,
    Finding,
    Measure,
    make_findings,
    mean,
    percentile,
    reasons,
    worst_verdict,
)
from edn_core.preflight.poses import in_picture
from edn_core.preflight.sheet import COLORS, MARGINS, Picture, draw_raster, write_sheet
from edn_core.preflight.video import cut_outs
from edn_core.room import read_room_report
from edn_core.skeleton import PARTS
from edn_core.split import Split
from edn_core.store import read_json, write_json
from edn_core.window import frames_info, in_window, read_window

PART_FAR = 0.6  # torso lengths; red in the timeline
SHOWN_S = (0.01, 10.0)  # range of the axis
SOURCE, TARGET = "#d95f02", "#2166ac"

MEASURES = {
    "uncovered": Measure("poses not covered", "% of the dance", 15, 40,
        "film more of the target, dancing freely and turning both ways"),
    "pose_distance": Measure("distance of poses", "torso lengths", 0.3, 0.5,
        "film the target in the poses of the thumbnails", digits=2),
    "leaves_picture": Measure("leaves the picture", "% of the dance", 2, 15,
        "step back when filming the target, so that the whole dance fits into the picture"),
    "leaves_window": Measure("leaves the window", "% of the dance", 2, 15,
        "film the target with arms and legs stretched out as far as in the dance"),
    "parts_changed": Measure("parts changed", "% of the dance", 25, 60,
        "film the target with head and feet held as in the thumbnails; or set "
        "normalization.as_shown: 0", worst="fair"),
    "room_unseen": Measure("room never bare", "% of the room", 4, 12,
        "step aside once, or film the empty room for two seconds: what is never bare is made up",
        worst="fair", digits=1),
    "room_moves": Measure("room in motion", "% of the room", 5, 20,
        "film the target before a wall, without screens, curtains, mirrors and passers-by",
        worst="fair", digits=1),
}  # fmt: skip
"""What is measured of a pair, in the order of the sheet."""


@dataclass(frozen=True)
class PairFiles:
    """What the preflight of a pair reads."""

    keypoints: Path  # of the source, moved into the target's frame
    target_keypoints: Path
    source_keypoints: Path  # as it was filmed
    source_video: Path
    target_video: Path
    source_statistics: Path
    target_statistics: Path
    target_window: Path
    target_room: Path | None  # room.json; none where the film shows no such room
    source_report: Path  # the preflight of the source by itself
    target_report: Path


def preflight_pair(
    files: PairFiles,
    split: Split,
    normalization: NormalizationConfig,
    report_path: str | Path,
    sheet_path: str | Path,
) -> None:
    """Say whether a target's video covers a dance.

    Of the target only what is trained on counts; ``normalization`` is by which the source was
    moved. Writes JSON (``edn-preflight``) and the sheet, a PNG.

    Raises:
        Refused: nobody is to be seen.
    """
    paths = files.keypoints, files.source_keypoints, files.target_keypoints
    source, as_filmed, target = (read_keypoints(path) for path in paths)
    coverage = measure_coverage(source, target, split.train_frames)
    poses = body_poses(source)
    words = commoner_words(poses, coverage.uncovered, body_poses(target)[split.train_frames])
    window, placed = read_window(files.target_window), None
    statistics = read_statistics(files.target_statistics)
    if not window.scale:
        placed = in_window(source, frames_info(window, source, statistics))
    measured = read_statistics(files.source_statistics)
    danced = normalize_keypoints(as_filmed, measured, statistics, normalization, target)
    changes = changes_of(danced, source)
    changed = share_changed(changes)
    findings = pair_findings(coverage, source, placed, words, changed, files.target_room)
    verdicts = {
        "of_pair": worst_verdict(findings),
        "of_source": read_json(files.source_report, SCHEMA)["as_source"],
        "of_target": read_json(files.target_report, SCHEMA)["as_target"],
    }
    report = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "source": source.video,
        "target": target.video,
        "verdict": max(verdicts.values(), key=VERDICTS.index),
        **verdicts,
        "reasons": reasons(findings),
        "n_frames": len(source),
        "n_compared": int(coverage.compared.sum()),
        "n_known": len(split.train_frames),
        "missing_poses": [{"what": word, "share": round(share, 4)} for word, share in words],
        "findings": [one.content() for one in findings],
    }
    write_json(report_path, report)

    moments = worst_moments(coverage, poses, float(source.fps))
    known = [int(coverage.nearest[frame]) for frame in moments]
    filmed = cut_outs(files.source_video, as_filmed, moments)
    shown = cut_outs(files.target_video, target, [one for one in known if one >= 0])
    dance = [
        Picture(
            filmed[frame],
            f"{frame / float(source.fps):.1f} s, frame {frame}\n"
            f"shown for {coverage.seen_s[frame]:.2f} s",
            COLORS["poor" if coverage.uncovered[frame] else "good"],
        )
        for frame in moments
    ]
    nearest = [Picture(shown[one]) if one >= 0 else None for one in known]
    thumbnails: dict[str, Sequence[Picture | None]] = {
        "the dance where it is\nshown the least": dance,
        f"nearest pose of\n{target.video}": nearest,
    }
    if close_ups := change_pictures(danced, source, changes):
        thumbnails["parts as danced\nand as shown"] = close_ups
    write_sheet(
        sheet_path,
        f"{source.video} → {target.video}",
        f"{len(source)} frames of the dance against {len(split.train_frames)} frames that "
        f"{target.video} is trained on",
        [
            ("all in all", report["verdict"]),
            ("the match", verdicts["of_pair"]),
            ("source video", verdicts["of_source"]),
            ("target video", verdicts["of_target"]),
        ],
        findings,
        lambda figure: _draw_times(figure, source, target, coverage),
        thumbnails,
    )
    why = ["the match is good" if verdicts["of_pair"] == "good" else report["reasons"]]
    for role in ("source", "target"):
        if verdicts[f"of_{role}"] != "good":
            why.append(f"the {role} by itself is {verdicts[f'of_{role}']}")
    pair = f"{source.video}_to_{target.video}"
    LOGGER.info(f"preflight {pair}: {report['verdict']}: {'; '.join(why)}")


def pair_findings(
    coverage: Coverage,
    source: Keypoints,
    placed: Keypoints | None,
    words: list[tuple[str, float]],
    changed: tuple[float, str],
    room_report: Path | None,
) -> list[Finding]:
    """Judge a pair: one finding per entry of MEASURES, in that order.

    The dance is given as moved into the target's video and, unless that is the whole picture, into
    its window; with what commoner_words and share_changed found, and the target's room.json where
    the film shows its room.
    """
    compared, uncovered = coverage.compared, coverage.uncovered
    share = 100 * float(uncovered[compared].mean())
    uncovered_says = (
        f"{share:.0f} % of the dance shows poses that the target's video shows for less than "
        f"{MIN_SEEN_S:g} s"
    )
    p90, own_p90 = percentile(coverage.distance, 90), percentile(coverage.own_distance, 90)
    distance_says = f"nine of ten poses lie within {p90:.2f} torso lengths of a known one"
    if np.isfinite(coverage.own_distance).any():  # else it is too short to be compared
        own = 100 * (coverage.own_seen_s < MIN_SEEN_S).mean()
        uncovered_says += f" (of its own dance: {own:.0f} %)"
    if math.isfinite(own_p90):
        distance_says += f" (the target's own: {own_p90:.2f})"
    if math.isinf(p90):
        distance_says = "for many poses no known one has the same joints"
    measures = MEASURES
    if uncovered.any():
        apart = {part: mean(one[uncovered]) for part, one in coverage.part_distance.items()}
        farthest = max(apart, key=lambda part: np.nan_to_num(apart[part]))
        uncovered_says += f", mostly the {farthest}"
    if words:
        told = ", ".join(f"{word} ({100 * part:.0f} % of the dance)" for word, part in words)
        advice = f"film the target with: {told}; see the thumbnails"
        measures = MEASURES | {"uncovered": replace(MEASURES["uncovered"], advice=advice)}
    inside = np.logical_and.reduce(list(in_picture(source).values()))
    leaves = 100 * float((~inside[compared]).mean())
    leaves_says = f"head, feet or hands leave the target's picture in {leaves:.0f} %"
    reaches = 100 * float(_beyond(placed)[compared].mean()) if placed is not None else math.nan
    reaches_says = f"in {reaches:.0f} % of the dance something is cut off by the target's window"
    room = read_room_report(room_report) if room_report else {}
    unseen, moves = (100 * room.get(name, math.nan) for name in ("never_bare", "moving"))
    values = {
        "uncovered": (share, uncovered_says),
        "pose_distance": (p90, distance_says),
        "leaves_picture": (leaves, leaves_says),
        "leaves_window": (reaches, reaches_says),
        "parts_changed": changed,
        "room_unseen": (unseen, f"{unseen:.1f} % of the room is always behind the dancer"),
        "room_moves": (moves, f"something moves in {moves:.1f} % of the room"),
    }
    return make_findings(measures, values)


def _beyond(placed: Keypoints) -> np.ndarray:
    """(T,) bool: frames in which a keypoint lies outside of the window."""
    points = np.concatenate([placed.xy[part] for part in PARTS], axis=1)
    limit = np.array([placed.width, placed.height]) - 0.5
    return np.asarray(((points < -0.5) | (points > limit)).any(axis=(1, 2)))


def _draw_times(figure: SubFigure, source: Keypoints, target: Keypoints, found: Coverage) -> None:
    """For how long the target shows each moment's pose, beside its own; which part is off."""
    grid = MARGINS | {"hspace": 0.3}
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1], gridspec_kw=grid)
    shown, own = (np.clip(one, *SHOWN_S) for one in (found.seen_s, found.own_seen_s))
    poor, name = COLORS["poor"], target.video
    if np.isfinite(found.own_distance).any():
        own_says = f"{name}'s own poses in the rest of its video (5 to 95 %)"
        above.axhspan(*np.percentile(own, [5, 95]), color=TARGET, alpha=0.13, label=own_says)
        above.axhline(np.median(own), color=TARGET, lw=1, alpha=0.6)
    least = f"below {MIN_SEEN_S:g} s: not covered"
    above.axhline(MIN_SEEN_S, color=poor, lw=1.2, ls="--", label=least)
    seconds = np.arange(len(source)) / float(source.fps)
    above.plot(seconds, shown, color=SOURCE, lw=1.3, label="this moment's pose")
    above.fill_between(seconds, MIN_SEEN_S, shown, where=found.uncovered, color=poor, alpha=0.35)
    above.set(yscale="log", ylim=SHOWN_S)
    ticks = [0.01, 0.1, 1.0, 10.0]
    above.set_yticks(ticks, [f"{tick:g} s" for tick in ticks], fontsize=8)
    above.legend(fontsize=8, loc="lower right", ncols=3, framealpha=0.8)
    title = f"for how long {name}'s training frames show about this pose"
    above.set_title(title, fontsize=10, loc="left")
    title = f"which part is off: red is {PART_FAR:g} torso lengths and more"
    draw_raster(below, found.part_distance, len(source) / float(source.fps), title, PART_FAR)
