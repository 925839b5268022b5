"""Paths, settings and the helpers rules share; no rule stands here."""

import functools
import os
import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from snakemake.logging import logger

from edn_core import REVISIONS
from edn_core.config import STAGES as KNOWN_STAGES
from edn_core.config import VideoConfig, pose_of_video, read_config, training_options
from edn_core.compose import is_colour
from edn_core.errors import explain
from edn_core.intake import DEMO_VIDEOS, NAME, check_place, find_videos, videos_of_transfer
from edn_core.mark import check_mark
from edn_core.pose import BACKENDS
from edn_core.pose.models import MODELS as POSE_MODELS, check_weight_files, weight_files
from edn_core.pose.openpose_files import files_of, folder_digest
from edn_core.preset import keep_preset, settle_preset
from edn_core.render import LABEL_STYLES
from edn_core.resources import Footage, measure_footage, needs, stage_minutes
from edn_core.status import last_words
from edn_core.store import read_json, write_json
from edn_core.video.encoding import CODINGS
from edn_core.video.stills import stills_digest
from edn_core.weights import PUBLISHED, settle_weights

# Snakemake 9.27 puts it into shell commands as it stands, which a blank or ' in its path broke.
sys.executable = shlex.quote(sys.executable)
STARTED = time.time()

PRESET_FILE = placed("results/preset.yaml")
WEIGHTS_FILE = placed("results/weights.json")


wildcard_constraints:
    video=NAME,
    source=NAME,
    target=NAME,
    dancer="|".join(DEMO_VIDEOS),
    stage="|".join(KNOWN_STAGES),
    container="|".join(one[1:] for one in CODINGS),


def stop(error):
    """End with one line. A WorkflowError would add places in this file, and while the jobs are
    planned Snakemake passes over one wherever an output of an earlier run is there already."""
    sys.exit(f"edn: error: {error}")


def settle_settings():
    """The whole configuration, with the preset's values under the user's; the preset with why it
    was chosen, nothing where the user names it; and the weight files that are set."""
    preset, because = config.get("preset", "auto"), ""
    if preset == "auto":
        preset, because = settle_preset(PRESET_FILE)
        if IS_MODULE and not Path(PRESET_FILE).is_file():
            raise ValueError(
                "config.yaml: preset is 'auto', which a module of another workflow cannot keep for "
                f"the next run; name one, such as {preset} (here {because})"
            )
    settings = place_settings(read_config(config, preset))
    # A module has no start of its own at which it might fetch; a job comes to what its run did.
    missing = False if IS_MODULE else None if workflow.is_main_process else True
    settings, weights = settle_weights(settings, KEPT_WEIGHTS, missing)
    if workflow.is_main_process:  # once: a job's settings are those its run was started with
        check_references(settings)
        if because and preset == "cpu":
            logger.info(
                f"edn: preset cpu ({because}; kept in {PRESET_FILE}): a small preview that "
                "finishes in minutes. For more set canvas.pixels and the stages' steps in "
                "config/config.yaml (docs/training.md says what costs what)."
            )
    return settings, (preset, because), weights


def check_references(settings):
    """Names of registries, and the poses' weight files: refused before any job."""
    for setting, name, known in (
        ("pose.backend", settings.pose.backend, BACKENDS),
        ("labels.style", settings.labels.style, LABEL_STYLES),
    ):
        if name not in known:
            raise ValueError(f"config.yaml: {setting} is {name!r}; known: {', '.join(known)}")
    check_weight_files(settings.pose)
    behind = settings.assembly.background
    if behind not in ("room", "transparent") and not (is_colour(behind) or Path(behind).is_file()):
        raise ValueError(
            f"config.yaml: assembly.background is {behind!r}, and there is no such file; expected "
            "room, transparent, a colour #rrggbb or a picture file"
        )
    if settings.assembly.mark:
        check_mark(settings.assembly.mark)


try:
    methods = getattr(workflow.deployment_settings, "deployment_method", ())
    check_place(workflow.basedir, any(one.name == "CONDA" for one in methods))
    KEPT_WEIGHTS = read_json(WEIGHTS_FILE) if Path(WEIGHTS_FILE).is_file() else {}
    SETTINGS, PRESET, WEIGHTS = settle_settings()
    OWN_WEIGHTS = [as_placed(path) for path in weight_files(SETTINGS.pose).values()]
    check_place(SETTINGS.videos_folder)
    INTAKE = find_videos(SETTINGS.videos_folder)
    VIDEOS = INTAKE.videos
    TRANSFERS = [(pair.source, pair.target) for pair in SETTINGS.transfers]
    configured = [*(name for pair in TRANSFERS for name in pair), *SETTINGS.videos]
    INTAKE.check_asked(configured)
    if INTAKE.passed_over and workflow.is_main_process:
        logger.warning(f"edn: passed over: {'; '.join(INTAKE.passed_over.values())}")
except ValueError as error:
    stop(error)

# What changes no result, and where files lie: jobs read these from `config`, not from params.
config |= {
    name: asdict(getattr(SETTINGS, name)) for name in ("pose", "runtime", "training", "evaluation")
}
config["videos_folder"] = SETTINGS.videos_folder
# Nothing configured: the plain targets serve every video there is.
ALL_VIDEOS = sorted({name for pair in TRANSFERS for name in pair}) or list(VIDEOS)
ALL_TARGETS = sorted({target for _, target in TRANSFERS}) or list(VIDEOS)
STAGES = SETTINGS.training.stages


