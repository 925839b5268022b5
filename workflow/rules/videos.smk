"""From a video to its frames, and a preview people can look at."""


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


rule extract_frames:
    input:
        video=lambda wildcards: video_file(wildcards.video),
    output:
        frames="results/videos/{video}/frames.zip",
    log:
        "logs/videos/{video}/extract_frames.log",
    benchmark:
        "results/benchmarks/videos/{video}/extract_frames.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("video", "video"),
    params:
        video=lambda wildcards: {
            name: video_settings(wildcards.video)[name] for name in ("start_s", "stop_s")
        },
        canvas=section("canvas"),
        revision=REVISIONS["frames"],
    script:
        "../scripts/extract_frames.py"


rule preview_video:
    input:
        frames="results/videos/{video}/frames.zip",
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
        **asks("pictures", "video"),
    params:
        revision=REVISIONS["assembly"],
    script:
        "../scripts/preview_video.py"
