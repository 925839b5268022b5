"""Train one stage of one target."""

import torch

from edn_core.config import NetworkConfig, RuntimeConfig, StageConfig, read_section
from edn_core.device import pick_device
from edn_core.logs import log_to
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)

stage, params = snakemake.wildcards.stage, snakemake.params
files = TrainingFiles.of(snakemake.input, snakemake.output.generator)
settings = TrainingSettings(
    stage=read_section(StageConfig, params.stage, f"training.{stage}"),
    network=read_section(NetworkConfig, params.network, "network"),
    split=files.read_split(params.split),
    seed=params.seed,
    vgg19=(snakemake.config["training"]["vgg19"], params.vgg19_sha256),
    vgg19_input=params.vgg19_input,
    revision=params.revision,
)
runtime = read_section(RuntimeConfig, snakemake.config["runtime"], "runtime")
train(STAGES[stage], files, settings, runtime, pick_device(runtime.device))
