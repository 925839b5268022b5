"""What the networks see of a video: its labels and the room without the dancer."""


rule render_labels:
    input:
        keypoints="results/videos/{video}/keypoints.h5",
        canvas="results/videos/{video}/frames.zip",
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


rule build_background:
    input:
        frames="results/videos/{video}/frames.zip",
        keypoints="results/videos/{video}/keypoints.h5",
    output:
        plate="results/videos/{video}/background.png",
    log:
        "logs/videos/{video}/build_background.log",
    benchmark:
        "results/benchmarks/videos/{video}/build_background.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("plate", "video"),
    params:
        split=lambda wildcards: split_settings(wildcards.video),
        revision=REVISIONS["background"],
    script:
        "../scripts/build_background.py"
