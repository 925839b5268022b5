"""From a video to the dancer's keypoints and how far and tall the dancer stands."""

MODELS = [as_placed(f"{SETTINGS.pose.models_folder}/{model.name}.tflite") for model in POSE_MODELS]


rule fetch_pose_models:
    output:
        # Only what is missing: Snakemake deletes a rule's outputs before it runs it, and the user
        # may have put some of them there.
        [path for path in MODELS if not Path(path).is_file()] or MODELS,
    log:
        "logs/fetch_pose_models.log",
    localrule: True
    conda:
        "../../envs/edn.yaml"
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
    script:
        "../scripts/fetch_pose_models.py"


rule estimate_pose:
    input:
        video=lambda wildcards: video_file(wildcards.video),
        models=MODELS if SETTINGS.pose.backend == "mediapipe" else OWN_WEIGHTS,
        archive=lambda wildcards: keypoint_archive(wildcards.video),
    output:
        keypoints="results/videos/{video}/keypoints.raw.h5",
    log:
        "logs/videos/{video}/estimate_pose.log",
    benchmark:
        "results/benchmarks/videos/{video}/estimate_pose.tsv"
    conda:
        "../../envs/edn-gpu.yaml" if OWN_WEIGHTS else "../../envs/edn.yaml"
    threads: 4
    resources:
        **asks("video", "video"),
        # LiteRT, the default backend's, knows no GPU.
        gpu=1 if OWN_WEIGHTS else 0,
    params:
        pose=lambda wildcards: pose_settings(wildcards.video),
        video=lambda wildcards: part_of_video(wildcards.video),
        keypoint_files=lambda wildcards: keypoint_digest(wildcards.video),
        revision=REVISIONS["pose"],
    script:
        "../scripts/estimate_pose.py"


rule smooth_pose:
    input:
        keypoints="results/videos/{video}/keypoints.raw.h5",
    output:
        keypoints="results/videos/{video}/keypoints.h5",
    log:
        "logs/videos/{video}/smooth_pose.log",
    benchmark:
        "results/benchmarks/videos/{video}/smooth_pose.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("keypoints", "video"),
    params:
        smoothing=section("smoothing"),
        revision=REVISIONS["smoothing"],
    script:
        "../scripts/smooth_pose.py"


rule measure_video:
    input:
        keypoints="results/videos/{video}/keypoints.h5",
    output:
        statistics="results/videos/{video}/statistics.json",
    log:
        "logs/videos/{video}/measure_video.log",
    benchmark:
        "results/benchmarks/videos/{video}/measure_video.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("keypoints", "video"),
    params:
        statistics=section("statistics"),
        revision=REVISIONS["statistics"],
    script:
        "../scripts/measure_video.py"
