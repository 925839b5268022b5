"""The page: what was gathered, put into the template."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import yaml

from edn_core import __version__
from edn_core.report.charts import draw_training
from edn_core.report.gather import Pair, Run, Target, Training, find_pairs, gather
from edn_core.report.media import MB, Clip, embed_picture, embed_video, share_out
from edn_core.store import write_beside

TEMPLATES = Path(__file__).parent
PACKAGES = ("torch", "snakemake", "numpy", "opencv-python-headless", "av", "ai-edge-litert")
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

    The same files give the same bytes; what is missing is said in a line.

    Args:
        results: the workflow's folder of results.
        pairs: (source, target) of the transfers to show; none: of every finished video there is.
        settings: the whole configuration, defaults filled in; ``report`` holds the page's own.
        path: the HTML file; links lead from its folder to the files.
        because: why the preset was chosen, where the user did not name it.

    Raises:
        ValueError: a file is there and cannot be read.
    """
    path = Path(path)
    run = gather(results, pairs or find_pairs(results))
    environment = _environment(path.parent)
    page = environment.get_template("page.html.jinja").render(
        run=run,
        clips=_clips(run, settings["report"]["max_video_mb"] * MB),
        charts={target.name: _charts(target) for target in run.targets},
        samples={target.name: _samples(target) for target in run.targets},
        sample_width=SAMPLE_WIDTH,
        total_s=sum(cost.seconds for cost in run.costs),
        jobs=sum(cost.jobs for cost in run.costs),
        versions=_versions(),
        preset=(settings.get("preset", ""), because),
        settings=yaml.safe_dump(_plain(settings), sort_keys=False, allow_unicode=True),
    )
    with write_beside(path) as partial:
        partial.write_text(page, encoding="utf-8")


def write_watch_page(
    comparison: str | Path, names: Pair, max_video_mb: float, path: str | Path
) -> None:
    """Write a page that plays one transfer, for Snakemake's own report, which plays no mp4 file.

    Args:
        comparison: the mp4 of source, skeleton and result side by side.
        names: source and target.
        max_video_mb: size of the video in the page, at most (MB); a larger one is made smaller.
        path: the HTML file.

    Raises:
        ValueError: the video cannot be read.
    """
    path = Path(path)
    clip = embed_video(Path(comparison), max_video_mb * MB)
    environment = _environment(path.parent)
    page = environment.get_template("watch.html.jinja").render(
        clip=clip, source=names[0], target=names[1], comparison=Path(comparison)
    )
    with write_beside(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _environment(folder: Path) -> jinja2.Environment:
    """Names of videos and settings are the user's words: everything is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = (TEMPLATES / "style.css").read_text()
    environment.globals["picture"] = embed_picture
    environment.filters["duration"] = _duration
    environment.filters["memory"] = _memory
    environment.filters["link"] = lambda path: quote(Path(os.path.relpath(path, folder)).as_posix())
    return environment


def _clips(run: Run, limit: float) -> dict[str, Clip]:
    """The comparison of every transfer, all of them together within the limit."""
    there = {one.name: one.comparison for one in run.transfers if one.comparison}
    shares = share_out([path.stat().st_size for path in there.values()], limit)
    return {
        name: embed_video(path, share)
        for (name, path), share in zip(there.items(), shares, strict=True)
    }


def _charts(target: Target) -> list[tuple[str, str]]:
    """(stage, SVG) of every stage there are curves of."""
    drawn = [
        (one.stage, draw_training(one, f"{target.name}-{one.stage}"))
        for one in target.training
        if one.rows
    ]
    return [(stage, svg) for stage, svg in drawn if svg]


def _samples(target: Target) -> list[tuple[Training, list[tuple[int, Path]]]]:
    """Of each stage some samples: the first, the last, the kept one and some between."""
    return [(one, _some(one)) for one in target.training if one.samples]


def _some(training: Training) -> list[tuple[int, Path]]:
    last = len(training.samples) - 1
    chosen = {round(last * part / (SAMPLES - 1)) for part in range(SAMPLES)}
    chosen |= {
        number for number, (step, _) in enumerate(training.samples) if step == training.kept_step
    }
    return [training.samples[number] for number in sorted(chosen)]


def _versions() -> dict[str, str]:
    versions = {"edn": __version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions | {"platform": platform.platform()}


def _plain(value: Any) -> Any:
    """Settings as YAML knows them: tuples become lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _memory(megabytes: float | None) -> str:
    if megabytes is None:
        return "–"
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"
