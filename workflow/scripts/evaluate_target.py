"""Measure a target's generators on the frames held out of their training, and put up the table."""

from edn_core.device import pick_device
from edn_core.evaluate import EvaluationFiles, evaluate_target, named_files, read_measures
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.split import read_split

log_to(snakemake.log[0])

split = read_split(len(read_keypoints(snakemake.input.keypoints)), snakemake.params.split)
evaluate_target(
    named_files(EvaluationFiles, snakemake.input),
    snakemake.input.generators,
    split,
    pick_device(snakemake.config["runtime"]["device"]),
    snakemake.output.json,
    snakemake.output.plot,
    read_measures(snakemake.params.pose, snakemake.config["evaluation"], snakemake.threads),
)
