"""How far a run is, by the logs of its jobs, and how good its film is, in words."""

import re
from pathlib import Path
from typing import Any

from edn_core.app.runs import LOG, Run
from edn_core.config import STAGES
from edn_core.metrics import ALL_COLUMNS, read_table
from edn_core.status import RUNS, read_jobs
from edn_core.store import read_json

PLAIN = {
    "estimate_pose": "find the skeleton",
    "find_matte": "find the outline",
    "body": "train the body",
    "temporal": "train the body in motion",
    "enhance": "train the details",
    "face": "train the face",
}
"""What jobs do; the others' names say it."""
IN_WORDS = {  # columns of the evaluation
    "ssim_person": "the dancer is as like the real frame as {:.3f} of 1",
    "ssim_face": "the face as {:.3f} of 1",
    "pose_all_percent": "hands, face and limbs are off by {:.1f} % of the torso",
    "temporal_difference": "from frame to frame the error is {:.4f}",
}


def read_progress(run: Run) -> tuple[int, int, list[tuple[str, int | None, str]]]:
    """Jobs done and planned (0: not known yet), and those that work, by their logs.

    Of each: what it does, how much of it is done in % (None: not known), and the time left, or else
    its last line.
    """
    text = LOG.read_text(errors="replace")
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
    for what, role, part, place in (
        ("The dance", "source", "as_source", f"videos/{source}"),
        ("The looks", "target", "as_target", f"videos/{target}"),
        ("Both together", "", "of_pair", f"transfer/{source}_to_{target}"),
    ):
        path = Path("results") / place / "preflight.json"
        if path.is_file():
            content = read_json(path)
            findings = [one for one in content["findings"] if one["verdict"] != "good"]
            mine = [one for one in findings if not role or role in one["roles"]]
            found.append((what, content[part], mine, path.with_suffix(".png")))
    return found


def quality_of(target: str) -> list[str]:
    """How a target's generator and the nearest frame of its video compare; none if not measured."""
    path = Path("results/evaluation") / target / "table.json"
    rows = {row["name"]: row for row in read_table(path)["rows"]} if path.is_file() else {}
    stages, said = [one for one in STAGES if one in rows], []
    if not stages:
        return []
    last, nearest = rows[stages[-1]], rows["nearest_pose"]
    for column, words in IN_WORDS.items():
        if last[column] is not None and nearest[column]:
            more = last[column] / nearest[column] - 1
            is_better = (more > 0) == (ALL_COLUMNS[column].better == "higher")
            word = "better" if is_better else "worse"
            said.append(f"{words.format(last[column])}: {abs(more):.0%} {word}")
    return said
