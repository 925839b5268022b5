"""Put the baselines and every stage of a target into one table."""

from edn_core.evaluate import evaluate_target
from edn_core.logs import log_to

log_to(snakemake.log[0])

evaluate_target(
    snakemake.input.baselines,
    snakemake.input.stages,
    snakemake.output.markdown,
    snakemake.output.json,
    snakemake.output.csv,
)
