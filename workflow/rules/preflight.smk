"""Will this work? Asked in seconds before hours of training; nothing else waits for the answer."""


rule preflight_video:
    input:
        video=lambda wildcards: video_file(wildcards.video),
        raw="results/videos/{video}/keypoints.raw.h5",
        keypoints="results/videos/{video}/keypoints.h5",
    output:
        report="results/videos/{video}/preflight.json",
        sheet=report(
            "results/videos/{video}/preflight.png",
            caption="../report/preflight_video.rst",
            category="Videos",
            labels={"video": "{video}", "kind": "preflight"},
        ),
    log:
        "logs/videos/{video}/preflight_video.log",
    benchmark:
        "results/benchmarks/videos/{video}/preflight_video.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("video", "video"),
    params:
        revision=REVISIONS["preflight"],
    script:
        "../scripts/preflight_video.py"


rule preflight_pair:
    input:
        keypoints="results/transfer/{source}_to_{target}/keypoints.h5",
        target_keypoints=of_video("keypoints.h5", "target"),
        source_keypoints=of_video("keypoints.h5", "source"),
        source_video=lambda wildcards: video_file(wildcards.source),
        target_video=lambda wildcards: video_file(wildcards.target),
        source_statistics=of_video("statistics.json", "source"),
        target_statistics=of_video("statistics.json", "target"),
        target_window=of_video("window.json", "target"),
        target_room=room_report_of_target,
        source_report=of_video("preflight.json", "source"),
        target_report=of_video("preflight.json", "target"),
    output:
        report="results/transfer/{source}_to_{target}/preflight.json",
        sheet=report(
            "results/transfer/{source}_to_{target}/preflight.png",
            caption="../report/preflight_pair.rst",
            category="Transfers",
            labels={"source": "{source}", "target": "{target}", "kind": "preflight"},
        ),
    log:
        "logs/transfer/{source}_to_{target}/preflight_pair.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/preflight_pair.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("video", "source"),
    params:
        split=lambda wildcards: split_settings(wildcards.target),
        normalization=section("normalization"),
        revision=REVISIONS["preflight"],
    script:
        "../scripts/preflight_pair.py"
