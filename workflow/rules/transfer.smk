"""From a source's keypoints and a target's generator to the finished video."""


rule normalize_pose:
    input:
        keypoints=of_video("keypoints.h5", "source"),
        target_keypoints=of_video("keypoints.h5", "target"),
        source=of_video("statistics.json", "source"),
        target=of_video("statistics.json", "target"),
    output:
        keypoints="results/transfer/{source}_to_{target}/keypoints.h5",
    log:
        "logs/transfer/{source}_to_{target}/normalize_pose.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/normalize_pose.tsv"
    # Before the training: a pair that is refused here should be so before hours are spent.
    priority: 60
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("keypoints", "source"),
    params:
        normalization=section("normalization"),
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["normalization"],
    script:
        "../scripts/normalize_pose.py"


rule render_transfer_labels:
    input:
        keypoints="results/transfer/{source}_to_{target}/keypoints.h5",
        statistics=of_video("statistics.json", "target"),
        window=of_video("window.json", "target"),
    output:
        labels="results/transfer/{source}_to_{target}/labels.zip",
    log:
        "logs/transfer/{source}_to_{target}/render_transfer_labels.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/render_transfer_labels.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("pictures", "source"),
    params:
        labels=section("labels"),
        revision=REVISIONS["labels"],
    script:
        "../scripts/render_labels.py"


rule synthesize_frames:
    input:
        generator=f"results/models/{{target}}/{STAGES[-1]}/generator.safetensors",
        labels="results/transfer/{source}_to_{target}/labels.zip",
        keypoints="results/transfer/{source}_to_{target}/keypoints.h5",
    output:
        frames="results/transfer/{source}_to_{target}/frames.zip",
    log:
        "logs/transfer/{source}_to_{target}/synthesize_frames.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/synthesize_frames.tsv"
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 4
    resources:
        **asks("networks", "source"),
        gpu=1,
    params:
        synthesis=section("synthesis"),
        revision=REVISIONS["synthesis"],
    script:
        "../scripts/synthesize_frames.py"


rule assemble_video:
    input:
        frames="results/transfer/{source}_to_{target}/frames.zip",
        room=background_of_film,
        source_keypoints=of_video("keypoints.h5", "source"),
        source_video=lambda wildcards: video_file(wildcards.source),
    output:
        video=report(
            "results/transfer/{source}_to_{target}.{container}",
            caption="../report/video.rst",
            category="Transfers",
            labels={"source": "{source}", "target": "{target}", "kind": "finished video"},
        ),
    log:
        "logs/transfer/{source}_to_{target}/assemble_video.{container}.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/assemble_video.{container}.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("film", "source", "target"),
    params:
        assembly=section("assembly"),
        revision=REVISIONS["assembly"],
    script:
        "../scripts/assemble_video.py"


rule compare_video:
    input:
        source_keypoints=of_video("keypoints.h5", "source"),
        labels="results/transfer/{source}_to_{target}/labels.zip",
        frames="results/transfer/{source}_to_{target}/frames.zip",
        room=room_of_target,
        source_video=lambda wildcards: video_file(wildcards.source),
    output:
        comparison=report(
            "results/transfer/{source}_to_{target}/comparison.mp4",
            caption="../report/comparison.rst",
            category="Transfers",
            labels={"source": "{source}", "target": "{target}", "kind": "comparison"},
        ),
    log:
        "logs/transfer/{source}_to_{target}/compare_video.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/compare_video.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("film", "source", "target"),
    params:
        assembly=section("assembly"),
        revision=REVISIONS["assembly"],
    script:
        "../scripts/compare_video.py"


rule plot_normalization:
    input:
        before=of_video("keypoints.h5", "source"),
        after="results/transfer/{source}_to_{target}/keypoints.h5",
        target=of_video("keypoints.h5", "target"),
        source_statistics=of_video("statistics.json", "source"),
        target_statistics=of_video("statistics.json", "target"),
    output:
        plot=report(
            "results/transfer/{source}_to_{target}/normalization.png",
            caption="../report/normalization.rst",
            category="Transfers",
            labels={"source": "{source}", "target": "{target}", "kind": "normalization"},
        ),
    log:
        "logs/transfer/{source}_to_{target}/plot_normalization.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/plot_normalization.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("keypoints", "source"),
    params:
        mode=SETTINGS.normalization.mode,
        revision=REVISIONS["assembly"],
    script:
        "../scripts/plot_normalization.py"
