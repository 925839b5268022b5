"""What single rules read and depend on, and what people ask for; no rule stands here."""


def transfer_files(source, target):
    """Everything a transfer leaves for people to look at."""
    folder = f"results/transfer/{source}_to_{target}"
    suffix = "webm" if SETTINGS.assembly.background == "transparent" else "mp4"
    return [
        f"{folder}.{suffix}",
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


def refuse_target(wildcards):
    """Input function: stop where a target is none that rules know; Snakemake would not say why."""
    stop(INTAKE.why_wrong(wildcards.path))


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


def report_files(wildcards):
    """Input function: what the report shows of the configured transfers, or of those asked for."""
    named = filter(None, map(videos_of_transfer, asked_for()))
    paths = []
    for source, target in TRANSFERS or named:
        paths += transfer_files(source, target)
        folder = f"results/transfer/{source}_to_{target}"
        paths += [f"{folder}/preflight.json", f"{folder}/metrics.json"]
        paths += [f"results/videos/{name}/preflight.json" for name in (source, target)]
        paths += [f"results/evaluation/{target}/table.json"]
        if SETTINGS.background == "room":
            paths += [f"results/videos/{target}/room.png"]
    return list(dict.fromkeys(paths))


def finished_transfers():
    """What tells one set of finished videos from another: path -> bytes and time of change."""
    paths = sorted(Path(placed("results/transfer")).glob("*"))
    there = {path: path.stat() for path in paths if path.suffix in CODINGS}
    return {str(path): [one.st_size, int(one.st_mtime)] for path, one in there.items()}


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


def masks_of_video(wildcards):
    """A video's mattes; nothing where the whole picture is painted."""
    if SETTINGS.background == "paint":
        return []
    return f"results/videos/{wildcards.video}/masks.zip"


def masks_of_target(wildcards):
    """The target's mattes; likewise."""
    if SETTINGS.background == "paint":
        return []
    return f"results/videos/{wildcards.target}/masks.zip"


def room_of_target(wildcards):
    """The target's room, where the dancer alone is painted."""
    if SETTINGS.background == "paint":
        return []
    return f"results/videos/{wildcards.target}/room.png"


def shadow_of_target(wildcards):
    """What is known of the shadow at the target's feet, where the dancer alone is painted."""
    if SETTINGS.background == "paint":
        return []
    return f"results/videos/{wildcards.target}/room.json"


def room_report_of_target(wildcards):
    """What is known of the target's room, where the film shows it."""
    if SETTINGS.background == "paint" or SETTINGS.assembly.background != "room":
        return []
    return f"results/videos/{wildcards.target}/room.json"


def background_of_film(wildcards):
    """What the film shows behind the dancer: the target's room, or a picture file."""
    what = SETTINGS.assembly.background
    if what == "transparent" and wildcards.container == "mp4":
        name = f"{wildcards.source}_to_{wildcards.target}"
        stop(
            "assembly.background is transparent, which an mp4 cannot be; ask for "
            f"`results/transfer/{name}.webm`, or `{name}.mov`"
        )
    if what == "room":
        return room_of_target(wildcards)
    return [] if what == "transparent" or is_colour(what) else as_placed(what)


def truth_keypoints(wildcards):
    """Poses found anew in the true frames; nothing where the backend can find no new ones."""
    if SETTINGS.pose.backend == "openpose_files":
        return []
    return f"results/evaluation/{wildcards.target}/truth_keypoints.h5"


def pose_files(wildcards):
    """What the pose backend needs to look at synthesized frames."""
    return MODELS if SETTINGS.pose.backend == "mediapipe" else OWN_WEIGHTS


def generators_of_target(wildcards):
    """The generator of every stage of a target."""
    path = "results/models/{target}/{stage}/generator.safetensors"
    return expand(path, target=wildcards.target, stage=STAGES)


def alexnet_digest():
    """LPIPS' network by its content: a file that was moved is the same file."""
    return SETTINGS.evaluation.alexnet_sha256 if SETTINGS.evaluation.alexnet else ""
