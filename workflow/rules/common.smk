"""Paths, settings and the helpers rules share; no rule stands here."""

import functools
import os
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.logging import logger

from edn_core import REVISIONS
from edn_core.config import (
    STAGES as KNOWN_STAGES,
    Config,
    VideoConfig,
    check_config,
    pose_of_video,
    read_section,
    training_options,
    with_preset,
)
from edn_core.intake import (
    DEMO_VIDEOS,
    NAME,
    check_asked,
    check_times,
    find_videos,
    videos_in_target,
)
from edn_core.pose.models import MODELS as POSE_MODELS, check_weight_files, weight_files
from edn_core.pose.openpose_files import files_of, folder_digest
from edn_core.preset import keep_preset, settle_preset
from edn_core.resources import (
    demo_footage,
    measure_footage,
    pair_footage,
    step_needs,
    training_needs,
)
from edn_core.run_log import end_run, start_run

# Threads that wait for each other by spinning make a step eight times slower where another program
# takes one of the cores (measured: 92 -> 764 ms); this few turns cost 10 % on an idle machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

PRESET_FILE = placed("results/preset.yaml")
SCHEMA = workflow.source_path("../schemas/config.schema.yaml")
# Whether results lie in an object storage (docs/cluster.md) and not in this folder.
HAS_STORAGE = workflow.storage_settings.default_storage_provider not in (None, "none")


wildcard_constraints:
    video=NAME,
    source=NAME,
    target=NAME,
    dancer="|".join(DEMO_VIDEOS),
    stage="|".join(KNOWN_STAGES),


def stop(error):
    """End with one line. A WorkflowError would add places in this file, and while the jobs are
    planned Snakemake passes over one wherever an output of an earlier run is there already."""
    sys.exit(f"edn: error: {error}")


def check_folders():
    """A file in the place of a folder would end in a traceback of Snakemake's own."""
    roots = [Path(".snakemake"), *(Path(placed(f)) for f in ("resources", "results", "logs"))]
    inside = [
        path for root in roots[2:] for depth in ("*", "*/*", "*/*/*") for path in root.glob(depth)
    ]
    for path in [*roots, *inside]:
        # Whatever the workflow writes there has a suffix; its folders have none, hidden files apart.
        if path.is_file() and not path.suffix and (path in roots or path.name[0] != "."):
            raise ValueError(
                f"{path}: a file stands where the workflow's folder shall be; move it away"
            )


def check_writable():
    """A folder that nobody may write to would end in a traceback of Snakemake's own, which keeps
    its lock there, for a dry run too."""
    if workflow.is_main_process:
        for path in filter(Path.exists, map(Path, (".", ".snakemake"))):
            if not os.access(path, os.W_OK):
                raise ValueError(
                    f"{path.resolve() if path == Path() else path}: cannot be written (read-only, "
                    "or somebody else's); make it a writable folder and run the same command again"
                )


def settle_settings():
    """The whole configuration, checked, with the preset's values under the user's; and the preset
    with why it was chosen, nothing where the user names it."""
    if workflow.is_main_process:  # once: a job's settings are those its run was started with
        check_config(config, SCHEMA)
    preset, because = config.get("preset", "auto"), ""
    if preset == "auto":
        preset, because = settle_preset(PRESET_FILE)
        if IS_MODULE and not Path(PRESET_FILE).is_file():
            raise ValueError(
                "config.yaml: preset is 'auto', which a module of another workflow cannot keep for "
                f"the next run; name one, such as {preset} (here {because})"
            )
    settings = place_settings(read_section(Config, with_preset(config, preset), ""))
    if workflow.is_main_process:
        check_references(settings)
    if because and preset == "cpu" and workflow.is_main_process:
        logger.info(
            f"edn: preset cpu ({because}; kept in {PRESET_FILE}): a small preview canvas that "
            "finishes in minutes. For more set canvas.pixels and the stages' steps in "
            "config/config.yaml (docs/presets.md says what costs what)."
        )
    return settings, (preset, because)


