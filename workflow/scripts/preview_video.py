"""Draw the keypoints over the video, for people to look at."""

from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.pictures import write_preview

log_to(snakemake.log[0])

keypoints = read_keypoints(snakemake.input.keypoints)
write_preview(snakemake.input.video, keypoints, snakemake.output.preview)
