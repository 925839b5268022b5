"""Put source, label and result side by side."""

from edn_core.comparison import write_comparison
from edn_core.config import AssemblyConfig, read_section
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to

log_to(snakemake.log[0])

write_comparison(
    snakemake.input.source_video,
    read_keypoints(snakemake.input.source_keypoints),
    snakemake.input.labels,
    snakemake.input.frames,
    snakemake.output.comparison,
    read_section(AssemblyConfig, snakemake.params.assembly, "assembly"),
    snakemake.input.get("room") or None,
    target=snakemake.wildcards.target,
)