def check_references(settings):
    """Names of registries and the weight file, checked once, before any job."""
    from edn_core.pose import BACKENDS
    from edn_core.render import LABEL_STYLES

    for setting, name, known in (
        ("pose.backend", settings.pose.backend, BACKENDS),
        ("labels.style", settings.labels.style, LABEL_STYLES),
    ):
        if name not in known:
            raise ValueError(f"config.yaml: {setting} is {name!r}; known: {', '.join(known)}")
    vgg19 = settings.training.vgg19
    if vgg19 and not Path(vgg19).is_file():
        raise ValueError(
            f"config.yaml: training.vgg19 is {vgg19!r}, and there is no such file; put torchvision's "
            "vgg19-dcbb9e9d.pth there, or leave it out: an L1 term then stands in"
        )
    alexnet = settings.evaluation.alexnet
    if alexnet and not Path(alexnet).is_file():
        raise ValueError(
            f"config.yaml: evaluation.alexnet is {alexnet!r}, and there is no such file; put "
            "torchvision's alexnet-owt-7be5be79.pth there, or leave it out: LPIPS is then not "
            "measured"
        )
    if settings.assembly.mark:
        from edn_core.mark import check_mark

        check_mark(settings.assembly.mark)


def keep_decisions():
    """When a run starts: write down which preset `auto` became."""
    try:
        if SETTINGS.preset == "auto":
            keep_preset(PRESET_FILE, *PRESET, is_this_machine=workflow.local_exec)
    except ValueError as error:
        stop(error)


def refuse_future():
    """When a run starts: no job whose input is dated in the future, see check_times."""
    try:
        check_times({path for job in workflow.dag.needrun_jobs() for path in job.input})
    except ValueError as error:
        stop(error)


RUN_LOG = []  # of this run, once it began


def begin_log():
    """When a run starts: begin its structured log (docs/logs.md)."""
    RUN_LOG.append(start_run(workflow, logger))


def end_log(is_done):
    """When a run ends: say where the result or the log is."""
    for log in RUN_LOG:
        for line in end_run(log, is_done):
            logger.info(line)


try:
    check_folders()
    check_writable()
    SETTINGS, PRESET = settle_settings()
    OWN_WEIGHTS = [as_placed(path) for path in weight_files(SETTINGS.pose).values()]
    if workflow.is_main_process:
        check_weight_files(SETTINGS.pose)
    VIDEOS = find_videos(SETTINGS.videos_folder)
    TRANSFERS = [(pair.source, pair.target) for pair in SETTINGS.transfers]
    # Snakemake knows its targets only after this file is read; the command line knows them now.
    asked = [name for word in asked_for() for name in videos_in_target(word)]
    configured = [name for pair in TRANSFERS for name in pair]
    check_asked([*asked, *configured, *SETTINGS.videos], VIDEOS, SETTINGS.videos_folder)
except ValueError as error:
    stop(error)

config["runtime"] = asdict(SETTINGS.runtime)
config["training"] = asdict(SETTINGS.training)
config["evaluation"] = asdict(SETTINGS.evaluation)
# Nothing configured: the plain targets serve every video there is.
ALL_VIDEOS = sorted({name for pair in TRANSFERS for name in pair}) or list(VIDEOS)
ALL_TARGETS = sorted({target for _, target in TRANSFERS}) or list(VIDEOS)
STAGES = SETTINGS.training.stages


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


def pose_settings(name):
    """The pose settings of one video: its own choice of the dancer over the general one."""
    return asdict(pose_of_video(SETTINGS.pose, SETTINGS.videos.get(name, VideoConfig())))


def keypoint_files(name):
    """Where a video's keypoints lie that were found before; nothing if they are to be found."""
    if SETTINGS.pose.backend != "openpose_files":
        return []
    path = files_of(SETTINGS.pose, name)
    if not path.exists():
        stop(
            f"{path}: nothing there; pose.backend openpose_files wants the keypoint files of video "
            f"{name} there, a folder or an archive; put them there, or correct pose.openpose_files"
        )
    return as_placed(path)


def keypoint_archive(name):
    """A video's archive of keypoints that were found before, nothing without one."""
    path = keypoint_files(name)
    return path if path and Path(path).is_file() else []


