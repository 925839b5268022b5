"""Measure a generator on the frames held out of its training."""

import torch

from edn_core.device import pick_device
from edn_core.evaluate import EvaluationFiles, evaluate_model
from edn_core.frames import FrameReader
from edn_core.logs import log_to
from edn_core.split import read_split

log_to(snakemake.log[0])
torch.set_num_threads(snakemake.threads)

names = ("generator", "frames", "labels", "keypoints")
files = EvaluationFiles(*(snakemake.input[name] for name in names))
split = read_split(len(FrameReader(files.frames)), snakemake.params.split)
device = pick_device(snakemake.config["runtime"]["device"])
evaluate_model(files, split, device, snakemake.output.metrics, snakemake.output.plot)
