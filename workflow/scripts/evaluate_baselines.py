"""Measure the nearest pose and the mean frame on the frames held out of a target's training."""

from edn_core.device import pick_device
from edn_core.evaluate import EvaluationFiles, evaluate_baselines, named_files, read_measures
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.split import read_split

log_to(snakemake.log[0])

split = read_split(len(read_keypoints(snakemake.input.keypoints)), snakemake.params.split)
evaluate_baselines(
    named_files(EvaluationFiles, snakemake.input),
    split,
    pick_device(snakemake.config["runtime"]["device"]),
    snakemake.output.metrics,
    snakemake.output.plot,
    read_measures(snakemake.params.pose, snakemake.config["evaluation"], snakemake.threads),
)
