"""Put source, label and result side by side."""

from edn_core.logs import log_to
from edn_core.pictures import write_comparison
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

write_comparison(
    snakemake.input.source_frames,
    snakemake.input.labels,
    snakemake.input.frames,
    snakemake.output.comparison,
    snakemake.input.source_video,
    target=snakemake.wildcards.target,
    mark=snakemake.params.mark,
)
