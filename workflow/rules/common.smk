"""Paths, settings and the helpers rules share; no rule stands here."""

import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from edn_core import REVISIONS
from edn_core.config import Config, check_config, read_section, with_preset
from edn_core.intake import DEMO_VIDEOS, NAME, check_asked, find_videos, videos_in_target
from edn_core.pose.models import MODELS as POSE_MODELS
from edn_core.preset import settle_preset

PRESET_FILE = "results/preset.yaml"


wildcard_constraints:
    video=NAME,
    source=NAME,
    target=NAME,
    dancer="|".join(DEMO_VIDEOS),
    stage="body|temporal|face",


def read_settings():
    """The whole configuration, checked, with the preset's values under the user's."""
    check_config(config, Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")
    preset, because = config.get("preset", "auto"), ""
    if preset == "auto":
        if workflow.is_main_process and workflow.non_local_exec:
            raise ValueError(
                "preset is 'auto', but jobs go to other machines, which may differ from this one; "
                "name one: --config preset=gpu (or preset: in config/config.yaml)"
            )
        preset, because = settle_preset(PRESET_FILE, is_dry_run=workflow.dryrun)
    settings = read_section(Config, with_preset(config, preset), "")
    if because and workflow.is_main_process and preset == "cpu":
        logger.info(
            f"edn: preset cpu ({because}; kept in {PRESET_FILE}): a small preview canvas that "
            "finishes in minutes. For more: `--config preset=gpu`, or canvas and training in "
            "config/config.yaml (docs/presets.md says what costs what)."
        )
    return settings


def check_folders():
    """A file in the place of a folder would end in a traceback of Snakemake's own."""
    for folder in ("results", "logs"):
        if Path(folder).exists() and not Path(folder).is_dir():
            raise ValueError(
                f"{folder}: a file stands where the workflow's folder shall be; move it away"
            )


def check_request():
    """Videos asked for, in the configuration or on the command line, must be there."""
    targets = workflow.dag_settings.targets if workflow.dag_settings else []
    asked = [name for target in targets for name in videos_in_target(str(target))]
    configured = [name for pair in SETTINGS.transfers for name in (pair.source, pair.target)]
    check_asked([*asked, *configured], VIDEOS, SETTINGS.videos_folder)


try:
    check_folders()
    SETTINGS = read_settings()
    VIDEOS = find_videos(SETTINGS.videos_folder)
    check_request()
except ValueError as error:
    raise WorkflowError(f"edn: error: {error}") from None

config["runtime"] = asdict(SETTINGS.runtime)
TRANSFERS = [(pair.source, pair.target) for pair in SETTINGS.transfers]
# Nothing configured: the plain targets serve every video there is.
ALL_VIDEOS = sorted({name for pair in TRANSFERS for name in pair}) or list(VIDEOS)
ALL_TARGETS = sorted({target for _, target in TRANSFERS}) or list(VIDEOS)
STAGES = SETTINGS.training.stages


def section(name):
    """A section of the configuration with every default filled in, for params."""
    return asdict(getattr(SETTINGS, name))


def video_settings(name):
    """The settings of one video."""
    return asdict(SETTINGS.videos[name]) if name in SETTINGS.videos else {}


def video_file(name):
    """Where a video lies."""
    if name in DEMO_VIDEOS:
        return f"results/demo/{name}.mp4"
    if name not in VIDEOS:
        raise WorkflowError(
            f"edn: error: no video named {name!r} in {SETTINGS.videos_folder}/ "
            f"(found: {', '.join(VIDEOS) or 'none'})"
        )
    return VIDEOS[name]


def of_video(artefact, wildcard="video"):
    """Input function: an artefact of the video a wildcard names."""
    return lambda wildcards: f"results/videos/{getattr(wildcards, wildcard)}/{artefact}"


def previous_generator(wildcards):
    """The generator a stage starts from; nothing for the first stage."""
    number = STAGES.index(wildcards.stage)
    if number == 0:
        return []
    return f"results/models/{wildcards.target}/{STAGES[number - 1]}/generator.pt"


def background_plate(wildcards):
    """The target's clean plate, where one is asked for."""
    if SETTINGS.background == "paint":
        return []
    return f"results/videos/{wildcards.target}/background.png"


def split_settings(name):
    """What decides which frames of a video are held out."""
    return {
        "evaluation": section("evaluation"),
        "held_out": video_settings(name).get("held_out"),
    }
