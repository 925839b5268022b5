"""The preflight of one pair: how much of the dance the target's video covers, and the sheet."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.frames import FrameReader, FramesInfo
from edn_core.keypoints import Keypoints, read_keypoints
from edn_core.logs import LOGGER
from edn_core.preflight.coverage import MIN_SEEN_S, Coverage, body_poses, measure_coverage
from edn_core.preflight.describe import commoner_words, describe_pose
from edn_core.preflight.finding import (
    SCHEMA,
    SCHEMA_VERSION,
    VERDICTS,
    Finding,
    Measure,
    finding_content,
    make_finding,
    reasons,
    worst_verdict,
)
from edn_core.preflight.pair_sheet import write_pair_sheet
from edn_core.preflight.poses import in_picture
from edn_core.preflight.sheet import THUMBNAILS
from edn_core.split import Split
from edn_core.store import check_schema, read_json, write_json

PLACE_REACH = 0.5  # torso lengths; networks paint the same pose a little further off as well
GAPS_LISTED = 50
MERGE_S = 0.2  # gaps nearer than this are one
OTHER_POSE = 0.15  # torso lengths; nearer, two thumbnails show the same

MEASURES = {
    "uncovered": Measure(
        "poses not covered", "% of the dance", 15, 40,
        "film more of the target, dancing freely and turning both ways",
    ),
    "pose_distance": Measure(
        "distance of poses", "torso lengths", 0.3, 0.5,
        "film the target in the poses of the thumbnails",
        digits=2,
    ),
    "new_places": Measure(
        "new places", "% of the dance", 10, 40,
        "film the target all over the room, near and far",
        worst="fair",
    ),
    "leaves_picture": Measure(
        "leaves the picture", "% of the dance", 2, 15,
        "step back when filming the target, so that the whole dance fits into the picture",
    ),
}  # fmt: skip
"""What is measured of a pair, in the order of the sheet."""


@dataclass(frozen=True)
class PairFiles:
    """What the preflight of a pair reads.

    Attributes:
        keypoints: of the source, moved into the target's frame.
        target_keypoints: of the target.
        source_keypoints: of the source as it was filmed.
        source_frames: ``edn-frames`` of the source.
        target_frames: likewise of the target.
        source_report: preflight of the source.
        target_report: preflight of the target.
    """

    keypoints: Path
    target_keypoints: Path
    source_keypoints: Path
    source_frames: Path
    target_frames: Path
    source_report: Path
    target_report: Path


@dataclass(frozen=True)
class Gap:
    """A run of frames whose poses the target does not show."""

    first: int
    last: int
    worst: int
    """Frame that is farthest from everything known."""


def preflight_pair(
    files: PairFiles, split: Split, report_path: str | Path, sheet_path: str | Path
) -> dict[str, Any]:
    """Say whether a target's video covers a dance.

    Args:
        files: what to read.
        split: the target's frames, divided as in training: only what is trained on counts.
        report_path: JSON to write (``edn-preflight``).
        sheet_path: PNG to write.

    Returns:
        What was written to ``report_path``.

    Raises:
        ValueError: a file of another pair or version, or nobody to be seen.
    """
    paths = files.keypoints, files.source_keypoints, files.target_keypoints
    source, as_filmed, target = keypoints = [read_keypoints(path) for path in paths]
    frames = FrameReader(files.source_frames), FrameReader(files.target_frames)
    for path, one, store in zip(paths, keypoints, (frames[0], *frames), strict=True):
        if len(store) != len(one):
            raise ValueError(
                f"{path}: has {len(one)} frames, expected the {len(store)} of {store.path}; "
                f"delete it and run `snakemake {path}` to write it anew"
            )
    reports = _read_report(files.source_report), _read_report(files.target_report)
    coverage = measure_coverage(source, target, split.train_frames)
    poses = body_poses(source)
    theirs = body_poses(target)[split.train_frames]
    words = commoner_words(poses, coverage.uncovered, theirs)
    findings = pair_findings(coverage, source, frames[1].info, words)
    verdicts = {
        "pair": worst_verdict(findings),
        "source": reports[0]["as_source"],
        "target": reports[1]["as_target"],
    }
    gaps = find_gaps(coverage, float(source.fps))
    report = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "source": source.video,
        "target": target.video,
        "verdict": max(verdicts.values(), key=VERDICTS.index),
        "of_pair": verdicts["pair"],
        "of_source": verdicts["source"],
        "of_target": verdicts["target"],
        "reasons": reasons(findings),
        "n_frames": len(source),
        "n_compared": int(coverage.compared.sum()),
        "n_known": len(split.train_frames),
        "min_seen_s": MIN_SEEN_S,
        "seen_s": _distribution(coverage.seen_s),
        "own_seen_s": _distribution(coverage.own_seen_s),
        "distance": _distribution(coverage.distance),
        "own_distance": _distribution(coverage.own_distance),
        "missing_poses": [{"what": word, "share": round(share, 4)} for word, share in words],
        "n_gaps": len(gaps),
        "gaps": [_gap_content(gap, coverage, poses, source) for gap in gaps[:GAPS_LISTED]],
        "findings": [finding_content(one) for one in findings],
    }
    write_json(report_path, report)
    moments = worst_moments(coverage, poses, float(source.fps))
    people = as_filmed, source, target
    write_pair_sheet(sheet_path, report, findings, frames, people, coverage, moments)
    other = [
        f"the {role} by itself is {verdicts[role]}"
        for role in ("source", "target")
        if verdicts[role] != "good"
    ]
    why = "the match is good" if verdicts["pair"] == "good" else report["reasons"]
    LOGGER.info(
        f"preflight {source.video}_to_{target.video}: {report['verdict']}: "
        + "; ".join([why, *other])
    )
    return report


def pair_findings(
    coverage: Coverage, source: Keypoints, canvas: FramesInfo, words: list[tuple[str, float]]
) -> list[Finding]:
    """Judge a coverage: one finding per entry of MEASURES, in that order.

    Args:
        coverage: of the pair.
        source: keypoints of the dance, moved into the target's frame.
        canvas: of the target.
        words: what the uncovered poses do, from commoner_words.
    """
    compared, uncovered = coverage.compared, coverage.uncovered
    share = 100 * float(uncovered[compared].mean())
    says = (
        f"{share:.0f} % of the dance shows poses that the target's video shows for less than "
        f"{MIN_SEEN_S:g} s"
    )
    if np.isfinite(coverage.own_distance).any():  # else it is too short to be compared
        says += f" (of its own dance: {100 * (coverage.own_seen_s < MIN_SEEN_S).mean():.0f} %)"
    if uncovered.any():
        says += f", mostly the {farthest_part(coverage, uncovered)}"
    advice = ""
    if words:
        told = ", ".join(f"{word} ({100 * part:.0f} % of the dance)" for word, part in words)
        advice = f"film the target with: {told}; see the thumbnails"
    p90 = _percentile(coverage.distance[compared], 90)
    own_p90 = _percentile(coverage.own_distance, 90)
    beside = f" (the target's own: {own_p90:.2f})" if math.isfinite(own_p90) else ""
    place = coverage.place_distance[np.isfinite(coverage.place_distance)]
    places = 100 * float((place > PLACE_REACH).mean()) if len(place) else math.nan
    inside = np.logical_and.reduce(list(in_picture(source, canvas).values()))
    leaves = 100 * float((~inside[compared]).mean())
    values = {
        "uncovered": (share, says, advice),
        "pose_distance": (
            p90,
            f"nine of ten poses lie within {p90:.2f} torso lengths of a known one{beside}"
            if math.isfinite(p90)
            else "for many poses no known one has the same joints",
            "",
        ),
        "new_places": (
            places, f"{places:.0f} % of the dance is where, or as far away as, the target never is",
            "",
        ),
        "leaves_picture": (
            leaves, f"head, feet or hands leave the target's picture in {leaves:.0f} %", "",
        ),
    }  # fmt: skip
    return [make_finding(name, MEASURES, *values[name]) for name in MEASURES]


def farthest_part(coverage: Coverage, chosen: np.ndarray) -> str:
    """The part of the body that is farthest off in the frames of a (S,) bool or frame numbers."""
    means = {name: _mean(values[chosen]) for name, values in coverage.part_distance.items()}
    return max(means, key=lambda name: means[name])


def find_gaps(coverage: Coverage, fps: float) -> list[Gap]:
    """Runs of uncovered frames, runs nearer than MERGE_S as one; the gravest first.

    A run weighs how much too short its poses are seen, summed.
    """
    frames = np.flatnonzero(coverage.uncovered)
    if not len(frames):
        return []
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > max(1, MERGE_S * fps)) + 1)
    runs.sort(key=lambda run: -np.maximum(0, MIN_SEEN_S - coverage.seen_s[run]).sum())
    return [
        Gap(int(run[0]), int(run[-1]), int(run[np.argmin(coverage.seen_s[run])])) for run in runs
    ]


def worst_moments(coverage: Coverage, poses: np.ndarray, fps: float) -> list[int]:
    """Up to six frames whose poses are shown the least, each of another pose and time, in order."""
    chosen: list[int] = []
    order = np.lexsort((-np.nan_to_num(coverage.distance), coverage.seen_s))
    for frame in order[coverage.compared[order]].tolist():
        if len(chosen) == THUMBNAILS:
            break
        apart = [_mean(np.linalg.norm(poses[frame] - poses[other], axis=1)) for other in chosen]
        is_new = all(distance > OTHER_POSE for distance in apart)
        if is_new and all(abs(frame - other) >= fps / 2 for other in chosen):
            chosen.append(frame)
    return sorted(chosen)


def _gap_content(
    gap: Gap, coverage: Coverage, poses: np.ndarray, source: Keypoints
) -> dict[str, Any]:
    distance = float(coverage.distance[gap.worst])
    frames = np.arange(gap.first, gap.last + 1)
    return {
        "first_frame": gap.first,
        "last_frame": gap.last,
        "start_s": round(gap.first / float(source.fps), 3),
        "stop_s": round((gap.last + 1) / float(source.fps), 3),
        "worst_frame": gap.worst,
        "nearest_frame": int(coverage.nearest[gap.worst]),
        "distance": round(distance, 4) if math.isfinite(distance) else None,
        "seen_s": round(float(coverage.seen_s[gap.worst]), 4),
        "part": farthest_part(coverage, frames),
        "pose": describe_pose(poses[gap.worst]),
    }


def _read_report(path: str | Path) -> dict[str, Any]:
    report = read_json(path)
    found = report.get("schema"), report.get("schema_version")
    check_schema(path, found, (SCHEMA, SCHEMA_VERSION))
    return report


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0


def _distribution(values: np.ndarray) -> dict[str, float | None]:
    """10th, 50th and 90th percentile of what is not NaN; null where infinite."""
    found = {f"p{percent}": _percentile(values, percent) for percent in (10, 50, 90)}
    return {name: round(one, 4) if math.isfinite(one) else None for name, one in found.items()}


def _percentile(values: np.ndarray, percent: float) -> float:
    """Percentile of what is not NaN (the nearest value there is); NaN where all is."""
    known = np.sort(values[~np.isnan(values)])
    return float(known[round(percent / 100 * (len(known) - 1))]) if len(known) else math.nan
