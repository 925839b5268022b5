"""Train one stage of one target."""

from edn_core.config import RuntimeConfig, read_section
from edn_core.logs import log_to
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, own_log, run_training

log_to(own_log(snakemake.log[0]))

stage = snakemake.wildcards.stage
files = TrainingFiles.of(snakemake.input, snakemake.output.generator)
# Not among the params: a file that was moved is the same file.
vgg19 = snakemake.config["training"]["vgg19"]
settings = TrainingSettings.of(snakemake.params, stage, files, vgg19)
runtime = read_section(RuntimeConfig, snakemake.config["runtime"], "runtime")
run_training(STAGES[stage], files, settings, runtime)
