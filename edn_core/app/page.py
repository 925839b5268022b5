"""What the page shows, gathered from files at every look, and put into the templates."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from edn_core.app import bring, choose, progress
from edn_core.app.runs import Runs
from edn_core.config import STAGES
from edn_core.errors import explain
from edn_core.intake import Intake, find_videos
from edn_core.pages import templates_in
from edn_core.video import probe
from edn_core.video.encoding import CODINGS

TEMPLATES = Path(__file__).parent
MOST_GB = 8
"""Of one upload: an hour of full HD as a phone films it."""


def folder_of_videos() -> Intake:
    """The videos that are there, and those that cannot be used."""
    return find_videos(choose.read_values().get("videos_folder") or "videos")


def live_part(runs: Runs, source: str, target: str) -> dict[str, Any]:
    """What is looked at every two seconds: the runs, and a version that changes with all else.

    A video that is not there is passed over.
    """
    videos, errors = {}, {}
    try:
        there = folder_of_videos()
        videos, errors["/bring"] = there.videos, "; ".join(there.passed_over.values())
    except (ValueError, OSError) as error:
        errors["/bring"] = explain(error)
    source, target = (name if name in videos else "" for name in (source, target))
    films = [Path(f"results/transfer/{source}_to_{target}{suffix}") for suffix in CODINGS]
    times = {path.stat().st_mtime: path for path in films if path.is_file()}
    seen = [(*run.pair, run.state, run.started) for run in runs.all], max(times, default=0)
    return {
        **{"runs": runs, "source": source, "target": target, "videos": videos, "errors": errors},
        "film": times[max(times)] if times else None,
        "version": hashlib.sha256(str(seen).encode()).hexdigest()[:16],
    }


def whole_page(runs: Runs, source: str, target: str, **errors: str) -> dict[str, Any]:
    """All that the template names; with the lines that buttons have led to, by their addresses.

    What cannot be read is said in its place.
    """
    page = live_part(runs, source, target)
    source, target = page["source"], page["target"]
    page |= {"checks": [], "quality": [], "settings": {}}
    page["query"] = urlencode({"source": source, "target": target})
    page["errors"] |= errors
    try:
        if source and target:
            page["checks"] = progress.checks_of(source, target)
            page["quality"] = progress.quality_of(target)
            page |= choose.choices([page["videos"][name] for name in (source, target)])
    except (ValueError, OSError) as error:
        page["errors"].setdefault("/choose", explain(error))
    return page


def describe_video(path: str) -> str:
    """Length and size of a video, or what is wrong with it."""
    if Path(path).is_dir():
        return "a folder of pictures"
    try:
        info = probe(path)
    except (ValueError, OSError) as error:
        return explain(error)
    seconds, fps = info.n_frames / float(info.fps), float(info.fps)
    sound = "with sound" if info.has_sound else "silent"
    return f"{seconds:.1f} s, {info.width} × {info.height}, {fps:.4g} frames a second, {sound}"


def live_command(target: str) -> str:
    """What lets a target dance live; nothing where it is not trained."""
    models = [Path(f"results/models/{target}/{stage}/generator.safetensors") for stage in STAGES]
    there = [str(one) for one in models if one.is_file()]
    return f"python -m edn_core.live {there[-1]} --from 0 --to window" if there else ""


def address(path: str | Path, **query: Any) -> str:
    """Where the page serves a file, nothing where none is; one made anew has a new address."""
    if not Path(path).is_file():
        return ""
    return f"/{quote(str(path))}?" + urlencode({"t": int(Path(path).stat().st_mtime), **query})


def render(template: str, **values: Any) -> str:
    """A template with what there is; names of videos and errors are escaped."""
    return ENVIRONMENT.get_template(template).render(**values)


ENVIRONMENT = templates_in(TEMPLATES)
ENVIRONMENT.globals |= {
    "address": address,
    "about": describe_video,
    "people_of": bring.people_of,
    "live_command": live_command,
    "progress": progress,
    "most": int(MOST_GB * 1e9),
}