def keypoint_digest(name):
    """What the files in a video's folder of keypoints that were found before hold."""
    path = keypoint_files(name)
    try:
        return folder_digest(path) if path else ""
    except ValueError as error:
        stop(error)


def video_file(name):
    """Where a video lies."""
    if name in DEMO_VIDEOS:
        return f"results/demo/{name}.mp4"
    try:
        check_asked([name], VIDEOS, SETTINGS.videos_folder)
    except ValueError as error:
        stop(error)
    return as_placed(VIDEOS[name])


@functools.cache
def footage(name):
    """How much of a video there is; looked up once, since many jobs ask."""
    canvas = SETTINGS.canvas.pixels
    if name in DEMO_VIDEOS:
        return demo_footage(name, SETTINGS.demo, canvas)
    video = SETTINGS.videos.get(name, VideoConfig())
    store = placed(f"results/videos/{name}/frames.zip")
    return measure_footage(store, VIDEOS.get(name, ""), video, canvas)


@functools.cache
def needs(step, names, stage, threads):
    """What a job takes the first time, by its rule's name and the videos it is about."""
    seen = [footage(name) for name in names or [""]]
    if step == "train_stage":
        return training_needs(stage, seen[0], SETTINGS, PRESET[0], threads)
    about = pair_footage(*seen) if len(seen) == 2 else seen[0]
    return step_needs(step, about, SETTINGS, PRESET[0], threads)


def asks(step, *names):
    """Resources of a job, which a cluster wants to know: memory and, in minutes, time. More at each
    further attempt, since one that ran out of either is sent anew.

    Args:
        step: the rule's name.
        names: the wildcards that name its videos, source before target; or videos.
    """

    def of(wildcards, threads):
        about = tuple(getattr(wildcards, name, name) for name in names)
        return needs(step, about, getattr(wildcards, "stage", ""), threads)

    return {
        "mem_mb": lambda wildcards, threads, attempt: of(wildcards, threads).mem_mb * attempt,
        "runtime": lambda wildcards, threads, attempt: of(wildcards, threads).minutes * attempt,
    }


def of_video(artefact, wildcard="video"):
    """Input function: an artefact of the video a wildcard names."""
    return lambda wildcards: f"results/videos/{getattr(wildcards, wildcard)}/{artefact}"


def transfer_files(source, target):
    """Everything a transfer leaves for people to look at."""
    folder = f"results/transfer/{source}_to_{target}"
    return [
        f"{folder}.mp4",
        f"{folder}/comparison.mp4",
        f"{folder}/normalization.png",
        f"results/videos/{source}/preview.mp4",
        f"results/videos/{target}/preview.mp4",
    ]


def all_transfers(wildcards):
    """Input function: everything of every configured transfer."""
    if not TRANSFERS:
        say_how_to_ask()
    return [path for pair in TRANSFERS for path in transfer_files(*pair)]


def report_files(wildcards):
    """Input function: what the report shows of the configured transfers, or of those asked for."""
    named = [tuple(names) for word in asked_for() if len(names := videos_in_target(word)) == 2]
    paths = []
    for source, target in TRANSFERS or named:
        paths += transfer_files(source, target)
        folder = f"results/transfer/{source}_to_{target}"
        paths += [f"{folder}/preflight.json", f"{folder}/metrics.json"]
        paths += [f"results/videos/{name}/preflight.json" for name in (source, target)]
        paths += [f"results/evaluation/{target}/table.json"]
    return list(dict.fromkeys(paths))


def finished_transfers():
    """What tells one set of finished videos from another: path -> bytes and time of change."""
    there = {path: path.stat() for path in sorted(Path(placed("results/transfer")).glob("*.mp4"))}
    return {str(path): [one.st_size, int(one.st_mtime)] for path, one in there.items()}


def of_each(names, *paths):
    """Input function: these paths for each of the names and, where they hold one, each stage."""
    return lambda wildcards: (
        expand(paths, name=names, stage=STAGES) if names else say_how_to_ask() or []
    )


def of_pairs(pairs, artefact):
    """Input function: an artefact of each of these transfers.

    A function, since the many paths of a large matrix would be made anew for every job that reads
    these rules.
    """
    return lambda wildcards: [f"results/transfer/{s}_to_{t}/{artefact}" for s, t in pairs]


