"""Move the source's keypoints into the target's frame."""

from edn_core.config import NormalizationConfig, read_section
from edn_core.keypoints import read_keypoints, write_keypoints
from edn_core.logs import log_to
from edn_core.normalize import normalize_keypoints, read_statistics

log_to(snakemake.log[0])

config = read_section(NormalizationConfig, snakemake.params.normalization, "normalization")
source = read_statistics(snakemake.input.source)
target = read_statistics(snakemake.input.target)
keypoints = read_keypoints(snakemake.input.keypoints)
moved = normalize_keypoints(
    keypoints, source, target, config, (target.height, target.width), snakemake.wildcards.target
)
write_keypoints(snakemake.output.keypoints, moved)
