"""Plain names for what people ask for: `snakemake frames`, `snakemake face`, `snakemake demo`."""


def transfer_files(source, target):
    """Everything a transfer leaves for people to look at."""
    folder = f"results/transfer/{source}_to_{target}"
    return [
        f"{folder}.mp4",
        f"{folder}/comparison.mp4",
        f"{folder}/normalization.png",
        f"results/videos/{source}/preview.mp4",
        f"results/videos/{target}/preview.mp4",
    ]


ALL_TRANSFERS = [path for pair in TRANSFERS for path in transfer_files(*pair)]


rule all:
    default_target: True
    localrule: True
    input:
        ALL_TRANSFERS,


rule transfer:
    localrule: True
    input:
        ALL_TRANSFERS,


rule demo:
    localrule: True
    input:
        transfer_files(*DEMO_VIDEOS),
        expand(
            "results/evaluation/demo_target/{stage}/metrics.json",
            stage=STAGES,
        ),


rule frames:
    localrule: True
    input:
        expand("results/videos/{video}/frames.h5", video=ALL_VIDEOS),


rule poses:
    localrule: True
    input:
        expand(
            "results/videos/{video}/{artefact}",
            video=ALL_VIDEOS,
            artefact=["keypoints.h5", "preview.mp4"],
        ),


rule statistics:
    localrule: True
    input:
        expand("results/videos/{video}/statistics.json", video=ALL_VIDEOS),


rule labels:
    localrule: True
    input:
        expand("results/videos/{video}/labels.h5", video=ALL_VIDEOS),


rule body:
    localrule: True
    input:
        expand("results/models/{target}/body/generator.pt", target=ALL_TARGETS),


rule temporal:
    localrule: True
    input:
        expand("results/models/{target}/temporal/generator.pt", target=ALL_TARGETS),


rule face:
    localrule: True
    input:
        expand("results/models/{target}/face/generator.pt", target=ALL_TARGETS),


rule evaluation:
    localrule: True
    input:
        expand(
            "results/evaluation/{target}/{stage}/metrics.json",
            target=ALL_TARGETS,
            stage=STAGES,
        ),
