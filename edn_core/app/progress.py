"""How far a run is, by the logs of its jobs, and how good its film is, in words."""

import re
from pathlib import Path
from typing import Any

from edn_core.app.runs import LOG, Run
from edn_core.config import STAGES
from edn_core.status import RUNS, read_jobs
from edn_core.store import read_json

PLAIN = {
    "fetch_pose_models": "fetch the pose networks",
    "estimate_pose": "find the skeleton",
    "find_matte": "find the outline",
    "build_room": "empty the room",
    "body": "train the body",
    "temporal": "train the body in motion",
    "enhance": "train the details",
    "face": "train the face",
    "synthesize_frames": "paint the film",
    "assemble_video": "put the film together",
}
"""What jobs do; the others' names say it."""
IN_WORDS = {
    "ssim_person": ("the dancer is as like the real frame as {:.3f} of 1", 1),
    "ssim_face": ("the face as {:.3f} of 1", 1),
    "pose_all_percent": ("hands, face and limbs are off by {:.1f} % of the torso", -1),
    "temporal_difference": ("from frame to frame the error is {:.4f}", -1),
}
"""Columns of the evaluation, and whether more is better."""


def read_progress(run: Run) -> tuple[int, int, list[tuple[str, int | None, str]]]:
    """Jobs done and planned (0: not known yet), and those that work, by their logs.

    Of each: what it does, how much of it is done in % (None: not known), and the time left, or else
    its last line.
    """
    text = LOG.read_text(errors="replace") if LOG.is_file() else ""
    counted = re.findall(r"^(\d+) of (\d+) steps", text, re.MULTILINE)
    planned = re.search(r"^total\s+(\d+)", text, re.MULTILINE)
    done, total = counted[-1] if counted else (0, planned[1] if planned else 0)
    steps: list[tuple[str, int | None, str]] = []
    for job in read_jobs(since=run.started):
        if job.state == RUNS:
            *where, name = re.sub(r"\.\w+$", "", job.name).split("/")
            title = PLAIN.get(name, name.replace("_", " "))
            title += f" ({where[-1].replace('_to_', ' to ')})" if where else ""
            bar = re.search(r"(\d+)%\|.*\[[\d:]+<([\d:]+)", job.said)
            steps.append((title, int(bar[1]), f"{bar[2]} left") if bar else (title, None, job.said))
    return int(done), int(total), steps


def newest_sample(run: Run) -> Path | None:
    """The newest picture that training has left in this run: skeleton, painted, real."""
    found = Path("results/models", run.target).glob("*/samples/*.jpg")
    times = {one.stat().st_mtime: one for one in found}
    return times[max(times)] if max(times, default=0) >= run.started else None


def checks_of(source: str, target: str) -> list[tuple[str, str, list[dict[str, Any]], Path]]:
    """What was checked, its verdict, what is not good there, and the sheet of pictures."""
    found = []
    for what, part, place in (
        ("The dance", "as_source", f"videos/{source}"),
        ("The looks", "as_target", f"videos/{target}"),
        ("Both together", "of_pair", f"transfer/{source}_to_{target}"),
    ):
        path = Path("results") / place / "preflight.json"
        if path.is_file():
            content, role = read_json(path), part.removeprefix("as_")
            findings = [one for one in content["findings"] if one["verdict"] != "good"]
            mine = [one for one in findings if role == "of_pair" or role in one["roles"]]
            found.append((what, content[part], mine, path.with_suffix(".png")))
    return found


def quality_of(target: str) -> list[str]:
    """How good a target's generator is on frames held out, in sentences; none if not measured."""
    path = Path("results/evaluation") / target / "table.json"
    rows = {row["name"]: row for row in read_json(path)["rows"]} if path.is_file() else {}
    last: dict[str, Any] = next((rows[stage] for stage in reversed(STAGES) if stage in rows), {})
    said = []
    for column, (words, sign) in IN_WORDS.items():
        mine, nearest = last.get(column), rows.get("nearest_pose", {}).get(column)
        if mine is not None and nearest is not None:
            share = abs(mine - nearest) / max(abs(nearest), 1e-9)
            word = "better" if sign * mine > sign * nearest else "worse"
            said.append(
                f"{words.format(mine)}: {share:.0%} {word} than the nearest frame of your own video"
            )
    return said
