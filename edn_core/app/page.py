"""What the page shows, gathered from files at every look, and put into the templates."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from edn_core.app import bring, choose, progress
from edn_core.app.runs import Runs
from edn_core.errors import explain
from edn_core.pages import templates_in
from edn_core.video import probe
from edn_core.video.encoding import CODINGS

HERE = Path(__file__).parent
MOST_GB = 8  # of one upload: an hour of full HD as a phone films it


def film_of(source: str, target: str) -> Path | None:
    """The newest film of a pair."""
    films = (Path("results/transfer", f"{source}_to_{target}{suffix}") for suffix in CODINGS)
    return max(filter(Path.is_file, films), key=os.path.getmtime, default=None)


def version_of(runs: Runs, source: str, target: str) -> str:
    """Changes when the page has to be shown anew; between, the runs alone are looked at."""
    seen = [(*one.makes, one.state, one.started) for one in runs.all]
    return str(hash(f"{seen} {address(film_of(source, target) or '')}"))


def whole_page(runs: Runs, source: str, target: str, errors: dict[str, str]) -> dict[str, Any]:
    """All that the template names; a video that is not there is passed over.

    The errors are lines by the addresses of buttons; what cannot be read joins them.
    """
    page: dict[str, Any] = {"videos": {}, "about": {}, "people": {}, "checks": [], "offers": {}}
    page |= {"runs": runs, "errors": errors, "quality": [], "film": None, "dance": None}
    page["version"] = version_of(runs, source, target)
    try:
        found = choose.folder_of_videos()
        source, target = (name if name in found.videos else "" for name in (source, target))
        page["videos"] = found.videos
        errors.setdefault("/bring", "; ".join(found.passed_over.values()))
        chosen = {name: found.videos[name] for name in (source, target) if name}
        page["about"] = {name: probe(path) for name, path in chosen.items()}
        if source and target:
            page["people"] = {name: bring.people_of(name) for name in chosen}
            page["checks"] = progress.checks_of(source, target)
            page["offers"] = choose.offers(chosen[source], chosen[target])
            page["film"], page["dance"] = film_of(source, target), choose.generator_of(target)
            page["quality"] = progress.quality_of(target)
    except (ValueError, OSError) as error:
        errors["/"] = explain(error)
    pair = {"source": source, "target": target}
    return page | pair | {"query": urlencode(pair)}


def address(path: str | Path, **query: Any) -> str:
    """Where the page serves a file, nothing where none is; one made anew has a new address."""
    if not Path(path).is_file():
        return ""
    return f"/{quote(str(path))}?" + urlencode({"t": int(Path(path).stat().st_mtime), **query})


ENVIRONMENT = templates_in(HERE, HERE.parent / "report")
ENVIRONMENT.globals |= {"address": address, "progress": progress, "most": int(MOST_GB * 1e9)}
