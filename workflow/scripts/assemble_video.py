"""Make the finished video, with the source's sound."""

from edn_core.config import AssemblyConfig, read_section
from edn_core.film import assemble_video
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to

log_to(snakemake.log[0])

assemble_video(
    snakemake.input.frames,
    read_keypoints(snakemake.input.source_keypoints),
    snakemake.input.source_video,
    snakemake.output.video,
    read_section(AssemblyConfig, snakemake.params.assembly, "assembly"),
    snakemake.input.get("room") or None,
    target=snakemake.wildcards.target,
)
