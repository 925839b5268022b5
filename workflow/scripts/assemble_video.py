"""Make the finished video, with the source's sound."""

from edn_core.film import assemble_video
from edn_core.logs import log_to
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

assemble_video(
    snakemake.input.frames,
    snakemake.input.source_frames,
    snakemake.input.source_video,
    snakemake.output.video,
    target=snakemake.wildcards.target,
    mark=snakemake.params.mark,
)
