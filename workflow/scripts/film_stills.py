"""Make a video of a folder of numbered pictures."""

from pathlib import Path

from edn_core.logs import log_to
from edn_core.video.stills import film_stills

log_to(snakemake.log[0])

folder = Path(snakemake.config["videos_folder"], snakemake.wildcards.video)
film_stills(folder, snakemake.params.fps, snakemake.output.video)
