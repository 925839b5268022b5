"""What the networks see of a target: the dancer cut out of his video, and his labels; the room."""


rule find_matte:
    input:
        video=lambda wildcards: video_file(wildcards.video),
        keypoints="results/videos/{video}/keypoints.h5",
        models=MODELS if SETTINGS.matte.by == "network" else [],
    output:
        masks="results/videos/{video}/masks.zip",
    log:
        "logs/videos/{video}/find_matte.log",
    benchmark:
        "results/benchmarks/videos/{video}/find_matte.tsv"
    conda:
        "../../envs/edn.yaml"
    threads: 4
    resources:
        **asks("video", "video"),
    params:
        matte=section("matte"),
        revision=REVISIONS["matte"],
    script:
        "../scripts/find_matte.py"


rule build_room:
    input:
        video=lambda wildcards: video_file(wildcards.video),
        keypoints="results/videos/{video}/keypoints.h5",
        masks="results/videos/{video}/masks.zip",
    output:
        room="results/videos/{video}/room.png",
        report="results/videos/{video}/room.json",
    log:
        "logs/videos/{video}/build_room.log",
    benchmark:
        "results/benchmarks/videos/{video}/build_room.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("room", "video"),
    params:
        split=lambda wildcards: split_settings(wildcards.video),
        revision=REVISIONS["room"],
    script:
        "../scripts/build_room.py"


rule plan_window:
    input:
        keypoints="results/videos/{video}/keypoints.h5",
        statistics="results/videos/{video}/statistics.json",
    output:
        window="results/videos/{video}/window.json",
    log:
        "logs/videos/{video}/plan_window.log",
    benchmark:
        "results/benchmarks/videos/{video}/plan_window.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("keypoints", "video"),
    params:
        pixels=SETTINGS.canvas.pixels,
        background=SETTINGS.background,
        split=lambda wildcards: split_settings(wildcards.video),
        revision=REVISIONS["window"],
    script:
        "../scripts/plan_window.py"


rule cut_window:
    input:
        video=lambda wildcards: video_file(wildcards.video),
        keypoints="results/videos/{video}/keypoints.h5",
        statistics="results/videos/{video}/statistics.json",
        window="results/videos/{video}/window.json",
        masks=masks_of_video,
    output:
        frames="results/videos/{video}/frames.zip",
    log:
        "logs/videos/{video}/cut_window.log",
    benchmark:
        "results/benchmarks/videos/{video}/cut_window.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("video", "video"),
    params:
        canvas={"jpeg_quality": SETTINGS.canvas.jpeg_quality},
        revision=REVISIONS["frames"],
    script:
        "../scripts/cut_window.py"


rule render_labels:
    input:
        keypoints="results/videos/{video}/keypoints.h5",
        statistics="results/videos/{video}/statistics.json",
        window="results/videos/{video}/window.json",
    output:
        labels="results/videos/{video}/labels.zip",
    log:
        "logs/videos/{video}/render_labels.log",
    benchmark:
        "results/benchmarks/videos/{video}/render_labels.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("pictures", "video"),
    params:
        labels=section("labels"),
        revision=REVISIONS["labels"],
    script:
        "../scripts/render_labels.py"