def say_last():
    """When a run fails: what its jobs said, as the last lines on the terminal."""
    if said := last_words(STARTED):
        stop("\nedn: error: ".join(said))


def keep_decisions():
    """When a run starts: write down which preset `auto` became."""
    if SETTINGS.preset == "auto":
        if not workflow.local_exec:
            stop(
                "preset is 'auto', but the jobs go to other machines, which may differ from this "
                "one; name one: --config preset=24gb (or preset: 24gb in config/config.yaml)"
            )
        try:
            keep_preset(PRESET_FILE, *PRESET)
        except OSError as error:
            stop(explain(error))


def bring_weights():
    """When a run starts: fetch the weight files that its jobs want, and write down what `auto` came
    to, so that later runs come to the same."""
    planned = {job.rule.name.partition("_")[0] for job in workflow.dag.needrun_jobs()}
    for one in WEIGHTS:
        name, is_training = one.weights.name, one.weights.section == "training"
        if ("train" if is_training else "evaluate") not in planned:
            continue
        if not one.is_there:
            logger.info(
                f"edn: {one.setting}: auto came to nothing, as the network was away "
                f"({one.weights.without}); to have it bring {PUBLISHED}/{one.weights.file} to "
                f"{one.path.parent} and delete {WEIGHTS_FILE}"
            )
        try:
            one.fetch()
            if one.is_auto and name not in KEPT_WEIGHTS:
                KEPT_WEIGHTS[name] = one.is_there
                write_json(WEIGHTS_FILE, KEPT_WEIGHTS)
        except (ValueError, OSError) as error:
            stop(explain(error))


def mark_outdated():
    """When a run starts: mark what there is of its outputs as incomplete, until it is made anew.

    Snakemake deletes a job's outputs when the job starts. Were the run stopped then, a later one
    would see a finished video, whose inputs miss only what it can do without, and call it up to
    date, though it is of the settings before.
    """
    for job in workflow.dag.needrun_jobs():
        if any(os.path.exists(path) for path in job.output):
            workflow.persistence.started(job)


def section(name):
    """A section of the configuration with every default filled in, for params."""
    return asdict(getattr(SETTINGS, name))


def video_settings(name):
    """The settings of one video."""
    return asdict(SETTINGS.videos.get(name, VideoConfig()))


def part_of_video(name):
    """Which part of a video is used."""
    return {one: video_settings(name)[one] for one in ("start_s", "stop_s")}


def pose_settings(name):
    """The pose settings of one video: its own choice of the dancer over the general one."""
    return asdict(pose_of_video(SETTINGS.pose, SETTINGS.videos.get(name, VideoConfig())))


def split_settings(name):
    """What decides which frames of a video are held out."""
    fractions = ("test_fraction", "validation_fraction")
    return {
        "evaluation": {one: getattr(SETTINGS.evaluation, one) for one in fractions},
        "held_out": video_settings(name)["held_out"],
    }


def video_file(name):
    """Where a video lies."""
    if name in DEMO_VIDEOS:
        return f"results/demo/{name}.mp4"
    try:
        INTAKE.check_asked([name])
    except ValueError as error:
        stop(error)
    path, fps = VIDEOS[name], video_settings(name)["fps"]
    if Path(path).is_dir() != bool(fps):
        stop(f"{path}: videos.{name}.fps has to be set for a folder of pictures, and for no other")
    return f"results/videos/{name}/stills.mov" if fps else as_placed(path)


def of_video(artefact, wildcard="video"):
    """Input function: an artefact of the video a wildcard names."""
    return lambda wildcards: f"results/videos/{getattr(wildcards, wildcard)}/{artefact}"


@functools.cache
def footage(name):
    """How much of a video there is; looked up once, since many jobs ask."""
    if name in DEMO_VIDEOS:
        seconds = max(SETTINGS.demo.source_s, SETTINGS.demo.target_s)
        return Footage(round(30 * seconds), 0.3, SETTINGS.canvas.pixels / 1e6)
    video = SETTINGS.videos.get(name, VideoConfig())
    return measure_footage(VIDEOS.get(name, ""), video, SETTINGS.canvas.pixels)


def stage_options(wildcards):
    """What a stage's training depends on, with its share of the minutes where they are set."""
    minutes = stage_minutes(wildcards.stage, footage(wildcards.target), SETTINGS)
    options = training_options(SETTINGS.training, wildcards.stage)
    return options if minutes is None else {**options, "minutes": minutes}


def asks(kind, video, shown=""):
    """Resources of a job, which a cluster wants to know: memory (MB) and time (minutes).

    More of both at each further attempt, since a job that ran out of either is sent anew; but no
    more time for a training, which goes on where it was stopped.

    Args:
        kind: one of edn_core.resources.KINDS, or "training".
        video: the wildcard that names its video (of a transfer the source's), or a name.
        shown: the wildcard of the video whose size the frames have, where it is another.
    """

    def first(wildcards):
        one = wildcards.stage if kind == "training" else kind
        there = footage(getattr(wildcards, video, video))
        if shown:
            there = replace(there, video_mp=footage(getattr(wildcards, shown)).video_mp)
        return needs(one, there, SETTINGS, PRESET[0])

    longer = 0 if kind == "training" else 1
    return {
        "mem_mb": lambda wildcards, attempt: first(wildcards)[0] * attempt,
        "runtime": lambda wildcards, attempt: first(wildcards)[1] * attempt**longer,
    }
