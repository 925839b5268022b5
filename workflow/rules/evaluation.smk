"""How good is it: on the frames held out of a target's training, and on transfers."""


rule evaluate_truth:
    input:
        video=lambda wildcards: video_file(wildcards.target),
        keypoints="results/videos/{target}/keypoints.h5",
        models=pose_files,
    output:
        truth="results/evaluation/{target}/truth_keypoints.h5",
    log:
        "logs/evaluation/{target}/truth.log",
    benchmark:
        "results/benchmarks/evaluation/{target}/truth.tsv"
    conda:
        "../../envs/edn-gpu.yaml" if OWN_WEIGHTS else "../../envs/edn.yaml"
    threads: 4
    resources:
        **asks("networks", "target"),
        gpu=1 if OWN_WEIGHTS else 0,
    params:
        pose=lambda wildcards: pose_settings(wildcards.target),
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["evaluation"],
    script:
        "../scripts/evaluate_truth.py"


rule evaluate_target:
    input:
        generators=generators_of_target,
        video=lambda wildcards: video_file(wildcards.target),
        labels="results/videos/{target}/labels.zip",
        keypoints="results/videos/{target}/keypoints.h5",
        masks=masks_of_target,
        room=room_of_target,
        room_report=shadow_of_target,
        truth=truth_keypoints,
        models=pose_files,
    output:
        json="results/evaluation/{target}/table.json",
        markdown="results/evaluation/{target}/table.md",
        csv=report(
            "results/evaluation/{target}/table.csv",
            caption="../report/table.rst",
            category="Evaluation",
            labels={"target": "{target}", "kind": "table"},
        ),
        plot=report(
            "results/evaluation/{target}/comparison.png",
            caption="../report/evaluation.rst",
            category="Evaluation",
            labels={"target": "{target}", "kind": "held-out frames"},
        ),
    log:
        "logs/evaluation/{target}/table.log",
    benchmark:
        "results/benchmarks/evaluation/{target}/table.tsv"
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 8
    resources:
        **asks("evaluation", "target"),
        gpu=1,
    params:
        pose=lambda wildcards: pose_settings(wildcards.target),
        alexnet_sha256=alexnet_digest(),
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["evaluation"],
    script:
        "../scripts/evaluate_target.py"


rule evaluate_transfer:
    input:
        frames="results/transfer/{source}_to_{target}/frames.zip",
        keypoints="results/transfer/{source}_to_{target}/keypoints.h5",
        target_video=lambda wildcards: video_file(wildcards.target),
        target_keypoints=of_video("keypoints.h5", "target"),
        source_video=lambda wildcards: video_file(wildcards.source),
        source_keypoints=of_video("keypoints.h5", "source"),
        room=room_of_target,
        truth=truth_keypoints,
        models=pose_files,
    output:
        metrics="results/transfer/{source}_to_{target}/metrics.json",
        plot=report(
            "results/transfer/{source}_to_{target}/metrics.png",
            caption="../report/fidelity.rst",
            category="Transfers",
            labels={"source": "{source}", "target": "{target}", "kind": "metrics"},
        ),
    log:
        "logs/transfer/{source}_to_{target}/evaluate_transfer.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/evaluate_transfer.tsv"
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 4
    resources:
        **asks("networks", "source"),
        gpu=1 if OWN_WEIGHTS else 0,
    params:
        pose=lambda wildcards: pose_settings(wildcards.target),
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["evaluation"],
    script:
        "../scripts/evaluate_transfer.py"
