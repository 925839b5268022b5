"""Film one of the two drawn demo dancers."""

from edn_core.config import DemoConfig, read_section
from edn_core.demo import DANCERS, FPS, film_demo
from edn_core.logs import log_to

log_to(snakemake.log[0])

config = read_section(DemoConfig, snakemake.params.demo, "demo")
role = snakemake.wildcards.dancer.removeprefix("demo_")
film_demo(
    DANCERS[role],
    {"source": config.source_s, "target": config.target_s}[role],
    FPS[role],
    snakemake.output.video,
    snakemake.output.keypoints,
)
