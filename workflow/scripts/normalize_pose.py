"""Move the source's keypoints into the target's frame."""

from edn_core.config import NormalizationConfig, read_section
from edn_core.keypoints import read_keypoints, write_keypoints
from edn_core.logs import log_to
from edn_core.normalize import normalize_keypoints, read_statistics

log_to(snakemake.log[0])

moved = normalize_keypoints(
    read_keypoints(snakemake.input.keypoints),
    read_statistics(snakemake.input.source),
    read_statistics(snakemake.input.target),
    read_section(NormalizationConfig, snakemake.params.normalization, "normalization"),
    read_keypoints(snakemake.input.target_keypoints),
)
write_keypoints(snakemake.output.keypoints, moved)
