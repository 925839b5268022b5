"""The page: what was gathered, put into the template."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from edn_core import __version__
from edn_core.pages import templates_in
from edn_core.report.charts import draw_training
from edn_core.report.gather import Pair, Training, find_pairs, gather
from edn_core.report.media import MB, embed_picture, embed_png, embed_video
from edn_core.store import write_beside

TEMPLATES = Path(__file__).parent
SAMPLES = 5
SAMPLE_WIDTH = 720


def write_report(
    results: str | Path,
    pairs: list[Pair],
    settings: Mapping[str, Any],
    path: str | Path,
    because: str = "",
) -> None:
    """Write one page that shows a run and needs nothing beside it.

    The same files give the same bytes; what is missing is said in a line. Without pairs, (source,
    target) each, it shows every finished video. Links lead from the page's folder to the files. The
    settings are the whole configuration, defaults filled in; ``because`` says why the preset was
    chosen, where the user did not name it.

    Raises:
        ValueError: a file is there and cannot be read.
    """
    run = gather(Path(results), pairs or find_pairs(results))
    videos = {name: one["comparison"] for name, one in run["transfers"].items()}
    limit = settings["report"]["max_video_mb"] * MB / max(1, sum(map(bool, videos.values())))
    plain = json.loads(json.dumps(settings))  # YAML knows no tuples
    _write(
        "page.html.jinja",
        Path(path),
        **run,
        clips={name: embed_video(video, limit) for name, video in videos.items() if video},
        version=__version__,
        preset=" ".join([settings.get("preset", ""), f"({because})" if because else ""]),
        settings=yaml.safe_dump(plain, sort_keys=False, allow_unicode=True),
    )


def write_watch_page(
    comparison: str | Path, names: Pair, max_video_mb: float, path: str | Path
) -> None:
    """Write a page that plays one transfer, for Snakemake's own report, which plays no mp4 file.

    In the page the comparison of source and target has ``max_video_mb`` MB at most; a larger one is
    made smaller.

    Raises:
        ValueError: the video cannot be read.
    """
    clip = embed_video(Path(comparison), max_video_mb * MB)
    _write("watch.html.jinja", Path(path), clip=clip, source=names[0], target=names[1])


def _write(template: str, path: Path, **values: Any) -> None:
    environment = templates_in(TEMPLATES)
    environment.globals |= {
        "style": (TEMPLATES / "style.css").read_text(),
        "picture": embed_picture,
        "sample": lambda one: embed_picture(one, SAMPLE_WIDTH),
        "chart": lambda training: embed_png(draw_training(training)),
        "some_samples": _some_samples,
    }
    environment.filters["duration"] = _duration
    environment.filters["link"] = lambda one: quote(
        Path(os.path.relpath(one, path.parent)).as_posix()
    )
    page = environment.get_template(template).render(**values)
    with write_beside(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _some_samples(training: Training) -> list[tuple[int, Path]]:
    """The first, the last, the kept one and some between."""
    last = len(training.samples) - 1
    chosen = {round(last * part / (SAMPLES - 1)) for part in range(SAMPLES)}
    return [
        sample
        for number, sample in enumerate(training.samples)
        if number in chosen or sample[0] == training.kept_step
    ]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
