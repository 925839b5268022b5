"""Write a page that plays one transfer."""

from edn_core.logs import log_to
from edn_core.report import write_watch_page

log_to(snakemake.log[0])

write_watch_page(
    snakemake.input.comparison,
    (snakemake.wildcards.source, snakemake.wildcards.target),
    snakemake.params.report["max_video_mb"],
    snakemake.output.page,
)
