"""Training: one rule for every stage, each starting from the one before."""


rule train_stage:
    input:
        frames="results/videos/{target}/frames.zip",
        labels="results/videos/{target}/labels.zip",
        keypoints="results/videos/{target}/keypoints.h5",
        window="results/videos/{target}/window.json",
        start=previous_generator,
    output:
        generator="results/models/{target}/{stage}/generator.safetensors",
    log:
        "logs/models/{target}/{stage}.log",
    benchmark:
        "results/benchmarks/models/{target}/{stage}.tsv"
    priority: 50
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 4
    resources:
        **asks("training", "target"),
        gpu=gpus_of_training(),
    params:
        stage=lambda wildcards: section("training")[wildcards.stage],
        network=lambda wildcards: network_sizes(wildcards.stage),
        options=stage_options,
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["training"],
    script:
        "../scripts/train_stage.py"
