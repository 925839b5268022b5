"""Move the source's keypoints into the target's frame, and its parts to what the target shows."""

from edn_core.config import NormalizationConfig, read_section
from edn_core.keypoints import read_keypoints, write_keypoints
from edn_core.logs import log_to
from edn_core.normalize import bring_to_shown, normalize_keypoints, read_statistics
from edn_core.split import read_split

log_to(snakemake.log[0])

config = read_section(NormalizationConfig, snakemake.params.normalization, "normalization")
target = read_keypoints(snakemake.input.target_keypoints)
measured = read_statistics(snakemake.input.target)
moved = normalize_keypoints(
    read_keypoints(snakemake.input.keypoints),
    read_statistics(snakemake.input.source),
    measured,
    config,
    target,
)
known = read_split(len(target), snakemake.params.split).train_frames
moved = bring_to_shown(moved, target, measured, known, config)
write_keypoints(snakemake.output.keypoints, moved)
