"""Everybody Dance Now: two videos in, one video out. Settings: config/config.yaml."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/module.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/videos.smk"
include: "workflow/rules/pose.smk"
include: "workflow/rules/preflight.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/forensics.smk"


# Here, because Snakemake forgets a default target that an included file sets.
rule all:
    input:
        all_transfers,
    localrule: True


onstart:
    keep_decisions()
    bring_weights()
    mark_outdated()


onerror:
    say_last()