@functools.cache
def say_how_to_ask():
    """Nothing is configured and nothing was named: say once what to put where, and the command."""
    folder, names = SETTINGS.videos_folder, list(VIDEOS)
    if len(names) > 1:
        logger.info(
            f"edn: no transfers in config/config.yaml; {folder}/ holds {', '.join(names)}. For "
            f"{names[0]}'s dance with {names[1]}'s looks: "
            f"`snakemake {placed(f'results/transfer/{names[0]}_to_{names[1]}.mp4')}`"
        )
    else:
        logger.info(
            f"edn: nothing to do yet: {folder}/ holds {', '.join(names) or 'no videos'}. Put the "
            f"video of a dance and one of yourself there, say dance.mp4 and me.mp4, and run "
            f"`snakemake {placed('results/transfer/dance_to_me.mp4')}`; or see the demo first: "
            "`make demo`"
        )


def network_sizes(stage):
    """The network settings a stage depends on: another face network retrains no body."""
    others = [] if stage == "face" else ["face_"]
    if stage not in ("enhance", "face") or "enhance" not in STAGES:
        others.append("enhancer_")
    return {
        name: size
        for name, size in section("network").items()
        if not name.startswith(tuple(others))
    }


def is_halved(stage):
    """Whether a stage is trained at half the canvas: those before `enhance`."""
    return "enhance" in STAGES and STAGES.index(stage) < STAGES.index("enhance")


def gpus_of_training():
    """How many GPUs a training asks for; refused where the run may not use so many, since
    Snakemake would ask for fewer without a word."""
    wanted = SETTINGS.runtime.gpus_per_training
    granted = workflow.global_resources.get("gpu")
    granted = getattr(granted, "value", granted)
    if granted is not None and wanted > max(1, granted):
        stop(
            f"runtime.gpus_per_training is {wanted}, but this run may use {granted} "
            f"(gpu={granted}); give `--resources gpu={wanted}`, or set "
            "runtime.gpus_per_training to 1"
        )
    return wanted


def previous_generator(wildcards):
    """The generator a stage starts from; nothing for the first stage."""
    if wildcards.stage not in STAGES:
        stop(
            f"stage {wildcards.stage!r} is not among training.stages ({', '.join(STAGES)}); set "
            "training.stages in config/config.yaml to have it"
        )
    number = STAGES.index(wildcards.stage)
    if number == 0:
        return []
    return f"results/models/{wildcards.target}/{STAGES[number - 1]}/generator.safetensors"


def previous_discriminator(wildcards):
    """The discriminator beside it, which has to be fetched where files lie in a storage."""
    generator = previous_generator(wildcards)
    return str(Path(generator).with_name("discriminator.safetensors")) if HAS_STORAGE and generator else []


def background_plate(wildcards):
    """The target's clean plate, where one is asked for."""
    if SETTINGS.background == "paint":
        return []
    return f"results/videos/{wildcards.target}/background.png"


def split_settings(name):
    """What decides which frames of a video are held out."""
    fractions = ("test_fraction", "validation_fraction")
    return {
        "evaluation": {one: getattr(SETTINGS.evaluation, one) for one in fractions},
        "held_out": video_settings(name)["held_out"],
    }


def truth_keypoints(wildcards):
    """Poses found anew in the true frames; nothing where the backend can find no new ones."""
    if SETTINGS.pose.backend == "openpose_files":
        return []
    return f"results/evaluation/{wildcards.target}/truth_keypoints.h5"


def pose_files(wildcards):
    """What the pose backend needs to look at synthesized frames."""
    return MODELS if SETTINGS.pose.backend == "mediapipe" else OWN_WEIGHTS


def evaluated_stages(wildcards):
    """The metrics of every stage of a target."""
    return expand(
        "results/evaluation/{target}/{stage}/metrics.json", target=wildcards.target, stage=STAGES
    )


def alexnet_digest():
    """LPIPS' network by its content: a file that was moved is the same file."""
    return SETTINGS.evaluation.alexnet_sha256 if SETTINGS.evaluation.alexnet else ""
