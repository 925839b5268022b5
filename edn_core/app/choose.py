"""Settings that the page offers: presets with their time, and every field of the configuration."""

import ast
import dataclasses
import functools
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from edn_core.app.runs import FOLDER, Run
from edn_core.config import PRESETS, VideoConfig, merged, read_config, read_yaml
from edn_core.preset import settle_preset
from edn_core.resources import film_minutes, measure_footage
from edn_core.store import write_beside

USER, OWN = Path("config/config.yaml"), FOLDER / "config.yaml"
"""The user's settings, which the page leaves alone, and the page's own, which win."""
KEPT = Path("results/preset.yaml")
NOT_OFFERED = ("preset", "videos_folder", "transfers", "videos", "demo", "forensics")


class Setting(NamedTuple):
    """A field of the configuration: its name behind its section's, what it is now, in words."""

    name: str
    section: str
    value: str
    help: str
    own: str  # what the page has set, "" if nothing
    is_text: bool  # and no number, list or switch


def read_values(*paths: Path) -> dict[str, Any]:
    """What the user's file and the page's say together, or only the one that is named."""
    found = [read_yaml(one) if one.is_file() else {} for one in paths or (USER, OWN)]
    return functools.reduce(merged, found)


def look_at_machine() -> None:
    """Settle what ``preset: auto`` is here, as a run would; elsewhere, since torch is large."""
    program = f"from edn_core.preset import *; keep_preset('{KEPT}', *settle_preset('{KEPT}'))"
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)


def preset_here(values: Mapping[str, Any]) -> tuple[str, str]:
    """The preset that holds, and why it was chosen where nobody named it."""
    if values.get("preset", "auto") != "auto":
        return values["preset"], ""
    return settle_preset(KEPT) if KEPT.is_file() else ("cpu", "still looking")


def choices(videos: list[str]) -> dict[str, Any]:
    """What the page shows of settings: those of a preset, and how long each takes for two files."""
    values, machine = read_values(), preset_here({})[0]
    (here, because), presets = preset_here(values), {}
    for name in PRESETS:
        settings = read_config(values, name)
        if machine == "cpu":  # there is no GPU for the others
            device = dataclasses.replace(settings.runtime, device="cpu")
            settings = dataclasses.replace(settings, runtime=device)
        pixels = settings.canvas.pixels
        source, target = (measure_footage(path, VideoConfig(), pixels) for path in videos)
        minutes = film_minutes(source, target, settings, name)
        size, unit = (1, "minutes") if minutes < 90 else (60, "hours")
        size, unit = (size, unit) if minutes < 48 * 60 else (24 * 60, "days")
        presets[name] = f"about {max(2, round(minutes / size))} {unit}"
    offered = settings_offered(read_config(values, here), read_values(OWN))
    return {
        "settings": {one.name: one for one in offered},
        **{"presets": presets, "machine": machine, "here": here, "because": because},
        "chosen": values.get("preset", "auto"),
    }


def settings_offered(section: Any, own: Any, prefix: str = "") -> Iterator[Setting]:
    """All fields of a configuration and its sections, with what the page has set of them."""
    helps, hints = _helps(type(section)), typing.get_type_hints(type(section))
    for field in dataclasses.fields(section):
        value, mine = getattr(section, field.name), (own or {}).get(field.name)
        if not prefix and field.name in NOT_OFFERED:
            continue
        if dataclasses.is_dataclass(value):
            yield from settings_offered(value, mine, f"{prefix}{field.name}.")
            continue
        is_text = str in (hints[field.name], *typing.get_args(hints[field.name]), type(value))
        texts = (str(one) if is_text else yaml.safe_dump(one) for one in (value, mine))
        now, own_now = (one.strip().removesuffix("\n...") for one in texts)
        own_now, name = "" if mine is None else own_now, f"{prefix}{field.name}"
        yield Setting(name, prefix[:-1], now, helps.get(field.name, ""), own_now, is_text)


def _helps(cls: type) -> dict[str, str]:
    """What stands beside the fields in the source of a dataclass: comment or docstring."""
    source = inspect.getsource(cls)
    lines, helps, last = source.splitlines(), {}, ""
    for node in typing.cast(ast.ClassDef, ast.parse(source).body[0]).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
            helps[last] = lines[(node.end_lineno or 1) - 1].partition("  # ")[2]
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            helps[last] = " ".join(str(node.value.value).replace("``", "").split())
    return helps


def save_choice(form: Mapping[str, str]) -> None:
    """Write down what was chosen, or refuse it; what is left empty keeps the preset's value."""
    known = {one.name: one for one in settings_offered(read_config({}, "cpu"), {})}
    own: dict[str, Any] = {"videos": read_values(OWN).get("videos", {})}
    if form.get("preset"):
        own["preset"] = form["preset"]
    for name, text in form.items():
        if name in known and text.strip():
            *sections, last = name.split(".")
            place = own
            for one in sections:
                place = place.setdefault(one, {})
            try:
                place[last] = text.strip() if known[name].is_text else yaml.safe_load(text)
            except yaml.YAMLError:
                raise ValueError(f"{name} is {text[:80]!r}; expected a number or a list") from None
            if last in ("steps", "epochs"):  # one of the two, whatever the user's file names
                place.setdefault("epochs" if last == "steps" else "steps", None)
    _write(own)


def save_dancer(video: str, box: list[int]) -> None:
    """Choose who of several people in a video is the dancer: the one in this box, px."""
    chosen = {"videos": {video: {"dancer": "box", "dancer_box": box}}}
    _write(merged(read_values(OWN), chosen))


def _write(own: dict[str, Any]) -> None:
    values = merged(read_values(USER), own)
    read_config(values, preset_here(values)[0])
    with write_beside(OWN) as partial:
        partial.write_text(yaml.safe_dump(own, sort_keys=False, allow_unicode=True))


def configure(run: Run) -> tuple[dict[str, Any], list[str]]:
    """The settings of a run, over the user's file, and the files that Snakemake is asked for."""
    own, pair = read_values(OWN), f"results/transfer/{run.source}_to_{run.target}"
    names, files = {run.source: 1, run.target: 1}, ("preflight.png", "preview.mp4")
    wanted = [f"results/videos/{name}/{file}" for name in names for file in files]
    wanted.append(f"{pair}/preflight.png")
    if run.kind == "film":
        behind = (read_values().get("assembly") or {}).get("background")
        suffix = "webm" if behind == "transparent" else "mp4"  # which can hold it
        wanted += [f"{pair}.{suffix}", "results/report.html"]
    videos = {name: one for name, one in own.get("videos", {}).items() if name in names}
    transfers = [{"source": run.source, "target": run.target}]  # of which the report tells
    return own | {"videos": videos, "transfers": transfers}, wanted
