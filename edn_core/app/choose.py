"""Settings that the page offers: presets with their time, and every field of the configuration."""

import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from edn_core.app.runs import FOLDER, SNAKEMAKE, Run
from edn_core.config import PRESETS, STAGES, VideoConfig, merged, read_config, read_yaml
from edn_core.errors import Refused
from edn_core.intake import Intake, find_videos
from edn_core.preset import settle_preset
from edn_core.resources import film_minutes, measure_footage
from edn_core.store import read_json, write_beside, write_json

USER, OWN = Path("config/config.yaml"), FOLDER / "choices.json"
"""The user's settings, which the page leaves alone, and what its fields say, which wins."""
SETTINGS = FOLDER / "run.yaml"
KEPT = Path("results/preset.yaml")
NOT_OFFERED = ("preset", "videos_folder", "transfers", "videos", "demo", "forensics")
# A field in the source of a dataclass, with the comment behind it or the docstring below it.
_FIELD = re.compile(r'^    (\w+): [^\n]*?(?:  # ([^\n]*))?\n(?:    """(.*?)""")?', re.M | re.S)


class Setting(NamedTuple):
    """A field of the configuration."""

    name: str  # dotted
    section: str  # that part of its name, "" for the whole
    value: str  # what it is now, as YAML
    help: str  # what its dataclass says


def read_choices() -> dict[str, str]:
    """What the fields of the page say, by dotted names: YAML, as in the user's file."""
    return read_json(OWN) if OWN.is_file() else {}


def read_values(choices: Mapping[str, str]) -> dict[str, Any]:
    """The user's settings, and over them what the fields say."""
    values = read_yaml(USER) if USER.is_file() else {}
    for name, text in choices.items():
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            expected = "a number, a word or a [list]"
            raise Refused(name, f"is {text[:80]!r}", expected, "correct it") from None
        for part in reversed(name.split(".")):
            value = {part: value}
        values = merged(values, value)
    return values


def save_choices(fields: Mapping[str, str]) -> None:
    """Write down what fields say, or refuse it; what is left empty keeps the preset's value."""
    both = read_choices() | dict(fields)
    choices = {name: text for name, text in both.items() if text.strip()}
    read_config(values := read_values(choices), preset_here(values)[0])
    write_json(OWN, choices)


def folder_of_videos() -> Intake:
    """The videos that are there, and those that cannot be used."""
    return find_videos(read_values(read_choices()).get("videos_folder") or "videos")


def look_at_machine() -> None:
    """Settle what ``preset: auto`` is here, as a run would; elsewhere, since torch is large."""
    program = f"from edn_core.preset import *; keep_preset('{KEPT}', *settle_preset('{KEPT}'))"
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)


def preset_here(values: Mapping[str, Any]) -> tuple[str, str]:
    """The preset that holds, and why it was chosen where nobody named it."""
    if values.get("preset", "auto") != "auto":
        return values["preset"], ""
    return settle_preset(KEPT) if KEPT.is_file() else ("cpu", "still looking")


def offers(source: str, target: str) -> dict[str, Any]:
    """What the page shows of settings, and how many minutes each preset takes for two videos."""
    choices = read_choices()
    values, machine = read_values(choices), preset_here({})[0]
    (here, because), presets = preset_here(values), {}
    for name in PRESETS:
        settings = read_config(values, name)
        video, pixels = VideoConfig(), settings.canvas.pixels
        dance, looks = (measure_footage(path, video, pixels) for path in (source, target))
        # Without a GPU for the others they take as long as a CPU does.
        speed = machine if machine == "cpu" else name
        presets[name] = film_minutes(dance, looks, settings, speed)
    return {
        "settings": {one.name: one for one in settings_offered(read_config(values, here))},
        **{"choices": choices, "chosen": values.get("preset", "auto"), "presets": presets},
        **{"machine": machine, "here": here, "because": because},
    }


def settings_offered(section: Any, prefix: str = "") -> Iterator[Setting]:
    """All fields of a configuration and its sections, with what their source says of them."""
    found = _FIELD.findall(inspect.getsource(type(section)))
    helps = {name: behind or " ".join(below.split()) for name, behind, below in found}
    for name, value in vars(section).items():
        if name in NOT_OFFERED:
            continue
        if dataclasses.is_dataclass(value):
            yield from settings_offered(value, f"{prefix}{name}.")
        else:
            text = yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("\n...")
            yield Setting(f"{prefix}{name}", prefix[:-1], text, helps[name].replace("``", ""))


def generator_of(target: str) -> Path | None:
    """What its last stage of training has left."""
    stages = [Path("results/models", target, stage, "generator.safetensors") for stage in STAGES]
    return next((one for one in reversed(stages) if one.is_file()), None)


def command_of(run: Run, cores: str) -> list[str]:
    """What does a run; the settings that it is given go into a file."""
    values, names = read_values(read_choices()), (run.source, run.target)
    videos = values.get("videos") or {}
    values["videos"] = {name: one for name, one in videos.items() if name in names}
    values["transfers"] = [{"source": run.source, "target": run.target}]
    with write_beside(SETTINGS) as partial:
        partial.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    if run.kind == "dance":
        dancer = [sys.executable, "-m", "edn_core.live", str(generator_of(run.target))]
        return [*dancer, "--from", "0", "--to", "window", "--config", str(SETTINGS)]
    wanted = ["preflight", "poses"] if run.kind == "check" else ["report"]
    return [*SNAKEMAKE, "--cores", cores, "--configfile", str(SETTINGS), "--", *wanted]
