"""Find the poses of the true held-out frames at the size of the canvas."""

from edn_core.config import PoseConfig, read_section
from edn_core.evaluate import evaluate_truth
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.split import read_split

log_to(snakemake.log[0])

split = read_split(len(read_keypoints(snakemake.input.keypoints)), snakemake.params.split)
evaluate_truth(
    snakemake.input.video,
    snakemake.input.keypoints,
    split,
    read_section(PoseConfig, snakemake.params.pose, "pose"),
    snakemake.output.truth,
    snakemake.threads,
    snakemake.config["runtime"]["device"],
)
