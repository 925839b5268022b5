"""Plot where both dancers stand, and where the source goes."""

from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.normalize import read_statistics
from edn_core.pictures import plot_normalization

log_to(snakemake.log[0])

plot_normalization(
    read_keypoints(snakemake.input.before),
    read_keypoints(snakemake.input.after),
    read_keypoints(snakemake.input.target),
    read_statistics(snakemake.input.source_statistics),
    read_statistics(snakemake.input.target_statistics),
    snakemake.output.plot,
    snakemake.params.mode,
)
