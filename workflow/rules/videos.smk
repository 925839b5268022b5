"""The drawn demo videos, pictures made a video, and a preview for people to look at."""


rule film_demo:
    output:
        video="results/demo/{dancer}.mp4",
        keypoints="results/demo/{dancer}.keypoints.h5",
    log:
        "logs/demo/{dancer}.log",
    benchmark:
        "results/benchmarks/demo/{dancer}.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("pictures", "dancer"),
    params:
        demo=lambda wildcards: section("demo"),
        revision=REVISIONS["demo"],
    script:
        "../scripts/film_demo.py"


rule film_stills:
    output:
        video="results/videos/{video}/stills.mov",
    log:
        "logs/videos/{video}/film_stills.log",
    benchmark:
        "results/benchmarks/videos/{video}/film_stills.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("pictures", "video"),
    params:
        fps=lambda wildcards: video_settings(wildcards.video)["fps"],
        pictures=lambda wildcards: stills_digest(VIDEOS[wildcards.video]),
        revision=REVISIONS["stills"],
    script:
        "../scripts/film_stills.py"


rule preview_video:
    input:
        video=lambda wildcards: video_file(wildcards.video),
        keypoints="results/videos/{video}/keypoints.h5",
    output:
        preview=report(
            "results/videos/{video}/preview.mp4",
            caption="../report/preview.rst",
            category="Videos",
            labels={"video": "{video}", "kind": "skeleton"},
        ),
    log:
        "logs/videos/{video}/preview_video.log",
    benchmark:
        "results/benchmarks/videos/{video}/preview_video.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("video", "video"),
    params:
        revision=REVISIONS["assembly"],
    script:
        "../scripts/preview_video.py"
