"""Synthesize the target dancing the source's dance."""

import torch

from edn_core.device import pick_device
from edn_core.logs import log_to
from edn_core.synthesize import synthesize_frames

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)

synthesize_frames(
    snakemake.input.generator,
    snakemake.input.labels,
    snakemake.input.keypoints,
    snakemake.output.frames,
    pick_device(snakemake.config["runtime"]["device"]),
)
