"""Measure a transfer: pose, colours and steadiness beside references."""

from edn_core.config import PoseConfig, read_section
from edn_core.evaluate import TransferFiles, evaluate_transfer, named_files
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.split import read_split

log_to(snakemake.log[0])

split = read_split(len(read_keypoints(snakemake.input.target_keypoints)), snakemake.params.split)
evaluate_transfer(
    named_files(TransferFiles, snakemake.input),
    split,
    read_section(PoseConfig, snakemake.params.pose, "pose"),
    snakemake.output.metrics,
    snakemake.output.plot,
    snakemake.threads,
    snakemake.config["runtime"]["device"],
)
