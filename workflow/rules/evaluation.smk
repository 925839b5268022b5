"""How good a target's generator is, on the frames held out of its training."""


rule evaluate_model:
    input:
        generator="results/models/{target}/{stage}/generator.pt",
        frames="results/videos/{target}/frames.h5",
        labels="results/videos/{target}/labels.h5",
        keypoints="results/videos/{target}/keypoints.h5",
    output:
        metrics="results/evaluation/{target}/{stage}/metrics.json",
        plot="results/evaluation/{target}/{stage}/comparison.png",
    log:
        "logs/evaluation/{target}/{stage}.log",
    benchmark:
        "results/benchmarks/evaluation/{target}/{stage}.tsv"
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 4
    resources:
        gpu=1,
    params:
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["evaluation"],
    script:
        "../scripts/evaluate_model.py"
