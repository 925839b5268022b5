"""Configuration, videos, weight files and locks of the project in this folder."""

import fcntl
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edn_core.config import Config, check_config, read_section, read_yaml, with_preset
from edn_core.doctor.check import FAIL, OK, WARN, Check, Place
from edn_core.intake import find_videos
from edn_core.run_log import RUNS, latest_run
from edn_core.status import understand

CONFIG = Path("config/config.yaml")
SCHEMA = Path("workflow/schemas/config.schema.yaml")


def _settings(place: Place) -> Config:
    """The configuration, checked.

    Raises:
        ValueError: one line for what is wrong.
    """
    from snakemake.utils import update_config  # type: ignore[import-untyped]

    values: dict[str, Any] = {}
    for path in (place.folder / CONFIG, *place.configfiles):
        try:
            update_config(values, read_yaml(path))
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    schema = place.folder / SCHEMA
    if schema.is_file():
        check_config(values, schema)
    preset = values.get("preset", "auto")
    return read_section(Config, with_preset(values, "cpu" if preset == "auto" else preset), "")


def check_configuration(place: Place) -> Iterable[Check]:
    """config/config.yaml, with the files named over it."""
    try:
        settings = _settings(place)
    except ValueError as error:
        is_project = (place.folder / CONFIG).is_file()
        advice = "correct that; config/config.yaml explains"
        advice = advice if is_project else f"go to the project's folder, the one with {CONFIG}"
        yield Check("configuration", FAIL, str(error), advice)
        return
    pairs = ", ".join(f"{one.source} to {one.target}" for one in settings.transfers[:5])
    found = f"preset {settings.preset}, backend {settings.pose.backend}"
    found += f", {len(settings.transfers)} transfers" + (f" ({pairs})" if pairs else "")
    yield Check("configuration", OK, found)


def check_videos(place: Place) -> Iterable[Check]:
    """The users' videos."""
    try:
        folder = place.folder / _settings(place).videos_folder
    except ValueError:
        folder = place.folder / "videos"
    try:
        videos = find_videos(folder)
    except ValueError as error:
        yield Check("videos", FAIL, str(error), "rename or remove it")
        return
    yield Check("videos", OK, f"{len(videos)} in {folder.name}/")


def check_weights(place: Place) -> Iterable[Check]:
    """Weight files: those of the pose networks, and those the configuration names."""
    from edn_core.pose import check_weight_files, weight_files  # OpenCV, which may be broken
    from edn_core.pose.models import MODELS, model_path

    try:
        settings = _settings(place)
    except ValueError:
        advice = "mend that first"
        yield Check("pose networks", WARN, "not looked at: no readable configuration", advice)
        return
    folder = place.folder / settings.pose.models_folder
    there = {one.name: _sha256(model_path(folder, one.name)) for one in MODELS}
    wrong = [one.name for one in MODELS if there[one.name] not in (None, one.sha256)]
    missing = [one.name for one in MODELS if there[one.name] is None]
    if wrong:
        found, state = f"not the released files: {', '.join(wrong)}", FAIL
        advice = "delete them; `snakemake fetch_pose_models` fetches them anew"
    elif missing:
        found, state = f"missing: {', '.join(missing)}", WARN
        advice = "fetched by the first run; without network `snakemake fetch_pose_models` says how"
    else:
        found, state, advice = f"{len(MODELS)} files, SHA-256 right", OK, ""
    yield Check("pose networks", state, found, advice)
    if weight_files(settings.pose):
        try:
            check_weight_files(settings.pose)
            yield Check("your pose weights", OK, f"{len(weight_files(settings.pose))} files there")
        except ValueError as error:
            yield Check("your pose weights", FAIL, str(error), "put them there")
    training, evaluation = settings.training, settings.evaluation
    for name, path, expected in (
        ("training.vgg19", training.vgg19, training.vgg19_sha256),
        ("evaluation.alexnet", evaluation.alexnet, evaluation.alexnet_sha256),
    ):
        if not path:
            yield Check(name, OK, "not set")
            continue
        found_hash = _sha256(place.folder / path)
        if found_hash is None:
            yield Check(name, FAIL, "set, but there is no such file", "put it there")
        elif not found_hash.startswith(expected.lower()):  # a setting may hold its beginning only
            yield Check(name, FAIL, "not the released file (SHA-256)", "fetch torchvision's file")
        else:
            yield Check(name, OK, "there, SHA-256 right")


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_work(place: Place) -> Iterable[Check]:
    """Who is at work here, and locks that were left behind."""
    name = latest_run(place.folder / RUNS)
    run = understand(name, place.folder / RUNS) if name else None
    if run is None:
        yield Check("latest run", OK, "none left a log")
    else:
        counts = ", ".join(f"{count} {state}" for state, count in run.counts.items())
        is_bad = run.state in ("failed", "lost")
        advice = "`python -m edn_core.status` says more" if is_bad else ""
        yield Check("latest run", WARN if is_bad else OK, f"{run.state}: {counts}", advice)
    locks = place.folder / ".snakemake" / "locks"
    is_locked = locks.is_dir() and any(locks.iterdir())
    is_running = run is not None and run.state == "running"
    yield Check(
        "Snakemake's lock",
        OK if is_running or not is_locked else WARN,
        "held" if is_locked else "free",
        "" if is_running or not is_locked else "if no Snakemake runs here: `snakemake --unlock`",
    )
    held = [
        str(path.parent) for path in place.folder.glob("results/models/*/*/lock") if _held(path)
    ]
    yield Check("trainings at work", OK, ", ".join(held) or "none")


def _held(path: Path) -> bool:
    try:
        with open(path) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


PROJECT_CHECKS = (check_configuration, check_videos, check_weights, check_work)
