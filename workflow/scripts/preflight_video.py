"""Say whether a video is fit to give a dance or a look."""

from edn_core.logs import log_to
from edn_core.preflight import preflight_video
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

preflight_video(
    snakemake.input.video,
    snakemake.input.raw,
    snakemake.input.keypoints,
    snakemake.output.report,
    snakemake.output.sheet,
)
