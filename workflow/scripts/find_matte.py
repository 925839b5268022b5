"""Find the dancer's outline in every frame of a video."""

from edn_core.config import MatteConfig, read_section
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.matte import find_matte

log_to(snakemake.log[0])

find_matte(
    snakemake.input.video,
    read_keypoints(snakemake.input.keypoints),
    read_section(MatteConfig, snakemake.params.matte, "matte"),
    snakemake.config["pose"]["models_folder"],
    snakemake.output.masks,
    snakemake.threads,
)
