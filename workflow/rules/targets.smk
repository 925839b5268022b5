"""Plain names for what people ask for: `snakemake frames`, `snakemake face`, `snakemake demo`."""

if not IS_MODULE:

    rule refuse_target:
        input:
            refuse_target,
        output:
            "{path}",
        wildcard_constraints:
            path=INTAKE.wrong_targets(),
        localrule: True


rule transfer:
    input:
        all_transfers,
    localrule: True


rule demo:
    input:
        transfer_files(*DEMO_VIDEOS),
        "results/evaluation/demo_target/table.md",
    localrule: True


rule frames:
    input:
        of_each(ALL_TARGETS, "results/videos/{name}/frames.zip"),
    localrule: True


rule poses:
    input:
        of_each(
            ALL_VIDEOS,
            "results/videos/{name}/keypoints.h5",
            "results/videos/{name}/preview.mp4",
        ),
    localrule: True


rule statistics:
    input:
        of_each(ALL_VIDEOS, "results/videos/{name}/statistics.json"),
    localrule: True


rule preflight:
    input:
        of_each(ALL_VIDEOS, "results/videos/{name}/preflight.png"),
        of_pairs(TRANSFERS, "preflight.png"),
    localrule: True


rule labels:
    input:
        of_each(ALL_TARGETS, "results/videos/{name}/labels.zip"),
    localrule: True


rule body:
    input:
        of_each(ALL_TARGETS, "results/models/{name}/body/generator.safetensors"),
    localrule: True


rule temporal:
    input:
        of_each(ALL_TARGETS, "results/models/{name}/temporal/generator.safetensors"),
    localrule: True


rule enhance:
    input:
        of_each(ALL_TARGETS, "results/models/{name}/enhance/generator.safetensors"),
    localrule: True


rule face:
    input:
        of_each(ALL_TARGETS, "results/models/{name}/face/generator.safetensors"),
    localrule: True


rule evaluation:
    input:
        of_each(ALL_TARGETS, "results/evaluation/{name}/table.md"),
        of_pairs(TRANSFERS, "metrics.json"),
    localrule: True


rule report:
    input:
        "results/report.html",
        of_pairs(TRANSFERS, "watch.html"),
    localrule: True


rule forensics:
    input:
        lambda wildcards: (
            "results/forensics/metrics.json" if FORENSIC_SUBJECTS else say_how_to_ask() or []
        ),
    localrule: True
