"""Fill short gaps and smooth keypoints over time."""

from edn_core.config import SmoothingConfig, read_section
from edn_core.keypoints import read_keypoints, write_keypoints
from edn_core.logs import log_to
from edn_core.smoothing import smooth_keypoints

log_to(snakemake.log[0])

config = read_section(SmoothingConfig, snakemake.params.smoothing, "smoothing")
keypoints = smooth_keypoints(read_keypoints(snakemake.input.keypoints), config)
write_keypoints(snakemake.output.keypoints, keypoints)
