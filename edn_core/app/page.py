"""What the page shows, gathered from files at every look, and put into the templates."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2

from edn_core.app import bring, choose, progress
from edn_core.app.runs import Runs
from edn_core.config import STAGES, read_config
from edn_core.errors import explain
from edn_core.intake import find_videos
from edn_core.video import probe
from edn_core.video.encoding import CODINGS

TEMPLATES = Path(__file__).parent
MOST_GB = 8
"""Of one upload: an hour of full HD as a phone films it."""


def all_videos() -> dict[str, str]:
    """The videos that are there, name -> path; ValueError: one has a name that cannot be."""
    return find_videos(choose.read_values().get("videos_folder") or "videos")


def live_part(runs: Runs, source: str, target: str) -> dict[str, Any]:
    """What is looked at every two seconds: the runs, and a version that changes with all else."""
    stem = f"results/transfer/{source}_to_{target}"
    films = [path for suffix in CODINGS if (path := Path(f"{stem}{suffix}")).is_file()]
    film = max(films, key=lambda one: one.stat().st_mtime, default=None)
    parts = [(one.kind, one.source, one.target, one.state, one.started) for one in runs.all]
    seen = f"{parts} {film and film.stat().st_mtime}"
    version = hashlib.sha256(seen.encode()).hexdigest()[:16]
    return {"runs": runs, "source": source, "target": target, "film": film, "version": version}


def whole_page(
    runs: Runs, source: str, target: str, error: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """All that the template names; ``error`` is the button that led to it, and its line.

    A video that is not there is passed over, and what cannot be read is said in its place.
    """
    errors = dict([error])
    videos: dict[str, str] = {}
    page: dict[str, Any] = {"checks": [], "quality": [], "settings": {}}
    try:
        videos = all_videos()
    except (ValueError, OSError) as found:
        errors.setdefault("/bring", explain(found))
    source, target = (name if name in videos else "" for name in (source, target))
    if source and target:
        try:
            page["checks"] = progress.checks_of(source, target)
            page["quality"] = progress.quality_of(target)
        except (ValueError, OSError) as found:
            errors.setdefault("/run", explain(found))
        try:
            values = choose.read_values()
            here, because = choose.preset_here(values)
            offered = choose.settings_offered(
                read_config(values, here), choose.read_values(choose.OWN)
            )
            page["settings"] = {one.name: one for one in offered}
            page["presets"] = choose.presets_offered(values, [videos[source], videos[target]])
            page |= {"chosen": values.get("preset", "auto"), "here": here, "because": because}
            page["machine"] = choose.preset_here({})[0]
        except (ValueError, OSError) as found:
            errors.setdefault("/choose", explain(found))
    query = urlencode({"source": source, "target": target})
    page |= {"videos": videos, "errors": errors, "query": query}
    return live_part(runs, source, target) | page


def describe_video(path: str) -> str:
    """Length and size of a video, or what is wrong with it."""
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


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals |= {
    "address": address,
    "about": describe_video,
    "people_of": bring.people_of,
    "live_command": live_command,
    "progress": progress,
    "most": int(MOST_GB * 1e9),
}
