"""Say whether a video is fit to give a dance or a look."""

from edn_core.logs import log_to
from edn_core.preflight import preflight_video

log_to(snakemake.log[0])

preflight_video(
    snakemake.input.video,
    snakemake.input.raw,
    snakemake.input.keypoints,
    snakemake.output.report,
    snakemake.output.sheet,
)
